package cluster

import (
	"testing"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// TestReadIsNotVerifiedByOldAnswers: a leader that was stopped for longer than an election finds, when it goes on,
// answers of its followers that are as old as the stop. raft.VerifyLeader takes them as the word of a majority, although
// another leader has acknowledged tasks meanwhile. A node in this process cannot be stopped, so here the answers are held
// up on their way, and the leader's own timeouts are so long that it does not step down.
func TestReadIsNotVerifiedByOldAnswers(t *testing.T) {
	c := startCluster(t, 3, func(cfg *Config) {
		if cfg.Bootstrap || cfg.Name == "n1" {
			cfg.HeartbeatTimeout, cfg.ElectionTimeout, cfg.LeaderLeaseTimeout = time.Minute, time.Minute, time.Minute
		}
	})
	old := c.nodes[0]
	eventually(t, "n1 leads", func() bool {
		leader := c.leader()
		if leader != old {
			_, _ = leader.Transfer(t.Context(), old.ID()) // whether it worked shows in the next round
		}
		return leader == old
	})
	c.submit(5)
	before, err := old.Stats(t.Context(), task.StatsQuery{})
	if err != nil {
		t.Fatal(err)
	}
	c.net.hold(old.ID(), true)
	eventually(t, "answers are held", func() bool { return c.net.holds(old.ID(), true) > 1 })
	c.net.hold(old.ID(), false)

	var others []*testNode
	for _, n := range c.nodes {
		if n != old {
			others = append(others, n)
			c.net.cut(n.ID(), old.ID()) // it hears nothing of the election
		}
	}
	var next *testNode
	eventually(t, "another leader", func() bool {
		for _, n := range others {
			if _, self := n.Leader(); self {
				next = n
			}
		}
		return next != nil
	})
	if _, err := next.Submit(t.Context(), []task.Spec{{ID: task.NewID(), Type: "t"}}, false); err != nil {
		t.Fatal(err)
	}

	type answer struct {
		stats task.Stats
		err   error
	}
	answers := make(chan answer)
	reads := 0
	eventually(t, "one read is being verified and another waits for the next round", func() bool {
		l, err := old.leading()
		if err != nil {
			return true
		}
		l.verifier.mu.Lock()
		defer l.verifier.mu.Unlock()
		if len(l.verifier.waiting) > 0 {
			return true
		}
		reads++
		go func() {
			stats, err := old.Stats(t.Context(), task.StatsQuery{})
			answers <- answer{stats, err}
		}()
		return false
	})
	c.net.release()
	for range reads {
		if a := <-answers; a.err == nil && a.stats.Total.Ready <= before.Total.Ready {
			t.Errorf("the old leader counts %d tasks, %d are acknowledged", a.stats.Total.Ready, before.Total.Ready+1)
		}
	}
}
