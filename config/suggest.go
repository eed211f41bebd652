package config

import "strings"

// suggestion returns "; did you mean ...?" for the known name that is closest to an unknown one, or nothing if none is
// close. A key without its section counts as close to the key with it.
func suggestion(name string, known []string) string {
	best, distance := "", len(name)/4+1
	for _, k := range known {
		d := editDistance(strings.ToLower(name), strings.ToLower(k))
		if _, last, ok := strings.Cut(k, "."); ok {
			d = min(d, editDistance(strings.ToLower(name), last)+1)
		}
		if d <= distance && (best == "" || d < distance) {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// editDistance counts the letters to insert, delete or replace to get from a to b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
