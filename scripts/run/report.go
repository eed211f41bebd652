package main

import (
	"fmt"
	"io"
	"time"
)

// maxFailover is the longest time from the leader's end to the next acknowledged submit.
const maxFailover = 10 * time.Second

// report prints what the job came to and returns whether all of it is as it should be.
func (j *job) report(w io.Writer, f *findings) bool {
	took := j.finished.Sub(j.started)
	fmt.Fprintf(w, `
submitted         %d (acknowledged, through a follower)
completed         %d
attempts          %d
lost              %d
mismatched        %d (result differs from sha256sum's)
completed twice   %d
failover time     %s (leader killed to next acknowledged submit)
tasks/s           %.0f (%s)
equal state       %s
`, j.acknowledged, f.tasks-len(f.lost), f.attempts, len(f.lost), len(f.mismatched), len(f.twice),
		j.failover.Round(time.Millisecond), float64(f.tasks)/took.Seconds(), took.Round(100*time.Millisecond), equality(f))
	for _, problem := range [...]struct {
		what  string
		which []string
	}{{"lost", f.lost}, {"mismatched", f.mismatched}, {"completed twice", f.twice}} {
		for i, name := range problem.which {
			if i == 10 {
				fmt.Fprintf(w, "%s: and %d more\n", problem.what, len(problem.which)-i)
				break
			}
			fmt.Fprintf(w, "%s: %s\n", problem.what, name)
		}
	}
	if j.failover > maxFailover {
		fmt.Fprintf(w, "the failover took longer than %s\n", maxFailover)
		return false
	}
	if j.acknowledged != len(j.specs) || f.tasks != len(j.specs) {
		fmt.Fprintf(w, "%d files, but %d acknowledged submits and %d tasks\n", len(j.specs), j.acknowledged, f.tasks)
		return false
	}
	return f.good()
}

func equality(f *findings) string {
	if f.unequal != "" {
		return "NO: " + f.unequal
	}
	return "yes, on all nodes"
}
