package cluster

import (
	"errors"
	"strings"
	"testing"

	"github.com/haiku-queue/haiku/internal/plant"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// examined marks the log and returns every node's examination there.
func (c *liveCluster) examined() map[string]member.Examination {
	c.t.Helper()
	index, err := c.leader().Mark(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	out := make(map[string]member.Examination)
	for _, n := range c.nodes {
		eventually(c.t, n.name+" is examined", func() bool {
			got, err := n.Examine(c.t.Context(), index)
			if err != nil && !errors.Is(err, task.ErrNotFound) { // just applied
				c.t.Fatal(err)
			}
			out[n.name] = got
			return got.Finished
		})
	}
	return out
}

// TestExaminationsNameTheNode: a flipped index key in one node's database and a wrong counter in another's are found
// there, and only there.
func TestExaminationsNameTheNode(t *testing.T) {
	c := startCluster(t, 3, nil)
	c.submit(20)
	for name, e := range c.examined() {
		if !e.Found.Healthy() || e.Error != "" || e.Found.Records != 20 || e.Found.Checked < 60 || len(e.StateHash) != 64 {
			t.Errorf("%s: %+v", name, e)
		}
	}
	flipped, miscounted := c.followers()[0], c.followers()[1]
	c.crash(flipped)
	if err := plant.FlipKey(flipped.path, "index_priority"); err != nil {
		t.Fatal(err)
	}
	c.start(flipped, nil)
	c.leader()
	c.crash(miscounted)
	if err := plant.RaiseCounter(miscounted.path); err != nil {
		t.Fatal(err)
	}
	c.start(miscounted, nil)
	c.leader()
	all := c.examined()
	good := ""
	for name, e := range all {
		if name != flipped.name && name != miscounted.name {
			good = e.StateHash
			if !e.Found.Healthy() {
				t.Errorf("%s: %+v", name, e)
			}
		}
	}
	for name, want := range map[string]string{flipped.name: "index_priority", miscounted.name: "counts of default/t"} {
		if e := all[name]; e.Found.Healthy() || e.StateHash == good || !strings.Contains(strings.Join(e.Found.Problems, "\n"), want) {
			t.Errorf("%s: %+v", name, e)
		}
	}
	if f := all[flipped.name].Found; f.Added != 1 || f.Removed != 1 || f.Corrected != 0 {
		t.Errorf("%+v", f)
	}
	if f := all[miscounted.name].Found; f.Corrected != 1 || f.Wrong() != 1 {
		t.Errorf("%+v", f)
	}
}

// TestExaminationOfAnotherMark: a mark to come has no result yet, one that was followed by another or was forgotten has
// none any more.
func TestExaminationOfAnotherMark(t *testing.T) {
	c := startCluster(t, 1, nil)
	c.submit(1)
	n := c.nodes[0]
	early, err := n.Examine(t.Context(), n.AppliedIndex()+100)
	if err != nil || early.Finished || early.StateHash != "" {
		t.Errorf("%+v %v", early, err)
	}
	first, err := n.Mark(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Mark(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second mark", func() bool { return n.marks.status().Index > first })
	if _, err := n.Examine(t.Context(), first); !errors.Is(err, task.ErrConflict) {
		t.Errorf("an earlier mark: %v", err)
	}
	c.crash(n)
	c.start(n, nil)
	c.leader()
	if _, err := n.Examine(t.Context(), first); !errors.Is(err, task.ErrNotFound) {
		t.Errorf("a mark before the start: %v", err)
	}
}
