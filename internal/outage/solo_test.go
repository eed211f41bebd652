package outage

import (
	"testing"
	"time"
)

// TestSoloNodeIsKilled kills a broker of one node under load, again and again: nothing acknowledged is lost, and after
// each restart it leads long before its election timeout could be over.
func TestSoloNodeIsKilled(t *testing.T) {
	t.Parallel()
	const timeout = 10 * time.Second
	n := startNodes(t, 1, []string{
		"HAIKU_RAFT_HEARTBEAT_TIMEOUT=" + timeout.String(), "HAIKU_RAFT_ELECTION_TIMEOUT=" + timeout.String(),
	})
	l := startLoad(n, 3*timeout)
	only := n.list[0]
	for range 4 {
		l.more(100)
		acked := l.snapshot()
		only.kill(t)
		began := time.Now()
		n.start(only)
		n.serving(only)
		if took := time.Since(began); took > timeout/2 {
			t.Errorf("it took %s to lead again", took)
		}
		l.mustBeThere(acked, only)
	}
	l.finish()
	n.sameState()
}
