package member

import (
	"fmt"

	"github.com/haiku-queue/haiku/task"
)

// Finding is what is wrong with a node, and what to do about it.
type Finding struct {
	Problem string `json:"problem"`
	Advice  string `json:"advice" doc:"What to do"`
}

// Findings says what the examination of a node comes to; nothing if it is well. failed is why there is no result, and
// differs that the node's state is not that of most.
func Findings(failed string, differs bool, found *task.Verification) []Finding {
	findings := []Finding{}
	add := func(problem, advice string) { findings = append(findings, Finding{problem, advice}) }
	if failed != "" {
		add("no result: "+failed, "look at the node, and ask again")
	}
	if found.Damaged > 0 {
		add(fmt.Sprintf("%d records, or their bytes, are lost there", found.Damaged),
			"replace the node: end it, run haikud reset, and start it again with --join; have a look at its disk")
	}
	if wrong := found.Wrong(); wrong > 0 && found.DryRun {
		add(fmt.Sprintf("%d index entries and counts are not what the records call for", wrong),
			"repair the node: end it, run haikud recover with its --data-dir, start it, and ask again")
	}
	if differs {
		advice := "replace the node: end it, run haikud reset, start it again with --join, and keep the old directory for a report"
		if found.Wrong() > 0 && found.Damaged == 0 {
			advice = "repair the node first"
		}
		add("its state differs from that of the others", advice)
	}
	return findings
}

// Differing finds, by the hashes of their states, the nodes whose state is not that of most; an empty hash is one that
// is not known. Where no state has a majority all differ: nobody can tell which is right.
func Differing(hashes []string) []bool {
	having, known := make(map[string]int), 0
	for _, hash := range hashes {
		if hash != "" {
			having[hash]++
			known++
		}
	}
	differ := make([]bool, len(hashes))
	for i, hash := range hashes {
		n := having[hash]
		differ[i] = hash != "" && n < known && n*2 <= known
	}
	return differ
}
