package cluster

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haiku-queue/haiku/task"
)

// endMany submits tasks of a type in one request and cancels them all.
func (c *liveCluster) endMany(typ string, n, payload int, keep time.Duration) (specs []task.Spec, ids []task.ID) {
	c.t.Helper()
	for range n {
		specs = append(specs, task.Spec{ID: task.NewID(), Type: typ, Payload: make([]byte, payload), Retention: keep})
		ids = append(ids, specs[len(specs)-1].ID)
	}
	receipts, err := c.leader().Submit(c.t.Context(), specs, true)
	if err != nil {
		c.t.Fatal(err, receipts)
	}
	if receipts, err := c.leader().Cancel(c.t.Context(), ids); err != nil || slices.ContainsFunc(receipts, func(r task.Receipt) bool { return r.Err != nil }) {
		c.t.Fatal(err, receipts)
	}
	return specs, ids
}

// TestEndedTasksAreDeleted: on every node, after their retention, in more than one step, also those that were due while
// there was no leader; and their ids are still known.
func TestEndedTasksAreDeleted(t *testing.T) {
	c := startCluster(t, 3, nil)
	set := task.Retention{Type: "mail", Cancelled: 100 * time.Millisecond, Completed: task.KeepForever}
	if err := c.leader().SetRetention(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	specs, ended := c.endMany("mail", 2*reaperStep+7, 5000, 0)
	other, kept := c.endMany("other", 3, 0, 0)
	gone := func(n *testNode) bool { return n.store.Stats().Total.Cancelled == uint64(len(kept)) }
	eventually(t, "the tasks are deleted", func() bool { return gone(c.leader()) })

	if got, _, err := c.leader().Get(t.Context(), task.Query{IDs: ended}); err != nil || len(got) != 0 {
		t.Fatalf("%d deleted tasks are still read, %v", len(got), err)
	}
	if receipts, err := c.leader().Submit(t.Context(), specs[:1], false); err != nil || !receipts[0].Duplicate {
		t.Fatalf("a deleted task submitted again: %+v %v", receipts, err)
	}
	specs[1].Type = "changed"
	if receipts, err := c.leader().Submit(t.Context(), specs[1:2], false); err != nil || !errors.Is(receipts[0].Err, task.ErrConflict) {
		t.Fatalf("another task with the id of a deleted one: %+v %v", receipts, err)
	}
	list, err := c.leader().Retentions(t.Context())
	if diff := cmp.Diff([]task.Retention{{}, set}, list); err != nil || diff != "" {
		t.Fatal(err, diff)
	}

	c.endMany("own", 5, 0, time.Second)
	old := c.leader()
	c.crash(old)
	eventually(t, "the next leader deletes", func() bool { return gone(c.leader()) })
	c.start(old, nil)
	eventually(t, "the old leader deletes", func() bool { return gone(old) })
	c.sameState()
	if got, _, err := c.leader().Get(t.Context(), task.Query{IDs: kept}); err != nil || len(got) != len(other) || got[0].DeleteAt.Sub(got[0].UpdatedAt) != 7*24*time.Hour {
		t.Fatalf("%d of the other tasks are left, %v", len(got), err)
	}
}

// TestForgottenIDs: once the dedup window no longer covers the id of a deleted task, nothing of it is left.
func TestForgottenIDs(t *testing.T) {
	c := startCluster(t, 1, func(cfg *Config) { cfg.DedupWindow = 3 * time.Second })
	specs, _ := c.endMany("mail", 3, 0, time.Second)
	eventually(t, "the tasks are deleted", func() bool { return c.leader().store.Stats().Total.Cancelled == 0 })
	eventually(t, "the ids are forgotten", func() bool {
		l, err := c.leader().leading()
		if err != nil {
			return false
		}
		due, err := l.reapable()
		receipts, submitErr := c.leader().Submit(t.Context(), specs[:1], false)
		return err == nil && !due && submitErr == nil && errors.Is(receipts[0].Err, task.ErrIDExpired)
	})
	c.sameState()
}
