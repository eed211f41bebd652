package haikutest

import (
	"fmt"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// queue is the state of the broker and transport's Broker. A task in the maps is never changed, only replaced, for it may
// be on its way to a client.
type queue struct {
	mu         sync.Mutex
	now        time.Time
	seq        uint64 // of submits and leases
	tasks      map[task.ID]*task.Task
	ghosts     map[task.ID]ghost     // deleted ones
	order      []task.ID             // as submitted
	children   map[task.ID][]task.ID // as submitted
	leases     map[task.ID]*lease    // of running tasks
	sessions   map[task.SessionID]*session
	waiters    []*waiter                 // as they came
	ended      []task.ID                 // whose children are still to be told
	paused     bool                      // claims get nothing
	retentions map[string]task.Retention // by type
	settings   map[name]task.QueueSettings
	buckets    map[name]*bucket          // of settings with a rate
	schedules  map[string]*task.Schedule // replaced, never changed
	operations []*operation              // as they were started
	cluster    [16]byte
	changes    uint64        // counts them, as the index of a log would
	changed    chan struct{} // closed with the next change
}

// lease is what is known of a running task beside its record.
type lease struct {
	heard    bool // a heartbeat has listed it
	cancelBy time.Time
	progress task.Progress
}

func newQueue(now time.Time) *queue {
	return &queue{
		now: now, tasks: make(map[task.ID]*task.Task), ghosts: make(map[task.ID]ghost), children: make(map[task.ID][]task.ID),
		retentions: make(map[string]task.Retention), settings: make(map[name]task.QueueSettings),
		buckets: make(map[name]*bucket), schedules: make(map[string]*task.Schedule), cluster: clusterID,
		leases: make(map[task.ID]*lease), sessions: make(map[task.SessionID]*session), changed: make(chan struct{}),
	}
}

// clock is what the broker's clock says.
func (q *queue) clock() time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.now
}

// put stores a task in its new form.
func (q *queue) put(t *task.Task) {
	if t.Status != task.InProgress {
		delete(q.leases, t.ID)
	}
	q.tasks[t.ID] = t
	t.UniqueHeld, t.DeleteAt = t.UniqueHeld && t.MayHoldKey(), time.Time{}
	if t.Status.IsTerminal() {
		if keep := q.keep(t); keep != task.KeepForever {
			t.DeleteAt = q.now.Add(keep)
			if t.UniqueHeld && t.DeleteAt.Before(t.UniqueUntil) {
				t.DeleteAt = t.UniqueUntil
			}
		}
		q.ended = append(q.ended, t.ID)
	}
}

// settle ends every change: operations go on, the children of what has ended are told, what is due becomes ready, claims that wait are
// served, and those who watch are woken.
func (q *queue) settle() {
	q.promote()
	q.operate()
	for len(q.ended) > 0 {
		parent := q.ended[0]
		q.ended = q.ended[1:]
		for _, id := range q.children[parent] {
			if child := q.tasks[id]; child != nil {
				if child = child.Clone(); q.resolve(child, parent) {
					q.put(child)
				}
			}
		}
	}
	q.serve()
	q.changes++
	q.tell()
}

// tell wakes those who watch.
func (q *queue) tell() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// resolve lets a task know that one of its dependencies ended, and reports whether that changed it.
func (q *queue) resolve(t *task.Task, id task.ID) bool {
	switch parent, _, _ := q.fate(id); {
	case t.Status != task.Pending || t.WaitingFor == 0:
		return false
	case parent == task.Completed || t.OnDependencyFailure == task.PolicyIgnore:
		t.WaitingFor--
	case t.OnDependencyFailure == task.PolicyCancel:
		t.Status, t.Reason = task.Cancelled, task.DependencyFailed
	case q.lost(id):
		t.Status, t.Reason = task.Cancelled, task.DependencyGone
	default:
		return false
	}
	t.UpdatedAt = q.now
	return true
}

// promote makes ready what waited for its time, and ends what was not started in time.
func (q *queue) promote() {
	for _, id := range q.order {
		t := q.tasks[id]
		if t.Overdue(q.now) {
			t = t.Clone()
			q.end(t, task.DeadLetter, task.Expired)
			q.put(t)
			continue
		}
		scheduled := t.Status == task.Pending && t.ScheduledAt.After(t.UpdatedAt)
		if (scheduled || t.Status == task.Failed) && !t.ScheduledAt.After(q.now) {
			t = t.Clone()
			t.Status, t.UpdatedAt = task.Pending, q.now
			q.put(t)
		}
	}
}

// advance moves the clock, with a stop at each moment at which a schedule fires.
func (q *queue) advance(d time.Duration) {
	for end := q.now.Add(max(d, 0)); ; {
		next := end
		for _, s := range q.schedules {
			if !s.Next.IsZero() && s.Next.Before(next) {
				next = s.Next
			}
		}
		q.reach(next)
		if next.Equal(end) {
			return
		}
	}
}

// reach does what is due at a moment.
func (q *queue) reach(now time.Time) {
	q.now = now
	for _, id := range q.order {
		t := q.tasks[id]
		if t.Status != task.InProgress {
			continue
		}
		l := q.leases[id]
		switch {
		case !l.cancelBy.IsZero() && !l.cancelBy.After(q.now):
			q.release(t, task.Revoked, false)
		case t.TimeoutSeconds > 0 && !t.StartedAt.Add(time.Duration(t.TimeoutSeconds)*time.Second).After(q.now):
			q.release(t, task.TimedOut, false)
		case q.sessions[t.Session].gone(q.now):
			q.release(t, task.SessionLost, l.heard)
		default:
			t = t.Clone()
			t.LeaseExpiresAt = q.now.Add(t.LeaseDuration)
			q.put(t)
		}
	}
	q.settle()
	q.reap()
	q.fire()
	q.settle()
}

// crash ends the lease of a running task.
func (q *queue) crash(id task.ID) error {
	t := q.tasks[id]
	switch {
	case t == nil:
		return fmt.Errorf("%w: task %s", task.ErrNotFound, id)
	case t.Status != task.InProgress:
		return fmt.Errorf("%w: task %s is %s, not in progress", task.ErrTransition, id, t.Status)
	}
	q.release(t, task.SessionLost, true)
	q.settle()
	return nil
}

// release ends a lease on the broker's own account.
func (q *queue) release(t *task.Task, kind task.OutcomeKind, crash bool) {
	t, l := t.Clone(), q.leases[t.ID]
	text := revokedText(t, kind)
	t.EndAttempt(kind, text, q.now)
	t.LastLease = task.LastLease{LeaseID: t.LeaseID, Kind: kind}
	if !l.progress.IsZero() {
		t.Progress = l.progress
	}
	if crash {
		t.CrashCount++
	}
	switch {
	case t.CancelRequested || kind == task.Revoked:
		q.end(t, task.Cancelled, task.OnRequest)
	case crash && t.CrashCount >= t.MaxCrashes:
		t.Error = text
		q.end(t, task.DeadLetter, task.Poison)
	case kind == task.TimedOut:
		t.Error = text
		q.retry(t, t.Backoff.Delay(t.Attempt, noJitter))
	default:
		if kind == task.LeaseUnheard {
			t.Attempt--
			t.ForgetStart()
		}
		q.free(t)
	}
	q.put(t)
}

func revokedText(t *task.Task, kind task.OutcomeKind) string {
	switch kind {
	case task.TimedOut:
		return fmt.Sprintf("ran longer than its timeout of %d s", t.TimeoutSeconds)
	case task.SessionLost:
		return fmt.Sprintf("worker %s lost its connection", t.WorkerID)
	}
	return ""
}
