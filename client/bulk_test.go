package client

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haiku-queue/haiku/internal/fakenode"
	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// TestRetryAndDeleteInParts: as many requests as the ids need, and what was not reached holds the error.
func TestRetryAndDeleteInParts(t *testing.T) {
	n := fakenode.Start(t)
	c := newClient(t, nil, n)
	ids := make([]task.ID, task.MaxItems+1)
	for i := range ids {
		ids[i] = task.NewID()
	}
	receiptsFor := func(raw [][]byte) (out []*wirepb.Receipt) {
		for _, id := range raw {
			out = append(out, &wirepb.Receipt{Id: id, Duplicate: id[15]%2 == 0})
		}
		return out
	}
	requests := 0
	n.Handle(wire.RetryTask, func(r *fakenode.Request) (wire.Message, error) {
		var m wirepb.RetryRequest
		r.Read(&m)
		requests++
		return &wirepb.RetryReply{Receipts: receiptsFor(m.Ids)}, nil
	})
	receipts, err := c.Retry(within(t), ids...)
	mustBe(t, err, nil)
	if requests != 2 || slices.ContainsFunc(receipts, func(r task.Receipt) bool { return r.Duplicate != (r.ID[15]%2 == 0) }) {
		t.Errorf("%d requests", requests)
	}
	n.Handle(wire.DeleteTask, func(r *fakenode.Request) (wire.Message, error) {
		var m wirepb.DeleteRequest
		if r.Read(&m); len(m.Ids) == 1 {
			return nil, task.ErrNotAllowed
		}
		return &wirepb.DeleteReply{Receipts: receiptsFor(m.Ids)}, nil
	})
	receipts, err = c.Delete(within(t), ids...)
	mustBe(t, err, task.ErrNotAllowed)
	if receipts[task.MaxItems-1].Err != nil || receipts[task.MaxItems].ID != ids[task.MaxItems] {
		t.Errorf("%+v", receipts[task.MaxItems-1:])
	}
	mustBe(t, receipts[task.MaxItems].Err, task.ErrNotAllowed)
}

// TestOperations: an order gets an id and all statuses, a dry run adds up its pages, waiting tells how far it is.
func TestOperations(t *testing.T) {
	n := fakenode.Start(t)
	c := newClient(t, nil, n)
	calls := 0
	n.Handle(wire.StartOperation, func(r *fakenode.Request) (wire.Message, error) {
		var m wirepb.StartOperationRequest
		r.Read(&m)
		o, err := wire.OrderFromPB(&m)
		if err != nil || o.ID == (task.ID{}) || len(o.Selection.Statuses) != 3 {
			t.Errorf("ordered %v: %v", &m, err)
		}
		if reply := (&wirepb.StartOperationReply{Operation: wire.OperationToPB(&task.Operation{OperationOrder: o, Examined: 7, Changed: 3})}); m.DryRun {
			if calls++; calls < 3 {
				reply.Next = []byte{byte(calls)}
			}
			if len(m.Cursor) != min(1, calls-1) {
				t.Errorf("page %d from %v", calls, m.Cursor)
			}
			return reply, nil
		}
		return &wirepb.StartOperationReply{Operation: wire.OperationToPB(&task.Operation{OperationOrder: o, State: task.OperationRunning})}, nil
	})
	would, err := c.TryOperation(within(t), task.OperationOrder{Action: task.ActionRetry})
	mustBe(t, err, nil)
	if would.Examined != 21 || would.Changed != 9 || calls != 3 {
		t.Errorf("%+v after %d requests", would, calls)
	}
	o, err := c.StartOperation(within(t), task.OperationOrder{Action: task.ActionRetry, Selection: task.Selection{Queue: "q"}})
	mustBe(t, err, nil)
	if o.State != task.OperationRunning || o.Selection.Queue != "q" {
		t.Errorf("%+v", o)
	}
	_, err = c.StartOperation(within(t), task.OperationOrder{Action: task.ActionRetry, Selection: task.Selection{Statuses: []task.Status{task.Completed}}})
	mustBe(t, err, task.ErrInvalid)

	n.Handle(wire.Operations, func(r *fakenode.Request) (wire.Message, error) {
		var m wirepb.OperationsRequest
		r.Read(&m)
		switch {
		case len(m.Id) == 0:
			return wire.OperationsToPB([]task.Operation{o, o}), nil
		case m.Cancel:
			return nil, task.ErrTransition
		}
		if o.Examined++; o.Examined == 3 {
			o.State = task.OperationDone
		}
		return wire.OperationsToPB([]task.Operation{o}), nil
	})
	list, err := c.Operations(within(t))
	mustBe(t, err, nil)
	if len(list) != 2 {
		t.Errorf("%v", list)
	}
	var seen []uint64
	done, err := c.AwaitOperation(within(t), o.ID, func(o task.Operation) { seen = append(seen, o.Examined) })
	mustBe(t, err, nil)
	if diff := cmp.Diff([]uint64{1, 2}, seen); diff != "" || done.State != task.OperationDone {
		t.Errorf("%s %+v", diff, done)
	}
	_, err = c.CancelOperation(within(t), o.ID)
	mustBe(t, err, task.ErrTransition)
}
