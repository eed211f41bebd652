package haikutest

import (
	"context"
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// Retry is transport.Broker's.
func (q *queue) Retry(_ context.Context, ids []task.ID) ([]task.Receipt, error) {
	return q.each(ids, q.rerun)
}

// each changes tasks one by one.
func (q *queue) each(ids []task.ID, change func(task.ID) task.Receipt) ([]task.Receipt, error) {
	if err := checkCount("ids", len(ids)); err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	defer q.settle()
	receipts := make([]task.Receipt, len(ids))
	for i, id := range ids {
		receipts[i] = change(id)
	}
	return receipts, nil
}

// rerun has a task run again that ended without success or waits for its retry.
func (q *queue) rerun(id task.ID) task.Receipt {
	receipt, t := task.Receipt{ID: id}, q.tasks[id]
	switch {
	case t == nil:
		receipt.Err = fmt.Errorf("%w: task %s", task.ErrNotFound, id)
		return receipt
	case t.Status == task.Pending || t.Status == task.InProgress:
		receipt.Duplicate = true
		return receipt
	case !t.Status.CanRetry():
		receipt.Err = fmt.Errorf("%w: task %s is %s", task.ErrTransition, id, t.Status)
		return receipt
	}
	ended := t.Status.IsTerminal()
	t = t.Clone()
	if receipt.Err = q.revive(t); receipt.Err != nil {
		return receipt
	}
	t.RetryCount, t.CrashCount, t.ScheduledAt, t.WorkerID = 0, 0, q.now, ""
	if !t.ExpiresAt.After(q.now) {
		t.ExpiresAt = time.Time{}
	}
	q.put(t)
	if ended {
		q.rearm(id)
	}
	return receipt
}

// revive makes a task pending again, if what it depends on allows that. It is not put here.
func (q *queue) revive(t *task.Task) error {
	if t.Reason == task.DependencyGone {
		return fmt.Errorf("%w: task %s depends on one that was deleted after it ended without success; submit it anew", task.ErrTransition, t.ID)
	}
	if t.WaitingFor > 0 {
		waiting, dead := q.awaited(t)
		if dead != nil {
			return fmt.Errorf("%w: task %s depends on %s, which ended without success; retry that one", task.ErrTransition, t.ID, *dead)
		}
		t.WaitingFor = waiting
	}
	if holder := q.acquire(t, nil); holder != nil {
		return fmt.Errorf("%w: task %s", task.ErrUniqueConflict, holder.ID)
	}
	t.Status, t.Reason, t.UpdatedAt = task.Pending, "", q.now
	return nil
}

// awaited counts the dependencies that t has to wait for, or names one whose end cancels it.
func (q *queue) awaited(t *task.Task) (waiting uint32, dead *task.ID) {
	for i, id := range t.Dependencies {
		status, _, _ := q.fate(id)
		switch {
		case status == task.Completed || status.IsTerminal() && t.OnDependencyFailure == task.PolicyIgnore:
		case status.IsTerminal() && (t.OnDependencyFailure == task.PolicyCancel || q.lost(id)):
			dead = &t.Dependencies[i]
		default:
			waiting++
		}
	}
	return waiting, dead
}

// rearm lets the children of a retried task wait for it again, and theirs.
func (q *queue) rearm(parent task.ID) {
	for _, id := range q.children[parent] {
		child := q.tasks[id]
		switch {
		case child == nil:
		case child.Status == task.Pending && child.WaitingFor > 0:
			child = child.Clone()
			child.WaitingFor, _ = q.awaited(child)
			child.UpdatedAt = q.now
			q.put(child)
		case child.Status == task.Cancelled && child.Reason == task.DependencyFailed:
			if child = child.Clone(); q.revive(child) == nil {
				q.put(child)
				q.rearm(id)
			}
		}
	}
}
