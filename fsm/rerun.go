package fsm

import (
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// retryAll has tasks run again, each item by itself.
func (m *machine) retryAll(c *Retry) (Result, error) {
	r := Result{Receipts: make([]task.Receipt, len(c.IDs))}
	for i, id := range c.IDs {
		var err error
		if r.Receipts[i], err = m.retryOne(id); err != nil {
			return r, err
		}
	}
	return m.settled(r, len(r.Receipts))
}

// retryOne puts a task back to Pending, claimable at once unless it waits for others: with all of its retries and without
// the crashes that it had. Its attempts go on counting. Children that were cancelled because of it wait for it again.
func (m *machine) retryOne(id task.ID) (task.Receipt, error) {
	receipt := task.Receipt{ID: id}
	t, err := m.batch.Task(id)
	switch {
	case err != nil:
		return receipt, err
	case t == nil:
		receipt.Err = fmt.Errorf("%w: task %s", task.ErrNotFound, id)
		return receipt, nil
	case t.Status == task.Pending || t.Status == task.InProgress:
		receipt.Duplicate = true
		return receipt, nil
	case !t.Status.CanRetry():
		receipt.Err = fmt.Errorf("%w: task %s is %s", task.ErrTransition, id, t.Status)
		return receipt, nil
	case t.WaitingFor > 0 && m.manyRecounted(t):
		receipt.Err = fmt.Errorf("%w: the tasks of one request depend on more than %d others", task.ErrTooLarge, task.MaxBatchParents)
		return receipt, nil
	}
	ended := t.Status.IsTerminal()
	t = t.Clone()
	if receipt.Err, err = m.revive(t); err != nil || receipt.Err != nil {
		return receipt, err
	}
	t.RetryCount, t.CrashCount, t.ScheduledAt, t.WorkerID = 0, 0, m.now, ""
	if !t.ExpiresAt.After(m.now) {
		t.ExpiresAt = time.Time{}
	}
	m.put(t)
	if ended {
		m.rearmChildren(id)
	}
	return receipt, nil
}

// revive makes a task pending that has ended or waits for its retry, if what it depends on allows that: one that had not
// run because it waited for others waits for those that have not completed now. It is the one place where a task comes back
// from its end: what it held until then it has to take here again, and it is refused if another task holds its unique key
// meanwhile. t is not put here.
func (m *machine) revive(t *task.Task) (refused, err error) {
	if t.Reason == task.DependencyGone { // its children know that it does not come back
		return fmt.Errorf("%w: task %s depends on one that was deleted after it ended without success; submit it anew", task.ErrTransition, t.ID), nil
	}
	if t.WaitingFor > 0 {
		waiting, dead, err := m.awaited(t)
		if err != nil {
			return nil, err
		}
		if dead != nil {
			return fmt.Errorf("%w: task %s depends on %s, which ended without success; retry that one", task.ErrTransition, t.ID, *dead), nil
		}
		t.WaitingFor = waiting
	}
	holder, err := m.acquire(t)
	if err != nil {
		return nil, err
	}
	if holder != nil {
		return fmt.Errorf("%w: task %s", task.ErrUniqueConflict, holder.ID), nil
	}
	m.move(t, task.EventRetry)
	t.Reason, t.Recount = "", true
	return nil, nil
}

func (m *machine) rearmChildren(parent task.ID) {
	m.ended = append(m.ended, work{Kind: rearm, Parent: parent, Before: m.batch.Seq() + 1})
}

// rearm lets a task know that one of its dependencies was retried. If it was cancelled because of one, and no other stands
// against it, it waits again, and so do those that were cancelled because of it.
func (m *machine) rearm(t *task.Task) error {
	switch {
	case t.Status == task.Pending && t.WaitingFor > 0:
		return m.recount(t)
	case t.Status != task.Cancelled || t.Reason != task.DependencyFailed:
		return nil
	}
	refused, err := m.revive(t)
	if err != nil || refused != nil {
		return err
	}
	m.put(t)
	m.rearmChildren(t.ID)
	return nil
}

// recount counts anew what a blocked task waits for. Who was counted anew once always is: counting down by one would
// count a parent twice whose end this has seen before it was told.
func (m *machine) recount(t *task.Task) error {
	waiting, dead, err := m.awaited(t)
	if err != nil {
		return err
	}
	t.WaitingFor, t.Recount, t.UpdatedAt = waiting, true, m.now
	if dead != nil {
		m.cancelFor(t)
		t.WaitingFor = max(1, waiting)
	}
	m.put(t)
	return nil
}

// awaited counts the dependencies that t has to wait for, or names one whose end cancels it. Those that nobody remembers
// any more do not count.
func (m *machine) awaited(t *task.Task) (waiting uint32, dead *task.ID, err error) {
	m.recounted += len(t.Dependencies)
	for i := range t.Dependencies {
		status, _, known, err := m.batch.Ended(t.Dependencies[i])
		switch {
		case err != nil:
			return 0, nil, err
		case !known || status == task.Completed || status.IsTerminal() && t.OnDependencyFailure == task.PolicyIgnore:
			continue
		case status.IsTerminal():
			kills, err := m.kills(t.Dependencies[i], t)
			if err != nil {
				return 0, nil, err
			}
			if kills {
				dead = &t.Dependencies[i]
				continue
			}
		}
		waiting++
	}
	return waiting, dead, nil
}

// manyRecounted reports whether the command at hand has looked up so many dependencies that those of t would be too many.
func (m *machine) manyRecounted(t *task.Task) bool {
	return m.recounted > 0 && m.recounted+len(t.Dependencies) > task.MaxBatchParents
}
