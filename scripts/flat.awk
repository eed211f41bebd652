# Reads what BenchmarkFlat prints and writes, for each step, the least CPU time a task beside 1,000 and beside 1,000,000
# tasks. The exit code is 1 if one is more than 1.3 times the other.
$1 ~ /^BenchmarkFlat\// && $6 == "cpu-ns/op" || $1 ~ /^BenchmarkFlat\// && $4 == "cpu-ns/op" {
	split($1, name, "/")
	sub(/-[0-9]+$/, "", name[3])
	sub(/existing=/, "", name[2])
	cpu = $4 == "cpu-ns/op" ? $3 : $5
	if (!(name[3] in seen)) { seen[name[3]] = 1; steps[++count] = name[3] }
	key = name[2] "/" name[3]
	if (!(key in least) || cpu < least[key]) least[key] = cpu
}
/FAIL/ { failed = 1 }
END {
	print "| step | CPU a task beside 1,000, µs | beside 1,000,000, µs | ratio |"
	print "| --- | ---: | ---: | ---: |"
	for (i = 1; i <= count; i++) {
		few = least["1000/" steps[i]]; many = least["1000000/" steps[i]]
		printf "| %s | %.1f | %.1f | %.2f |\n", steps[i], few / 1000, many / 1000, many / few
		if (many > 1.3 * few) failed = 1
	}
	exit count == 0 || failed
}
