package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// TestLeaderIsCutOffAndComesBack: what was acknowledged by the old or the new leader is on all nodes after the
// partition heals, and all states are equal. What the cut-off leader could not replicate is told as unknown, not as
// done.
func TestLeaderIsCutOffAndComesBack(t *testing.T) {
	c := startCluster(t, 3, nil)
	acked := c.submit(20)
	old := c.leader()
	others := c.followers()
	c.net.isolate(old.ID(), ids(others...)...)

	lost := task.Spec{ID: task.NewID(), Type: "t"}
	if _, err := old.Submit(t.Context(), []task.Spec{lost}, false); err == nil {
		t.Error("a leader without majority acknowledged a submit")
	} else if !errors.Is(err, task.ErrUnknownOutcome) && !errors.Is(err, task.ErrNotLeader) && !errors.Is(err, task.ErrNoLeader) {
		t.Errorf("a leader without majority answered %v", err)
	}
	if _, _, err := old.Get(t.Context(), task.Query{IDs: acked[:1]}); err == nil {
		t.Error("a leader without majority answered a linearizable read")
	}
	eventually(t, "another leader", func() bool { return c.leader() != old })
	acked = append(acked, c.submit(20)...)
	c.net.heal()
	eventually(t, "the old leader has caught up", func() bool { return old.AppliedIndex() >= c.leader().AppliedIndex() })
	c.sameState()
	c.mustHave(acked)
}

// TestWorkGoesOnThroughLeaderChanges: many clients and workers, three forced changes of leader, and at the end every
// acknowledged task has completed exactly once.
func TestWorkGoesOnThroughLeaderChanges(t *testing.T) {
	c := startCluster(t, 3, nil)
	const tasks = 600
	var completed, twice atomic.Int64
	done := make(map[task.ID]bool)
	var mu sync.Mutex
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var workers sync.WaitGroup
	for i := range 4 {
		session := task.NewSessionID()
		workers.Go(func() {
			var next []*task.Task
			for ctx.Err() == nil {
				if len(next) == 0 {
					next, _ = c.anyLeader().Claim(ctx, task.ClaimRequest{Session: session, WorkerID: fmt.Sprintf("w%d", i), Max: 4, Wait: 100 * time.Millisecond})
					continue
				}
				outcomes := make([]task.Outcome, len(next))
				for j, got := range next {
					outcomes[j] = task.Outcome{ID: got.ID, LeaseID: got.LeaseID, Kind: task.Success, Result: got.Payload}
				}
				receipts, more, err := c.anyLeader().Finish(ctx, session, outcomes, &task.ClaimRequest{Session: session, WorkerID: "w", Max: 4})
				if receipts == nil && err != nil {
					continue // the same outcomes again
				}
				mu.Lock()
				for _, r := range receipts {
					if r.Err == nil {
						if done[r.ID] && !r.Duplicate {
							twice.Add(1)
						}
						done[r.ID] = true
						completed.Store(int64(len(done)))
					}
				}
				mu.Unlock()
				next = more
			}
		})
	}
	var acked []task.ID
	for i := range 3 {
		acked = append(acked, c.submit(tasks/3)...)
		if _, err := c.leader().Transfer(t.Context(), c.followers()[i%2].ID()); err != nil {
			t.Log("transfer:", err)
		}
	}
	eventually(t, "all tasks have completed", func() bool { return completed.Load() == tasks })
	cancel()
	workers.Wait()
	if twice.Load() != 0 {
		t.Errorf("%d tasks completed twice", twice.Load())
	}
	c.sameState()
	c.mustHave(acked)
	if total := c.leader().store.Stats().Total; total.Completed != tasks || total.InProgress != 0 {
		t.Errorf("counts at the end: %+v", total)
	}
}

// anyLeader returns a node that thinks it leads, or any node.
func (c *liveCluster) anyLeader() *Node {
	for _, n := range c.nodes {
		if _, self := n.Leader(); self {
			return n.Node
		}
	}
	return c.nodes[0].Node
}

// TestEmptyNodeJoinsAfterTheLogWasCut: the log of an idle cluster begins after its first entry, so a fourth node can only
// come by a streamed checkpoint; with big payloads among the tasks.
func TestEmptyNodeJoinsAfterTheLogWasCut(t *testing.T) {
	bothKinds(t, emptyNodeJoinsAfterTheLogWasCut)
}

func emptyNodeJoinsAfterTheLogWasCut(t *testing.T, kind LogKind) {
	c := startCluster(t, 3, func(cfg *Config) { cfg.TrailingLogs, cfg.LogStore = 1, kind })
	acked := c.submit(50)
	big := task.Spec{ID: task.NewID(), Type: "t", Payload: make([]byte, largePayload)}
	c.mustSubmit(big)
	acked = append(acked, big.ID)
	for _, n := range c.nodes {
		if err := n.cutLog(); err != nil {
			t.Fatalf("cut the log of %s: %v", n.name, err)
		}
		first, err := n.logs.FirstIndex()
		if err != nil || first <= 2 {
			t.Fatalf("log of %s begins at %d: %v", n.name, first, err)
		}
	}
	restarted := c.followers()[0]
	c.crash(restarted)
	c.start(restarted, nil)
	fourth := c.add()
	c.join(fourth)
	eventually(t, "the fourth node has caught up", func() bool { return fourth.AppliedIndex() >= c.leader().AppliedIndex() })
	c.sameState()
	c.mustHave(acked)
	got, _, err := fourth.Get(t.Context(), task.Query{IDs: []task.ID{big.ID}, WithPayload: true, Stale: true})
	if err != nil || len(got) != 1 || len(got[0].Payload) != largePayload {
		t.Fatalf("the big payload did not come over: %v", err)
	}
	acked = append(acked, c.submit(5)...)
	c.crash(fourth)
	c.start(fourth, nil)
	eventually(t, "the fourth node has caught up again", func() bool { return fourth.AppliedIndex() >= c.leader().AppliedIndex() })
	c.sameState()
	c.mustHave(acked)
}

// TestSlowFollowerIsCaughtUpByACheckpoint: a node that was away while the log was cut gets the state streamed.
func TestSlowFollowerIsCaughtUpByACheckpoint(t *testing.T) {
	bothKinds(t, slowFollowerIsCaughtUpByACheckpoint)
}

func slowFollowerIsCaughtUpByACheckpoint(t *testing.T, kind LogKind) {
	c := startCluster(t, 3, func(cfg *Config) { cfg.TrailingLogs, cfg.LogStore = 1, kind })
	acked := c.submit(10)
	away := c.followers()[0]
	c.crash(away)
	acked = append(acked, c.submit(100)...)
	for _, n := range c.nodes {
		if n.Node != nil {
			if err := n.cutLog(); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.start(away, nil)
	eventually(t, "the slow node has caught up", func() bool { return away.AppliedIndex() >= c.leader().AppliedIndex() })
	acked = append(acked, c.submit(10)...)
	c.sameState()
	c.mustHave(acked)
}

// TestMembership: nodes leave and are removed, and what must not happen is refused.
func TestMembership(t *testing.T) {
	c := startCluster(t, 3, nil)
	acked := c.submit(5)
	gone := c.followers()[0]
	if err := c.leader().Remove(t.Context(), gone.ID()); err != nil {
		t.Fatal(err)
	}
	if err := c.leader().Remove(t.Context(), gone.ID()); !errors.Is(err, task.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	c.crash(gone)
	if err := c.leader().Adopt(t.Context(), member.Adoption{Addresses: []string{"127.0.0.1:1"}}); !errors.Is(err, task.ErrConflict) {
		t.Errorf("a member of two adopts another cluster: %v", err)
	}
	leader := c.leader()
	if err := leader.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-leader.Done(); err != nil {
		t.Errorf("a node that left ended with %v", err)
	}
	c.crash(leader)
	dir, err := OpenDir(leader.path)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	cfg := Default()
	cfg.Dir = dir
	if _, err := Open(cfg); !errors.Is(err, ErrLeft) {
		t.Errorf("a node that left opens again: %v", err)
	}
	acked = append(acked, c.submit(5)...)
	c.mustHave(acked)
	last := c.leader()
	if err := last.Remove(t.Context(), last.ID()); !errors.Is(err, task.ErrInvalid) {
		t.Errorf("the only member is removed: %v", err)
	}
}
