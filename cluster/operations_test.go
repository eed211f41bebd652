package cluster

import (
	"errors"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// order starts an operation, again until it is acknowledged.
func (c *liveCluster) order(o task.OperationOrder) task.ID {
	c.t.Helper()
	o.ID = task.NewID()
	eventually(c.t, "an operation is acknowledged", func() bool {
		_, err := c.leader().StartOperation(c.t.Context(), o)
		return err == nil
	})
	return o.ID
}

func (c *liveCluster) operation(id task.ID) (found task.Operation) {
	c.t.Helper()
	eventually(c.t, "the operation is read", func() bool {
		list, err := c.leader().Operations(c.t.Context(), false)
		if err != nil {
			return false
		}
		for _, o := range list {
			if o.ID == id {
				found = o
				return true
			}
		}
		c.t.Fatalf("operation %s is not there", id)
		return false
	})
	return found
}

func (c *liveCluster) ended(id task.ID) task.Operation {
	c.t.Helper()
	eventually(c.t, "the operation has ended", func() bool { return c.operation(id).State != task.OperationRunning })
	return c.operation(id)
}

// buryMany submits tasks in one request, claims them and rejects them all.
func (c *liveCluster) buryMany(n int) {
	c.t.Helper()
	ctx, session := c.t.Context(), task.NewSessionID()
	var specs []task.Spec
	for range n {
		specs = append(specs, task.Spec{ID: task.NewID(), Type: "mail"})
	}
	if _, err := c.leader().Submit(ctx, specs, true); err != nil {
		c.t.Fatal(err)
	}
	claimed, err := c.leader().Claim(ctx, task.ClaimRequest{Session: session, WorkerID: "w", Max: n, Lease: time.Minute})
	if err != nil || len(claimed) != n {
		c.t.Fatal(len(claimed), err)
	}
	var outcomes []task.Outcome
	for _, t := range claimed {
		outcomes = append(outcomes, task.Outcome{ID: t.ID, LeaseID: t.LeaseID, Kind: task.Reject, Error: "no"})
	}
	if _, _, err := c.leader().Finish(ctx, session, outcomes, nil); err != nil {
		c.t.Fatal(err)
	}
}

// TestRedriveThroughALeaderKill: each of 5,000 dead letters runs again exactly once, though the leader dies in the
// middle, and the operation counts each once.
func TestRedriveThroughALeaderKill(t *testing.T) {
	const tasks = 5000
	c := startCluster(t, 3, nil)
	for range tasks / task.MaxItems {
		c.buryMany(task.MaxItems)
	}
	id := c.order(task.OperationOrder{Action: task.ActionRetry, Rate: 2500})
	eventually(t, "some are retried", func() bool { return c.operation(id).Changed >= 400 })
	old := c.leader()
	before := c.operation(id)
	c.crash(old)
	if o := c.operation(id); o.State != task.OperationRunning || o.Changed < before.Changed {
		t.Fatalf("the next leader has %+v, the one before had %+v", o, before)
	}
	o := c.ended(id)
	if o.State != task.OperationDone || o.Changed != tasks || o.Examined != tasks || o.Failed != 0 {
		t.Fatalf("%+v", o)
	}
	c.start(old, nil)
	eventually(t, "the old leader has them all", func() bool { return old.store.Stats().Total.Ready == tasks })
	c.sameState()
}

// TestOperationsCancelAndDelete: running tasks are asked to stop at once, a rate is kept to, an operation can be cancelled,
// and a dry run changes nothing.
func TestOperationsCancelAndDelete(t *testing.T) {
	c := startCluster(t, 1, nil)
	n := c.leader()
	session := task.NewSessionID()
	told := make(chan []task.ID, 8)
	defer n.OpenSession(session, member.Origin{}, func(ids []task.ID, _ bool) { told <- ids })()
	running := c.submit(1)[0]
	if got, err := n.Claim(t.Context(), task.ClaimRequest{Session: session, WorkerID: "w", Max: 1, Lease: time.Minute}); err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	c.submit(30)
	would, next, err := n.TryOperation(t.Context(), task.OperationOrder{ID: task.NewID(), Action: task.ActionCancel}, nil)
	if err != nil || would.Changed != 31 || next != nil || n.store.Stats().Total.Ready != 30 {
		t.Fatalf("%+v, %v, %v", would, next, err)
	}
	if o := c.ended(c.order(task.OperationOrder{Action: task.ActionCancel})); o.Changed != 31 {
		t.Fatalf("%+v", o)
	}
	if ids := <-told; len(ids) != 1 || ids[0] != running {
		t.Fatalf("told %v", ids)
	}

	slow := c.order(task.OperationOrder{Action: task.ActionRetry, Rate: 10})
	eventually(t, "a step is made", func() bool { return c.operation(slow).Changed > 0 })
	if o := c.operation(slow); o.Changed > 20 {
		t.Errorf("%d tasks at once at 10 a second", o.Changed)
	}
	if err := n.CancelOperation(t.Context(), slow); err != nil {
		t.Fatal(err)
	}
	if o := c.operation(slow); o.State != task.OperationCancelled || o.Changed >= 30 || n.store.Stats().Total.Ready != o.Changed {
		t.Errorf("%+v", o)
	}

	purge := c.ended(c.order(task.OperationOrder{Action: task.ActionDelete}))
	if left := n.store.Stats().Total; purge.Changed != 30 || left.Cancelled+left.Pending != 0 || left.InProgress != 1 {
		t.Errorf("%+v, %+v", purge, left)
	}
	if err := n.CancelOperation(t.Context(), purge.ID); !errors.Is(err, task.ErrTransition) {
		t.Errorf("cancelled when it was done: %v", err)
	}
	receipts, err := n.Delete(t.Context(), []task.ID{running})
	if err != nil || !errors.Is(receipts[0].Err, task.ErrTransition) {
		t.Errorf("%v, %v", receipts, err)
	}
	if _, err := n.Retry(t.Context(), nil); !errors.Is(err, task.ErrInvalid) {
		t.Error(err)
	}
	if _, _, err := n.TryOperation(t.Context(), purge.OperationOrder, []byte{1}); !errors.Is(err, task.ErrInvalid) {
		t.Error(err)
	}
	c.sameState()
}
