package haikutest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// ghost is what stays of a deleted task: its id is never free again.
type ghost struct {
	status task.Status
	hash   [16]byte
}

// fate returns the status of a task, also of one that was deleted.
func (q *queue) fate(id task.ID) (status task.Status, hash [16]byte, known bool) {
	if t := q.tasks[id]; t != nil {
		return t.Status, t.Hash, true
	}
	g, known := q.ghosts[id]
	return g.status, g.hash, known
}

// lost reports whether nobody can retry a task that ended: it was deleted, or one whose retry it waited for.
func (q *queue) lost(id task.ID) bool {
	return q.tasks[id] == nil || q.tasks[id].Reason == task.DependencyGone
}

// Delete is transport.Broker's.
func (q *queue) Delete(_ context.Context, ids []task.ID) ([]task.Receipt, error) {
	return q.each(ids, q.delete)
}

func (q *queue) delete(id task.ID) task.Receipt {
	receipt, t := task.Receipt{ID: id}, q.tasks[id]
	switch {
	case t == nil:
		if _, receipt.Duplicate = q.ghosts[id]; !receipt.Duplicate {
			receipt.Err = fmt.Errorf("%w: task %s", task.ErrNotFound, id)
		}
		return receipt
	case t.Status == task.InProgress:
		receipt.Err = fmt.Errorf("%w: task %s runs; cancel it first", task.ErrTransition, id)
		return receipt
	case !t.Status.IsTerminal():
		q.cancel(id)
	}
	q.remove(id)
	return receipt
}

// remove deletes tasks that have ended. Those that wait for the retry of one that is dead are cancelled.
func (q *queue) remove(ids ...task.ID) {
	gone := make(map[task.ID]bool, len(ids))
	for _, id := range ids {
		t := q.tasks[id]
		q.ghosts[id], gone[id] = ghost{t.Status, t.Hash}, true
		delete(q.tasks, id)
	}
	q.order = slices.DeleteFunc(q.order, func(id task.ID) bool { return gone[id] })
	for _, id := range ids {
		for _, child := range q.children[id] {
			t := q.tasks[child]
			if t != nil && t.Status == task.Pending && t.WaitingFor > 0 && t.OnDependencyFailure == task.PolicyBlock &&
				q.ghosts[id].status != task.Completed {
				t = t.Clone()
				t.Status, t.Reason, t.UpdatedAt = task.Cancelled, task.DependencyGone, q.now
				q.put(t)
			}
		}
	}
}

// keep returns how long a task that ended is kept.
func (q *queue) keep(t *task.Task) time.Duration {
	own, all, builtIn := q.retentions[t.Type], q.retentions[""], task.DefaultRetention()
	for _, d := range [...]time.Duration{t.Retention, own.Of(t.Status), all.Of(t.Status)} {
		if d != 0 {
			return d
		}
	}
	return builtIn.Of(t.Status)
}

// reap deletes the tasks whose retention is over.
func (q *queue) reap() {
	var over []task.ID
	for _, id := range q.order {
		if at := q.tasks[id].DeleteAt; !at.IsZero() && !at.After(q.now) {
			over = append(over, id)
		}
	}
	q.remove(over...)
}

// Retentions is transport.Admin's.
func (c *cluster) Retentions(context.Context, bool) ([]task.Retention, error) {
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	list := []task.Retention{c.queue.retentions[""]}
	for typ, r := range c.queue.retentions {
		if typ != "" {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b task.Retention) int { return strings.Compare(a.Type, b.Type) })
	return list, nil
}

// SetRetention is transport.Admin's.
func (c *cluster) SetRetention(ctx context.Context, r task.Retention, match string) error {
	if err := r.Validate(); err != nil {
		return err
	}
	list, err := c.Retentions(ctx, false)
	if err == nil && match != "" && task.RetentionsTag(list) != match {
		err = fmt.Errorf("%w: the retention of ended tasks", task.ErrPrecondition)
	}
	if err != nil {
		return err
	}
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	if _, known := c.queue.retentions[r.Type]; !known && !r.IsUnset() && len(c.queue.retentions) >= task.MaxRetentions {
		return fmt.Errorf("%w: %d types have a retention of their own, no more are allowed", task.ErrTooLarge, task.MaxRetentions)
	}
	if delete(c.queue.retentions, r.Type); !r.IsUnset() {
		c.queue.retentions[r.Type] = r
	}
	return nil
}
