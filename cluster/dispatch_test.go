package cluster

import (
	"testing"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// TestPausedDispatch: nothing is handed out, through changes of the leader and restarts, while all else goes on; whoever
// waited is served at the end.
func TestPausedDispatch(t *testing.T) {
	c := startCluster(t, 3, nil)
	session := task.NewSessionID()
	running := c.one(task.Spec{}, session, time.Minute)
	c.setDispatch(true)
	c.submit(2)
	receipts, next, err := c.leader().Finish(t.Context(), session, []task.Outcome{{ID: running.ID, LeaseID: running.LeaseID, Kind: task.Success}},
		&task.ClaimRequest{Session: session, WorkerID: "w", Max: 5, Lease: time.Minute})
	if err != nil || receipts[0].Err != nil || len(next) != 0 {
		t.Errorf("result during the pause: %v, %d tasks, %v", receipts, len(next), err)
	}
	c.claimsNothing()
	old := c.leader()
	c.crash(old)
	c.claimsNothing()
	c.start(old, nil)
	eventually(t, "every node knows of the pause", func() bool {
		for _, n := range c.nodes {
			if status, err := n.Status(t.Context()); err != nil || !status.DispatchPaused {
				return false
			}
		}
		return true
	})

	leader := c.leader()
	claimed := make(chan int, 2)
	for range 2 {
		go func() {
			tasks, _ := leader.Claim(t.Context(), task.ClaimRequest{Session: session, WorkerID: "w", Max: 1, Wait: patience, Lease: time.Minute})
			claimed <- len(tasks)
		}()
	}
	l, err := leader.leading()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "both claims wait", func() bool { return len(l.waiters.idlers()) == 2 })
	c.sameState() // a command, so that the entries of the election count as applied
	before := leader.AppliedIndex()
	c.submit(1)
	if got := leader.AppliedIndex() - before; got > 2 {
		t.Errorf("a submit led to %d entries: claims try in vain", got)
	}
	c.setDispatch(false)
	for range 2 {
		if n := <-claimed; n != 1 {
			t.Errorf("a claim that waited through the pause got %d tasks", n)
		}
	}
	stats, err := leader.Stats(t.Context(), task.StatsQuery{})
	if err != nil || stats.DispatchPaused || stats.Total.InProgress != 2 || stats.Total.Ready != 1 {
		t.Errorf("afterwards %+v, %v", stats, err)
	}
	c.sameState()
}

func (c *liveCluster) setDispatch(paused bool) {
	c.t.Helper()
	eventually(c.t, "dispatch is set", func() bool { return c.leader().SetDispatch(c.t.Context(), paused) == nil })
	if stats, err := c.leader().Stats(c.t.Context(), task.StatsQuery{}); err != nil || stats.DispatchPaused != paused {
		c.t.Errorf("paused %t, want %t: %v", stats.DispatchPaused, paused, err)
	}
}

func (c *liveCluster) claimsNothing() {
	c.t.Helper()
	tasks, err := c.leader().Claim(c.t.Context(), task.ClaimRequest{Session: task.NewSessionID(), WorkerID: "w", Max: 5, Wait: 20 * time.Millisecond, Lease: time.Minute})
	if err != nil || len(tasks) != 0 {
		c.t.Errorf("a claim during the pause got %d tasks, %v", len(tasks), err)
	}
}
