# Reads what BenchmarkFlat prints and writes, for each step, the least time a task beside 1,000 and beside 1,000,000 tasks.
# The exit code is 1 if one is more than 1.3 times the other.
$1 ~ /^BenchmarkFlat\// {
	split($1, name, "/")
	sub(/-[0-9]+$/, "", name[3])
	sub(/existing=/, "", name[2])
	if (!(name[3] in seen)) { seen[name[3]] = 1; steps[++count] = name[3] }
	key = name[2] "/" name[3]
	if (!(key in least) || $3 < least[key]) least[key] = $3
}
/FAIL/ { failed = 1 }
END {
	print "| step | beside 1,000 | beside 1,000,000 | ratio |"
	print "|---|---|---|---|"
	for (i = 1; i <= count; i++) {
		few = least["1000/" steps[i]]; many = least["1000000/" steps[i]]
		printf "| %s | %.1f µs | %.1f µs | %.2f |\n", steps[i], few / 1000, many / 1000, many / few
		if (many > 1.3 * few) failed = 1
	}
	exit count == 0 || failed
}
