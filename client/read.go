package client

import (
	"context"
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// waitSlice is how long one request waits for a task; Wait makes as many as it takes.
const waitSlice = 30 * time.Second

// Get returns a task, without payload and result unless asked for. The error wraps task.ErrNotFound if it is not there.
func (c *Client) Get(ctx context.Context, id task.ID, opts ...ReadOption) (*task.Task, error) {
	o := readOptionsOf(opts)
	return c.one(ctx, task.Query{IDs: []task.ID{id}, WithPayload: o.payload, Stale: o.stale})
}

// Wait returns a task, with payload and result, once it has ended. The context limits the wait.
func (c *Client) Wait(ctx context.Context, id task.ID) (*task.Task, error) {
	for {
		t, err := c.one(ctx, task.Query{IDs: []task.ID{id}, WithPayload: true, Wait: waitSlice})
		if err != nil || t.Status.IsTerminal() {
			return t, err
		}
	}
}

func (c *Client) one(ctx context.Context, q task.Query) (*task.Task, error) {
	tasks, _, err := c.Query(ctx, q)
	if err != nil {
		return nil, err
	}
	if len(tasks) != 1 || tasks[0].ID != q.IDs[0] {
		return nil, fmt.Errorf("%w: task %s", task.ErrNotFound, q.IDs[0])
	}
	return tasks[0], nil
}

// Query returns tasks by id, in that order and without those that are not there, and the applied index of the state
// that they were read from.
func (c *Client) Query(ctx context.Context, q task.Query) ([]*task.Task, uint64, error) {
	if err := q.Validate(); err != nil {
		return nil, 0, err
	}
	var reply wirepb.QueryReply
	if err := c.do(ctx, wire.QueryStatus, wire.QueryToPB(&q), &reply, true); err != nil {
		return nil, 0, err
	}
	tasks, err := wire.TasksFromPB(reply.Tasks)
	return tasks, reply.AppliedIndex, err
}

// List returns one page of the tasks that a filter selects. The filter's Cursor is the Next of the page before.
func (c *Client) List(ctx context.Context, f task.Filter) (task.Page, error) {
	if err := f.Validate(); err != nil {
		return task.Page{}, err
	}
	var reply wirepb.ListReply
	if err := c.do(ctx, wire.ListTasks, wire.FilterToPB(&f), &reply, true); err != nil {
		return task.Page{}, err
	}
	return wire.PageFromPB(&reply)
}

// Stats returns the counts of all tasks.
func (c *Client) Stats(ctx context.Context, opts ...ReadOption) (task.Stats, error) {
	return c.Counts(ctx, task.StatsQuery{Stale: readOptionsOf(opts).stale})
}

// Counts returns the counts of all tasks of a queue, of a type, or of both.
func (c *Client) Counts(ctx context.Context, q task.StatsQuery) (task.Stats, error) {
	if err := q.Validate(); err != nil {
		return task.Stats{}, err
	}
	var reply wirepb.StatsReply
	err := c.do(ctx, wire.GetStats, wire.StatsQueryToPB(&q), &reply, true)
	return wire.StatsFromPB(&reply), err
}
