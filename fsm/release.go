package fsm

import (
	"fmt"

	"github.com/haiku-queue/haiku/task"
)

// release ends leases on the broker's own account. A lease that is no longer the task's is passed over: what a worker
// reported in time stands.
func (m *machine) release(c *Release) (Result, error) {
	var r Result
	for i := range c.Ended {
		e := &c.Ended[i]
		t, err := m.batch.Task(e.ID)
		if err != nil {
			return r, err
		}
		if t == nil || t.Status != task.InProgress || t.LeaseID != e.LeaseID {
			continue
		}
		m.revoke(t.Clone(), e)
		r.Count++
	}
	return m.settled(r, r.Count)
}

func (m *machine) revoke(t *task.Task, e *Ended) {
	reason := revokedText(t, e.Kind)
	t.EndAttempt(e.Kind, reason, m.now)
	t.LastLease = task.LastLease{LeaseID: t.LeaseID, Kind: e.Kind}
	if !e.Progress.IsZero() {
		t.Progress = e.Progress
	}
	if e.Crash {
		t.CrashCount++
	}
	switch {
	case t.CancelRequested || e.Kind == task.Revoked:
		m.end(t, task.EventCancel, task.OnRequest)
	case e.Crash && t.CrashCount >= t.MaxCrashes:
		t.Error = reason
		m.end(t, task.EventBury, task.Poison)
	case e.Kind == task.TimedOut:
		t.Error = reason
		m.retry(t, e.Delay)
	default:
		if e.Kind == task.LeaseUnheard {
			t.Attempt--
			t.ForgetStart()
		}
		m.free(t)
	}
	m.put(t)
}

func revokedText(t *task.Task, kind task.OutcomeKind) string {
	switch kind {
	case task.TimedOut:
		return fmt.Sprintf("ran longer than its timeout of %d s", t.TimeoutSeconds)
	case task.LeaseExpired:
		return fmt.Sprintf("worker %s sent no heartbeat for %s", t.WorkerID, t.LeaseDuration)
	case task.SessionLost:
		return fmt.Sprintf("worker %s lost its connection", t.WorkerID)
	case task.Requeued:
		return "put back by recovery"
	}
	return ""
}
