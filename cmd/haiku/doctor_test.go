package main

import (
	"testing"

	"github.com/haiku-queue/haiku/member"
)

// TestCompareStates: who differs from most is named; where there is no majority all are.
func TestCompareStates(t *testing.T) {
	for _, c := range []struct{ hashes, differ string }{
		{"a", "-"}, {"aa", "--"}, {"ab", "xx"}, {"aab", "--x"}, {"abb", "x--"}, {"abc", "xxx"}, {"aabb", "xxxx"}, {"aaabb", "---xx"},
		{"a.", "--"}, {"aa.b", "---x"}, {".", "-"}, // a dot has no hash
	} {
		var patients []*patient
		for _, hash := range c.hashes {
			p := &patient{}
			if hash != '.' {
				p.found = member.Examination{StateHash: string(hash)}
			}
			patients = append(patients, p)
		}
		compareStates(patients)
		got := ""
		for _, p := range patients {
			got += map[bool]string{true: "x", false: "-"}[p.differ]
		}
		if got != c.differ {
			t.Errorf("%s: %s, want %s", c.hashes, got, c.differ)
		}
	}
}
