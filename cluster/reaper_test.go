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
	for _, receipts := range [][]task.Receipt{
		c.receipts(func(n *testNode) ([]task.Receipt, error) { return n.Submit(c.t.Context(), specs, true) }),
		c.receipts(func(n *testNode) ([]task.Receipt, error) { return n.Cancel(c.t.Context(), ids) }),
	} {
		if slices.ContainsFunc(receipts, func(r task.Receipt) bool { return r.Err != nil }) {
			c.t.Fatal(receipts)
		}
	}
	return specs, ids
}

// receipts asks the leader until it is answered: on a busy machine it may lose its leadership.
func (c *liveCluster) receipts(ask func(*testNode) ([]task.Receipt, error)) (out []task.Receipt) {
	c.t.Helper()
	eventually(c.t, "an answer of the leader", func() (ok bool) {
		var err error
		out, err = ask(c.leader())
		return err == nil
	})
	return out
}

// TestEndedTasksAreDeleted: on every node, after their retention, in more than one step, also those that were due while
// there was no leader; and their ids are still known.
func TestEndedTasksAreDeleted(t *testing.T) {
	c := startCluster(t, 3, nil)
	set := task.Retention{Type: "mail", Cancelled: 100 * time.Millisecond, Completed: task.KeepForever}
	eventually(t, "the retention is set", func() bool { return c.leader().SetRetention(t.Context(), set, "") == nil })
	specs, ended := c.endMany("mail", 2*reaperStep+7, 5000, 0)
	other, kept := c.endMany("other", 3, 0, 0)
	gone := func(n *testNode) bool { return n.store.Stats().Total.Cancelled == uint64(len(kept)) }
	eventually(t, "the tasks are deleted", func() bool { return gone(c.leader()) })

	got, _, err := c.leader().Get(t.Context(), task.Query{IDs: ended, Stale: true})
	if err != nil || len(got) != 0 {
		t.Fatalf("%d deleted tasks are still read, %v", len(got), err)
	}
	specs[1].Type = "changed"
	receipts := c.receipts(func(n *testNode) ([]task.Receipt, error) { return n.Submit(t.Context(), specs[:2], false) })
	if !receipts[0].Duplicate || !errors.Is(receipts[1].Err, task.ErrConflict) {
		t.Fatalf("a deleted task submitted again, and another with such an id: %+v", receipts)
	}
	var list []task.Retention
	eventually(t, "the retention is read", func() bool { list, err = c.leader().Retentions(t.Context(), false); return err == nil })
	if diff := cmp.Diff([]task.Retention{{}, set}, list); diff != "" {
		t.Fatal(diff)
	}

	c.endMany("own", 5, 0, time.Second)
	old := c.leader()
	c.crash(old)
	eventually(t, "the next leader deletes", func() bool { return gone(c.leader()) })
	c.start(old, nil)
	eventually(t, "the old leader deletes", func() bool { return gone(old) })
	c.sameState()
	if got, _, err := c.leader().Get(t.Context(), task.Query{IDs: kept, Stale: true}); err != nil || len(got) != len(other) || got[0].DeleteAt.Sub(got[0].UpdatedAt) != 7*24*time.Hour {
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
