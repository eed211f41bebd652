package cluster

import (
	"testing"
	"time"
)

// TestSilentLeaderIsReplacedSoon: when a leader falls silent the others have a new one soon after the heartbeat timeout.
// With Raft's own timers it takes up to three, and mostly two.
func TestSilentLeaderIsReplacedSoon(t *testing.T) {
	const timeout = 1200 * time.Millisecond
	const soon = timeout + timeout/4 + 400*time.Millisecond // how long it may take, with a margin for a busy machine
	c := startCluster(t, 3, func(cfg *Config) {
		cfg.HeartbeatTimeout, cfg.ElectionTimeout, cfg.LeaderLeaseTimeout = timeout, timeout, timeout
	})
	late := 0
	for range 3 {
		leader, others := c.leader(), c.followers()
		began := time.Now()
		c.net.isolate(leader.ID(), ids(others...)...)
		eventually(t, "another leader", func() bool {
			for _, n := range others {
				if _, self := n.Leader(); self {
					return true
				}
			}
			return false
		})
		if took := time.Since(began); took > soon {
			t.Logf("%s until there was another leader", took)
			late++
		}
		c.net.heal()
		c.submit(1)
		eventually(t, "the old leader has caught up", func() bool { return leader.AppliedIndex() >= c.leader().AppliedIndex() })
	}
	if late > 1 { // votes may be split once
		t.Errorf("%d of 3 times it took longer than %s until there was another leader", late, soon)
	}
}
