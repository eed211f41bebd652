package client

import (
	"context"
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// Cancel cancels waiting tasks at once and asks running ones to stop. There is one receipt for each; Duplicate says that
// it was cancelled already. After an error the receipts of those that were not reached hold it.
func (c *Client) Cancel(ctx context.Context, ids ...task.ID) ([]task.Receipt, error) {
	return inParts(ids, func(part [][]byte) ([]*wirepb.Receipt, error) {
		var reply wirepb.CancelReply
		err := c.do(ctx, wire.CancelTask, &wirepb.CancelRequest{Ids: part}, &reply, true)
		return reply.Receipts, err
	})
}

// Retry has tasks run again that have ended without success, or wait for a retry: with all of their retries. Tasks that
// were cancelled because of them wait for them again. There is one receipt for each; Duplicate says that it waits or runs
// already. After an error the receipts of those that were not reached hold it.
func (c *Client) Retry(ctx context.Context, ids ...task.ID) ([]task.Receipt, error) {
	return inParts(ids, func(part [][]byte) ([]*wirepb.Receipt, error) {
		var reply wirepb.RetryReply
		err := c.do(ctx, wire.RetryTask, &wirepb.RetryRequest{Ids: part}, &reply, true)
		return reply.Receipts, err
	})
}

// Delete deletes tasks that do not run; those that wait are cancelled first. There is one receipt for each; Duplicate says
// that it was deleted already. After an error the receipts of those that were not reached hold it.
func (c *Client) Delete(ctx context.Context, ids ...task.ID) ([]task.Receipt, error) {
	return inParts(ids, func(part [][]byte) ([]*wirepb.Receipt, error) {
		var reply wirepb.DeleteReply
		err := c.do(ctx, wire.DeleteTask, &wirepb.DeleteRequest{Ids: part}, &reply, true)
		return reply.Receipts, err
	})
}

// inParts makes a request for each task.MaxItems ids.
func inParts(ids []task.ID, request func(part [][]byte) ([]*wirepb.Receipt, error)) ([]task.Receipt, error) {
	receipts := make([]task.Receipt, len(ids))
	for begin := 0; begin < len(ids); begin += task.MaxItems {
		end := min(begin+task.MaxItems, len(ids))
		raw, err := request(wire.IDsToPB(ids[begin:end]))
		var part []task.Receipt
		if err == nil {
			part, err = receiptsOf(raw, end-begin)
		}
		if err != nil {
			for i := range ids[begin:] {
				receipts[begin+i] = task.Receipt{ID: ids[begin+i], Err: err}
			}
			return receipts, err
		}
		copy(receipts[begin:], part)
	}
	return receipts, nil
}

// StartOperation begins to change all tasks of a selection, however many, and returns at once. Without an id the order
// gets a fresh one.
func (c *Client) StartOperation(ctx context.Context, o task.OperationOrder) (task.Operation, error) {
	if o.ID == (task.ID{}) {
		o.ID = task.NewID()
	}
	if err := o.Validate(); err != nil {
		return task.Operation{}, err
	}
	var reply wirepb.StartOperationReply
	if err := c.do(ctx, wire.StartOperation, wire.OrderToPB(&o), &reply, true); err != nil {
		return task.Operation{}, err
	}
	return wire.OperationFromPB(reply.Operation)
}

// TryOperation counts the tasks that an operation would change, and changes nothing. It takes as many requests as it
// needs, so the tasks may change meanwhile.
func (c *Client) TryOperation(ctx context.Context, o task.OperationOrder) (would task.Operation, err error) {
	if o.ID == (task.ID{}) {
		o.ID = task.NewID()
	}
	if err := o.Validate(); err != nil {
		return would, err
	}
	would.OperationOrder = o
	req := wire.OrderToPB(&o)
	req.DryRun = true
	for {
		var reply wirepb.StartOperationReply
		if err := c.do(ctx, wire.StartOperation, req, &reply, true); err != nil {
			return would, err
		}
		would.Examined += reply.Operation.GetExamined()
		would.Changed += reply.Operation.GetChanged()
		if len(reply.Next) == 0 {
			return would, nil
		}
		req.Cursor = reply.Next
	}
}

// Operations lists the operations that run and the last that have ended, those that started last first.
func (c *Client) Operations(ctx context.Context, opts ...ReadOption) ([]task.Operation, error) {
	var reply wirepb.OperationsReply
	if err := c.do(ctx, wire.Operations, &wirepb.OperationsRequest{Stale: readOptionsOf(opts).stale}, &reply, true); err != nil {
		return nil, err
	}
	return wire.OperationsFromPB(&reply)
}

// Operation returns one operation. The error wraps task.ErrNotFound if it is not there, or no more.
func (c *Client) Operation(ctx context.Context, id task.ID) (task.Operation, error) {
	return c.oneOperation(ctx, &wirepb.OperationsRequest{Id: id[:]})
}

// CancelOperation ends a running operation and returns it; what it has changed stays.
func (c *Client) CancelOperation(ctx context.Context, id task.ID) (task.Operation, error) {
	return c.oneOperation(ctx, &wirepb.OperationsRequest{Id: id[:], Cancel: true})
}

func (c *Client) oneOperation(ctx context.Context, req *wirepb.OperationsRequest) (task.Operation, error) {
	var reply wirepb.OperationsReply
	if err := c.do(ctx, wire.Operations, req, &reply, true); err != nil {
		return task.Operation{}, err
	}
	if len(reply.Operations) != 1 {
		return task.Operation{}, fmt.Errorf("%w: the node sent %d operations for one id", task.ErrInternal, len(reply.Operations))
	}
	return wire.OperationFromPB(reply.Operations[0])
}

// AwaitOperation returns an operation once it has ended, and tells progress, if it is not nil, how far it is now and then.
func (c *Client) AwaitOperation(ctx context.Context, id task.ID, progress func(task.Operation)) (task.Operation, error) {
	const pause = 200 * time.Millisecond
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		o, err := c.Operation(ctx, id)
		if err != nil || o.State != task.OperationRunning {
			return o, err
		}
		if progress != nil {
			progress(o)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return o, fmt.Errorf("wait for operation %s: %w", id, context.Cause(ctx))
		}
	}
}
