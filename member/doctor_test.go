package member

import (
	"strings"
	"testing"

	"github.com/haiku-queue/haiku/task"
)

// TestDiffering: who differs from most is named; where there is no majority all are.
func TestDiffering(t *testing.T) {
	for _, c := range []struct{ hashes, differ string }{
		{"a", "-"}, {"aa", "--"}, {"ab", "xx"}, {"aab", "--x"}, {"abb", "x--"}, {"abc", "xxx"}, {"aabb", "xxxx"}, {"aaabb", "---xx"},
		{"a.", "--"}, {"aa.b", "---x"}, {".", "-"}, // a dot has no hash
	} {
		var hashes []string
		for _, hash := range c.hashes {
			hashes = append(hashes, strings.Trim(string(hash), "."))
		}
		got := ""
		for _, differs := range Differing(hashes) {
			got += map[bool]string{true: "x", false: "-"}[differs]
		}
		if got != c.differ {
			t.Errorf("%s: %s, want %s", c.hashes, got, c.differ)
		}
	}
}

// TestFindings: each thing that is wrong is said once, with what helps.
func TestFindings(t *testing.T) {
	for _, c := range []struct {
		name    string
		failed  string
		differs bool
		found   task.Verification
		want    []string // problem, advice, problem, advice
	}{
		{"well", "", false, task.Verification{DryRun: true, Records: 7, Checked: 20}, nil},
		{"no answer", "connection refused", false, task.Verification{}, []string{"connection refused", "look at the node"}},
		{"a wrong index", "", true, task.Verification{DryRun: true, Added: 1, Corrected: 2},
			[]string{"3 index entries and counts", "haikud recover", "differs", "repair the node first"}},
		{"another state", "", true, task.Verification{DryRun: true}, []string{"differs", "haikud reset"}},
		{"damage", "", true, task.Verification{DryRun: true, Damaged: 2}, []string{"2 records", "haikud reset", "differs", "haikud reset"}},
	} {
		var got []string
		for _, f := range Findings(c.failed, c.differs, &c.found) {
			got = append(got, f.Problem, f.Advice)
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: %q", c.name, got)
			continue
		}
		for i := range got {
			if !strings.Contains(got[i], c.want[i]) {
				t.Errorf("%s: %q, want %q in it", c.name, got[i], c.want[i])
			}
		}
	}
}
