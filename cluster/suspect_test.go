package cluster

import (
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// calm has followers wait for so long that what they do sooner was not their timers.
func calm(cfg *Config) {
	cfg.HeartbeatTimeout, cfg.ElectionTimeout, cfg.LeaderLeaseTimeout = 10*time.Second, 10*time.Second, 3*time.Second
}

func TestLeaderWhoseStreamsEndIsReplacedAtOnce(t *testing.T) {
	c := startCluster(t, 3, calm)
	kept := c.submit(3)
	old, others := c.leader(), c.followers()
	began := time.Now()
	c.net.isolate(old.ID(), ids(others...)...)
	eventually(t, "another leader", func() bool {
		return others[0].raft.State() == raft.Leader || others[1].raft.State() == raft.Leader
	})
	if took := time.Since(began); took >= 10*time.Second {
		t.Errorf("another node leads after %s, as it would by Raft's timers", took)
	}
	c.net.heal()
	kept = append(kept, c.submit(1)...)
	c.sameState()
	c.mustHave(kept)
}

// TestLeaderOutlivesItsStreams: a network that resets every connection again and again is not the leader's end, while it
// comes back within the grace.
func TestLeaderOutlivesItsStreams(t *testing.T) {
	c := startCluster(t, 3, calm)
	leader, others := c.leader(), c.followers()
	term := leader.raft.CurrentTerm()
	kept := c.submit(1)
	for undisturbed := 0; undisturbed < 30; undisturbed++ {
		ended := time.Now()
		for _, n := range others {
			n.streams.closeStreams()
		}
		kept = append(kept, c.submit(1)...)
		eventually(t, "all hear the leader", func() bool {
			return leader.raft.State() != raft.Leader || others[0].hears(serverID(leader.ID())) && others[1].hears(serverID(leader.ID()))
		})
		if time.Since(ended) >= leader.grace() { // the machine was too slow, the leader may rightly be another
			leader, others = c.leader(), c.followers()
			term, undisturbed = leader.raft.CurrentTerm(), 0
		}
	}
	c.staysWith(leader, term)
	c.mustHave(kept)
}

// TestFollowerThatLostTheLeaderAlone: one that the leader does not reach asks the others, who hear it, and never stands.
func TestFollowerThatLostTheLeaderAlone(t *testing.T) {
	c := startCluster(t, 3, nil)
	kept := c.submit(1)
	leader, lonely := c.leader(), c.followers()[0]
	term := leader.raft.CurrentTerm()
	for range 3 {
		c.net.isolate(leader.ID(), lonely.ID())
		eventually(t, lonely.name+" has lost the leader", func() bool { _, lost := lonely.lostLeader(); return lost })
		if c, ok := lonely.nominate(); !ok || lonely.canvass(t.Context(), c) {
			t.Error("a node that hears the leader would vote for another")
		}
		eventually(t, lonely.name+" knows no leader", func() bool { address, _ := lonely.raft.LeaderWithID(); return address == "" })
		kept = append(kept, c.submit(3)...)
		c.net.heal()
		eventually(t, lonely.name+" follows again", func() bool {
			_, id := lonely.raft.LeaderWithID()
			return id == serverID(leader.ID()) && lonely.raft.State() == raft.Follower
		})
	}
	c.staysWith(leader, term)
	c.mustHave(kept)
}

// TestSilentLeaderIsReplaced: streams stay open when a host loses its power.
func TestSilentLeaderIsReplaced(t *testing.T) {
	c := startCluster(t, 3, nil)
	kept := c.submit(1)
	for range 5 {
		old, others := c.leader(), c.followers()
		c.net.hold(old.ID(), false)
		c.net.hold(old.ID(), true)
		began := time.Now()
		eventually(t, "another leader", func() bool {
			return others[0].raft.State() == raft.Leader || others[1].raft.State() == raft.Leader
		})
		t.Logf("another node leads after %s", time.Since(began))
		c.net.release()
		kept = append(kept, c.submit(3)...)
	}
	c.sameState()
	c.mustHave(kept)
}

// staysWith checks that nobody has stood for election.
func (c *liveCluster) staysWith(leader *testNode, term uint64) {
	c.t.Helper()
	c.sameState()
	for _, n := range c.nodes {
		if got := n.raft.CurrentTerm(); got != term {
			c.t.Errorf("%s is in term %d, it was %d", n.name, got, term)
		}
	}
	if c.leader() != leader {
		c.t.Errorf("%s leads, no longer %s", c.leader().name, leader.name)
	}
}
