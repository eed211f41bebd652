package haikutest

import (
	"context"
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// noJitter is the draw that leaves a backoff as it is.
const noJitter = 0.5

// Finish is transport.Broker's.
func (q *queue) Finish(ctx context.Context, _ task.SessionID, outcomes []task.Outcome, next *task.ClaimRequest) (
	[]task.Receipt, []*task.Task, error) {
	if err := checkCount("outcomes", len(outcomes)); err != nil {
		return nil, nil, err
	}
	receipts := make([]task.Receipt, len(outcomes))
	q.mu.Lock()
	for i := range outcomes {
		receipts[i] = q.finish(&outcomes[i])
	}
	q.settle()
	q.mu.Unlock()
	if next == nil {
		return receipts, nil, nil
	}
	req := *next
	req.Wait = 0
	tasks, err := q.Claim(ctx, req)
	return receipts, tasks, err
}

// finish takes one outcome.
func (q *queue) finish(o *task.Outcome) task.Receipt {
	receipt := task.Receipt{ID: o.ID, Err: o.Validate()}
	if receipt.Err != nil {
		return receipt
	}
	t := q.tasks[o.ID]
	hashes := make([][16]byte, len(o.Submit))
	for i := range o.Submit {
		hashes[i] = o.Submit[i].ContentHash()
	}
	switch digest := o.Digest(hashes); {
	case t == nil:
		receipt.Err = fmt.Errorf("%w: task %s", task.ErrNotFound, o.ID)
	case t.Status == task.InProgress && t.LeaseID == o.LeaseID:
		receipt.Err = q.report(t, o, digest)
	case t.LastLease == task.LastLease{LeaseID: o.LeaseID, Kind: o.Kind, Digest: digest}:
		receipt.Duplicate = true
	default:
		receipt.Err = fmt.Errorf("%w: lease %d of task %s, which is %s under lease %d", task.ErrStaleLease, o.LeaseID, o.ID,
			t.Status, t.LeaseID)
	}
	return receipt
}

// report gives a running task its outcome and adds the tasks that come with it, or does neither and says why.
func (q *queue) report(running *task.Task, o *task.Outcome, digest [16]byte) error {
	t, l := running.Clone(), q.leases[running.ID]
	t.EndAttempt(o.Kind, o.Error, q.now)
	t.LastLease = task.LastLease{LeaseID: t.LeaseID, Kind: o.Kind, Digest: digest}
	if o.Kind != task.Success {
		t.Error = o.Error
	}
	if !l.progress.IsZero() {
		t.Progress = l.progress
	}
	switch {
	case o.Kind == task.Success:
		t.Result, t.ResultSize, t.Error = o.Result, uint32(len(o.Result)), ""
		q.end(t, task.Completed, "")
	case o.Kind == task.Reject:
		q.end(t, task.DeadLetter, task.Rejected)
	case t.CancelRequested:
		q.end(t, task.Cancelled, task.OnRequest)
	case o.Kind == task.Discard:
		q.end(t, task.Cancelled, task.ByHandler)
	case o.Kind == task.Failure:
		delay := o.RetryAfter
		if delay == 0 {
			delay = t.Backoff.Delay(t.RetryCount+1, noJitter)
		}
		q.retry(t, delay)
	default: // Snooze, Interrupted
		t.Attempt--
		if o.Kind == task.Snooze {
			t.ScheduledAt = q.now.Add(o.RetryAfter)
		}
		q.free(t)
	}
	ended := len(q.ended)
	q.put(t)
	if len(o.Submit) == 0 {
		return nil
	}
	if err := firstRefusal(q.addAll(o.Submit, newGroup(false))); err != nil {
		q.tasks[t.ID], q.leases[t.ID], q.ended = running, l, q.ended[:ended]
		return err
	}
	return nil
}

// retry has a running task run again after the delay, if a retry is left.
func (q *queue) retry(t *task.Task, delay time.Duration) {
	if t.RetryCount >= t.MaxRetries {
		q.end(t, task.DeadLetter, task.RetriesExhausted)
		return
	}
	t.RetryCount++
	t.ScheduledAt = q.now.Add(delay)
	q.free(t)
	t.Status = task.Failed
}

// free takes a task from its worker.
func (q *queue) free(t *task.Task) {
	t.Status, t.UpdatedAt = task.Pending, q.now
	t.WorkerID, t.Session, t.LeaseExpiresAt = "", task.SessionID{}, time.Time{}
}

// end brings a task to its end.
func (q *queue) end(t *task.Task, status task.Status, reason task.Reason) {
	t.Status, t.Reason, t.UpdatedAt = status, reason, q.now
	t.Session, t.LeaseExpiresAt, t.CancelRequested = task.SessionID{}, time.Time{}, false
}

// Cancel is transport.Broker's.
func (q *queue) Cancel(_ context.Context, ids []task.ID) ([]task.Receipt, error) {
	if err := checkCount("ids", len(ids)); err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	defer q.settle()
	receipts := make([]task.Receipt, len(ids))
	for i, id := range ids {
		receipts[i] = q.cancel(id)
	}
	return receipts, nil
}

func (q *queue) cancel(id task.ID) task.Receipt {
	receipt, t := task.Receipt{ID: id}, q.tasks[id]
	switch {
	case t == nil:
		receipt.Err = fmt.Errorf("%w: task %s", task.ErrNotFound, id)
	case t.Status == task.Cancelled || t.CancelRequested && t.Status == task.InProgress:
		receipt.Duplicate = true
	case t.Status.IsTerminal():
		receipt.Err = fmt.Errorf("%w: task %s is %s already", task.ErrTransition, id, t.Status)
	case t.Status == task.InProgress:
		t = t.Clone()
		t.CancelRequested, t.UpdatedAt = true, q.now
		q.put(t)
		q.leases[id].cancelBy = q.now.Add(t.LeaseDuration)
		q.sessions[t.Session].push([]task.ID{id}, false)
	default:
		t = t.Clone()
		q.end(t, task.Cancelled, task.OnRequest)
		q.put(t)
	}
	return receipt
}
