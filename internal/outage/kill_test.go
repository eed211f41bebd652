package outage

import (
	"slices"
	"testing"
)

// TestKilledNodes kills every node with SIGKILL, one after the other and then all at once, while tasks are submitted and
// run. After each restart everything acknowledged is there and all states are equal; at the end each task has completed
// once.
func TestKilledNodes(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"boltdb", "wal"} {
		t.Run(kind, func(t *testing.T) { killNodes(t, append(slices.Clone(quick), "HAIKU_RAFT_LOG_STORE="+kind)) })
	}
}

func killNodes(t *testing.T, env []string) {
	t.Parallel()
	n := startNodes(t, 3, env)
	l := startLoad(n, 2*shortLease)
	l.more(100)
	for _, one := range n.list { // the first one leads, as the founder
		one.kill(t)
		l.more(100)
		acked := l.snapshot()
		n.start(one)
		n.complete()
		l.mustBeThere(acked, one)
		n.sameState()
	}
	l.more(100)
	for _, one := range n.list {
		one.kill(t)
	}
	acked := l.snapshot()
	for _, one := range n.list {
		n.start(one)
	}
	n.complete()
	for _, one := range n.list {
		l.mustBeThere(acked, one)
	}
	l.more(100)
	n.sameState()
	l.finish()
	n.sameState()
}
