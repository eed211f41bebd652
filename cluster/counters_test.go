package cluster

import (
	"testing"

	"github.com/haiku-queue/haiku/member"
)

// TestCounters: what does not depend on how a node happens to cut the log into writes is the same on all nodes.
func TestCounters(t *testing.T) {
	c := startCluster(t, 3, nil)
	leader := c.leader()
	before := leader.Counters()
	const tasks = 20
	c.submit(tasks)
	same := func(n member.Counters) [4]uint64 {
		return [4]uint64{n.EntriesApplied, n.CommandsApplied, n.LogEntries, n.LogBytes}
	}
	eventually(t, "equal counters", func() bool {
		want := same(leader.Counters())
		return same(c.nodes[0].Counters()) == want && same(c.nodes[1].Counters()) == want && same(c.nodes[2].Counters()) == want
	})
	after := leader.Counters()
	if n := after.CommandsApplied - before.CommandsApplied; n < tasks {
		t.Errorf("%d commands for %d tasks", n, tasks)
	}
	if n := after.KeysPut - before.KeysPut; n < 2*tasks {
		t.Errorf("%d keys for %d tasks", n, tasks)
	}
	for name, more := range map[string]bool{
		"entries":     after.EntriesApplied > before.EntriesApplied,
		"batches":     after.Batches > before.Batches,
		"batch bytes": after.BatchBytes > before.BatchBytes,
		"log writes":  after.LogWrites > before.LogWrites,
		"log bytes":   after.LogBytes > before.LogBytes,
	} {
		if !more {
			t.Errorf("no more %s: %+v after %+v", name, after, before)
		}
	}
}
