package fsm

import (
	"errors"
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// finish ends leases with what the workers report, each item by itself.
func (m *machine) finish(c *Finish) (Result, error) {
	r := Result{Receipts: make([]task.Receipt, len(c.Outcomes))}
	touched := len(c.Outcomes)
	for i := range c.Outcomes {
		o := &c.Outcomes[i]
		touched += len(o.Submit)
		t, err := m.batch.Task(o.ID)
		if err != nil {
			return r, err
		}
		r.Receipts[i] = task.Receipt{ID: o.ID}
		switch digest := o.Digest(c.Hashes[i]); {
		case t == nil:
			r.Receipts[i].Err = fmt.Errorf("%w: task %s", task.ErrNotFound, o.ID)
		case t.Status == task.InProgress && t.LeaseID == o.LeaseID:
			if r.Receipts[i].Err, err = m.reportAndSubmit(t.Clone(), c, i, digest); err != nil {
				return r, err
			}
		case t.LastLease == task.LastLease{LeaseID: o.LeaseID, Kind: o.Kind, Digest: digest}:
			r.Receipts[i].Duplicate = true
		default:
			r.Receipts[i].Err = fmt.Errorf("%w: lease %d of task %s, which is %s under lease %d", task.ErrStaleLease, o.LeaseID, o.ID, t.Status, t.LeaseID)
		}
	}
	return m.settled(r, touched)
}

// reportAndSubmit gives a running task outcome i and adds the tasks that come with it, or does nothing and says why. A full
// queue is no reason: the work was done, and to refuse its report would have it done again.
func (m *machine) reportAndSubmit(t *task.Task, c *Finish, i int, digest [16]byte) (refused, err error) {
	o := &c.Outcomes[i]
	savepoint, ended, done, changes := m.batch.Savepoint(), len(m.ended), len(m.done), len(m.changes)
	m.report(t, o, digest, c.Delays[i])
	if len(o.Submit) == 0 {
		return nil, nil
	}
	r, err := m.addAll(&Submit{Specs: o.Submit, Hashes: c.Hashes[i], Atomic: true, DedupWindow: c.DedupWindow}, false)
	if err != nil || r.Err == nil {
		return nil, err
	}
	m.batch.Rollback(savepoint)
	m.ended, m.done, m.changes = m.ended[:ended], m.done[:done], m.changes[:changes]
	for j := range r.Receipts {
		if why := r.Receipts[j].Err; why != nil && !errors.Is(why, task.ErrAborted) {
			return fmt.Errorf("%w: submit, item %d: %w", task.ErrAborted, j, why), nil
		}
	}
	return r.Err, nil
}

// report gives a running task the outcome of its attempt.
func (m *machine) report(t *task.Task, o *task.Outcome, digest [16]byte, delay time.Duration) {
	t.EndAttempt(o.Kind, o.Error, m.now)
	t.LastLease = task.LastLease{LeaseID: t.LeaseID, Kind: o.Kind, Digest: digest}
	if o.Kind != task.Success {
		t.Error = o.Error
	}
	if !o.Progress.IsZero() {
		t.Progress = o.Progress
	}
	switch {
	case o.Kind == task.Success:
		t.Result, t.ResultSize, t.Error = o.Result, uint32(len(o.Result)), ""
		m.end(t, task.EventComplete, "")
	case o.Kind == task.Reject:
		m.end(t, task.EventBury, task.Rejected)
	case t.CancelRequested:
		m.end(t, task.EventCancel, task.OnRequest)
	case o.Kind == task.Discard:
		m.end(t, task.EventCancel, task.ByHandler)
	case o.Kind == task.Failure:
		m.retry(t, delay)
	case o.Kind == task.Snooze:
		t.Attempt--
		t.ScheduledAt = m.now.Add(delay)
		m.free(t)
	case o.Kind == task.Interrupted:
		t.Attempt--
		m.free(t)
	}
	m.put(t)
}

// retry moves a running task to Failed, to run again after the delay, or to the dead letters when no retry is left.
func (m *machine) retry(t *task.Task, delay time.Duration) {
	if t.RetryCount >= t.MaxRetries {
		m.end(t, task.EventBury, task.RetriesExhausted)
		return
	}
	t.RetryCount++
	t.ScheduledAt = m.now.Add(delay)
	m.move(t, task.EventFail)
	t.WorkerID, t.Session, t.LeaseExpiresAt = "", task.SessionID{}, time.Time{}
}

// free puts a running task back to Pending.
func (m *machine) free(t *task.Task) {
	m.move(t, task.EventRelease)
	t.WorkerID, t.Session, t.LeaseExpiresAt = "", task.SessionID{}, time.Time{}
}

// end brings a task to a terminal status. The worker's name stays: people ask who did it.
func (m *machine) end(t *task.Task, e task.Event, reason task.Reason) {
	m.move(t, e)
	t.Reason = reason
	t.Session, t.LeaseExpiresAt, t.CancelRequested = task.SessionID{}, time.Time{}, false
}

// move makes a transition that the caller has made sure is legal.
func (m *machine) move(t *task.Task, e task.Event) {
	next, err := task.Next(t.Status, e)
	if err != nil {
		panic(fmt.Sprintf("task %s: %v", t.ID, err))
	}
	t.Status, t.UpdatedAt = next, m.now
}
