package client

import (
	"context"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// SetQueue changes settings of a queue, or of a type in it, and leaves the others: it pauses and resumes, sets limits and
// the order. The queue need not have tasks.
func (c *Client) SetQueue(ctx context.Context, change task.QueueChange) error {
	if err := change.Validate(); err != nil {
		return err
	}
	return c.do(ctx, wire.SetQueue, wire.QueueChangeToPB(&change), new(wirepb.SetQueueReply), change.Match == "")
}

// Pause keeps claims from a queue, or from a type in it; submits, results and what runs go on.
func (c *Client) Pause(ctx context.Context, queue, typ, reason string) error {
	paused := true
	return c.SetQueue(ctx, task.QueueChange{Queue: queue, Type: typ, Paused: &paused, Reason: reason})
}

// Resume ends a pause.
func (c *Client) Resume(ctx context.Context, queue, typ string) error {
	paused := false
	return c.SetQueue(ctx, task.QueueChange{Queue: queue, Type: typ, Paused: &paused})
}

// Queues lists the queues that have tasks or settings, in order: each with the sum of its types, whose type is empty, and
// then its types. An empty name lists all.
func (c *Client) Queues(ctx context.Context, queue string, opts ...ReadOption) ([]task.QueueState, error) {
	return c.queues(ctx, task.QueuesQuery{Queue: queue, Stale: readOptionsOf(opts).stale})
}

// QueueSums lists the queues that have tasks or settings without their types: NextSince of a queue is that of the type
// whose next task has waited longest. It costs the same however many types there are.
func (c *Client) QueueSums(ctx context.Context, opts ...ReadOption) ([]task.QueueState, error) {
	return c.queues(ctx, task.QueuesQuery{Sums: true, Stale: readOptionsOf(opts).stale})
}

func (c *Client) queues(ctx context.Context, q task.QueuesQuery) ([]task.QueueState, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	var reply wirepb.QueuesReply
	if err := c.do(ctx, wire.Queues, &wirepb.QueuesRequest{Queue: q.Queue, Sums: q.Sums, Stale: q.Stale}, &reply, true); err != nil {
		return nil, err
	}
	return wire.QueueStatesFromPB(&reply)
}
