package fsm

import (
	"bytes"
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// The model of a queue: all tasks in one map, every answer by looking at all of them, written from what the protocol and
// the rules of the queue say. It knows no index, no counter, no batch and no step. modeldrive_test.go runs random
// commands through it and through an FSM; to add a command, give the model a method and actions there a line.

type model struct {
	now        time.Time
	submitted  int // tasks so far
	tasks      map[task.ID]*modelTask
	removed    map[task.ID]modelGhost
	retentions map[string]task.Retention
	queues     map[store.Pair]*modelQueue
	schedules  map[string]*task.Schedule
	operations map[task.ID]*task.Operation
	members    map[member.ID]member.Member
	tokens     map[string]*modelToken
	cluster    member.ID
	paused     bool
	lastLease  uint64
	news       []modelNews // of the command at hand, that dependants are still to be told
	finished   []task.ID   // by the command at hand
}

// modelNews is a task that ended, was retried, or was deleted after it had ended without success.
type modelNews struct {
	of      *modelTask
	retried bool
	deleted bool
	known   int // tasks that were there; later ones saw it themselves
}

func (m *model) note(n modelNews) {
	n.known = m.submitted
	m.news = append(m.news, n)
}

// modelTask is one task. Its Spec is what it is by now: later submits with its unique key may have changed it.
type modelTask struct {
	task.Spec
	hash    [16]byte
	place   int // among all that were submitted
	created time.Time
	changed time.Time
	at      time.Time // of its place in the order, or when that comes
	status  task.Status
	due     bool             // pending: its time has come
	parents map[task.ID]bool // not completed, as far as it was told
	anew    bool             // it was retried, or what it waits for was: what it waits for is looked up, not counted down

	startBy    time.Time // a dead letter if it is not started by then
	keyUntil   time.Time // with the scope ttl
	keyed      bool      // it has taken its unique key, and not given it back by being started
	replacedBy task.ID   // the last submit whose content it took

	attempt, retries, crashes uint32

	lease         uint64
	claim         Claim     // of the current or last lease
	worker        string    // that has it, or had it when it ended
	started       time.Time // of the last attempt with its content that a worker may have got
	startedBefore time.Time // that before the last lease
	asked         bool      // to stop

	last     modelReport
	history  []task.Attempt
	progress task.Progress
	result   []byte
	err      string
	reason   task.Reason
	goes     time.Time // when it is deleted
	aging    time.Duration
}

// modelGhost is what stays of a deleted task.
type modelGhost struct {
	hash   [16]byte
	status task.Status
}

// modelReport is what a worker said of a lease.
type modelReport struct {
	lease  uint64
	kind   task.OutcomeKind
	result []byte
	err    string
	hashes [][16]byte
}

func (r *modelReport) equal(o *modelReport) bool {
	return r.lease == o.lease && r.kind == o.kind && bytes.Equal(r.result, o.result) && r.err == o.err && slices.Equal(r.hashes, o.hashes)
}

// someText stands for an error text that is the broker's own.
const someText = "\x00some text"

func newModel() *model {
	return &model{
		tasks: make(map[task.ID]*modelTask), removed: make(map[task.ID]modelGhost),
		retentions: make(map[string]task.Retention), queues: make(map[store.Pair]*modelQueue), schedules: make(map[string]*task.Schedule),
		operations: make(map[task.ID]*task.Operation), members: make(map[member.ID]member.Member),
		tokens: make(map[string]*modelToken),
	}
}

func (t *modelTask) pair() store.Pair {
	return store.Pair{Queue: cmp.Or(t.Queue, task.DefaultQueue), Type: t.Type}
}

func (t *modelTask) priority() task.Priority {
	if t.Priority != nil {
		return *t.Priority
	}
	return task.DefaultPriority
}

func limitOf(limit *uint32, otherwise uint32) uint32 {
	if limit != nil {
		return *limit
	}
	return otherwise
}

func (t *modelTask) ready() bool { return t.status == task.Pending && len(t.parents) == 0 && t.due }

// waits tells whether the task is to be run, now or some day.
func (t *modelTask) waits() bool { return t.status == task.Pending || t.status == task.Failed }

// pick lists the tasks that keep selects, in the order of less if there is one.
func (m *model) pick(keep func(*modelTask) bool, less func(a, b *modelTask) int) (out []*modelTask) {
	for _, t := range m.tasks {
		if keep(t) {
			out = append(out, t)
		}
	}
	if less != nil {
		slices.SortFunc(out, less)
	}
	return out
}

func byID(a, b *modelTask) int { return bytes.Compare(a.ID[:], b.ID[:]) }

// fate returns the status of a task, also of one that was deleted and is remembered.
func (m *model) fate(id task.ID) (status task.Status, hash [16]byte, known bool) {
	if t := m.tasks[id]; t != nil {
		return t.status, t.hash, true
	}
	g, known := m.removed[id]
	return g.status, g.hash, known
}

// begin starts a command at a time, which never goes back.
func (m *model) begin(now time.Time) {
	if now.After(m.now) {
		m.now = now
	}
	m.news, m.finished = nil, nil
}

// wait puts a task into the order, or where it waits for its time.
func (m *model) wait(t *modelTask) {
	t.status, t.due, t.changed, t.worker = task.Pending, !t.at.After(m.now), m.now, ""
}

// end gives a task its last status.
func (m *model) end(t *modelTask, s task.Status, reason task.Reason) {
	t.status, t.reason, t.changed, t.asked = s, reason, m.now, false
	t.goes = time.Time{}
	if keep := m.keep(t); keep != task.KeepForever {
		t.goes = m.now.Add(keep)
		if m.holds(t) && t.goes.Before(t.keyUntil) {
			t.goes = t.keyUntil
		}
	}
	m.note(modelNews{of: t})
	m.finished = append(m.finished, t.ID)
}

// keep is the task's own retention, that of its type, that of all types, or what is built in.
func (m *model) keep(t *modelTask) time.Duration {
	own, all, builtIn := m.retentions[t.Type], m.retentions[""], task.DefaultRetention()
	return cmp.Or(t.Retention, own.Of(t.status), all.Of(t.status), builtIn.Of(t.status))
}

// tell lets the dependants know, after all items of a command: those of tasks that it ended or retried, and so on. Only who
// was there when the parent ended has still to be told.
func (m *model) tell() {
	for len(m.news) > 0 {
		n := m.news[0]
		m.news = m.news[1:]
		for _, t := range m.pick(func(t *modelTask) bool { return t.place < n.known && slices.Contains(t.Dependencies, n.of.ID) }, byID) {
			switch {
			case n.retried:
				m.rearm(t)
			case t.status != task.Pending || len(t.parents) == 0:
			case n.deleted:
				if t.OnDependencyFailure == task.PolicyBlock && t.parents[n.of.ID] {
					m.end(t, task.Cancelled, task.DependencyGone)
				}
			case n.of.anew || t.anew:
				m.lookUp(t)
			case t.parents[n.of.ID]:
				m.hear(t, n.of.ID, n.of.status)
			}
		}
	}
}

// hear takes the end of a parent by the task's policy.
func (m *model) hear(t *modelTask, parent task.ID, status task.Status) {
	switch {
	case t.status != task.Pending:
	case status == task.Completed || t.OnDependencyFailure == task.PolicyIgnore:
		delete(t.parents, parent)
		m.wait(t)
	case t.OnDependencyFailure == task.PolicyCancel:
		m.end(t, task.Cancelled, task.DependencyFailed)
	case m.lost(parent):
		m.end(t, task.Cancelled, task.DependencyGone)
	}
}

// lost tells whether nobody can retry a task that ended: it was deleted, or one whose retry it waited for.
func (m *model) lost(id task.ID) bool {
	return m.tasks[id] == nil || m.tasks[id].reason == task.DependencyGone
}

// claimOne leases the first task of the order. The id of the lease is not foretold: it only grows.
func (m *model) claimOne(c *Claim) *modelTask {
	if m.paused {
		return nil
	}
	firsts := make(map[store.Pair]*modelTask)
	for _, t := range m.tasks {
		p := t.pair()
		if !t.ready() || !slices.Contains(c.Queues, p.Queue) || len(c.Types) > 0 && !slices.Contains(c.Types, p.Type) || !m.open(p) {
			continue
		}
		if first := firsts[p]; first == nil || compareInPair(t, first) < 0 {
			firsts[p] = t
		}
	}
	if len(firsts) == 0 {
		return nil
	}
	t := slices.MinFunc(slices.Collect(maps.Values(firsts)), m.compareFirsts)
	if m.overdue(t) {
		m.end(t, task.DeadLetter, task.Expired)
		return m.claimOne(c)
	}
	t.keyed = t.keyed && t.scope() != task.UniquePending
	t.status, t.attempt, t.claim, t.worker = task.InProgress, t.attempt+1, *c, c.WorkerID
	t.startedBefore, t.started, t.changed = t.started, m.now, m.now
	m.spend(t.pair())
	return t
}

// finish takes one worker's report. It returns whether that was known already, or which errors refuse it.
func (m *model) finish(c *Finish, i int) (duplicate bool, refused []error) {
	o := &c.Outcomes[i]
	t := m.tasks[o.ID]
	said := modelReport{o.LeaseID, o.Kind, o.Result, o.Error, c.Hashes[i]}
	switch {
	case t == nil:
		return false, []error{task.ErrNotFound}
	case t.status != task.InProgress || t.lease != o.LeaseID:
		if t.last.equal(&said) {
			return true, nil
		}
		return false, []error{task.ErrStaleLease}
	}
	more := &Submit{Specs: o.Submit, Hashes: c.Hashes[i], DedupWindow: c.DedupWindow}
	before := t.status
	t.status = task.Completed // what comes with the result may depend on it, or want its unique key
	offer := m.offer(more, false, make(map[task.ID]task.ID))
	t.status = before
	if offer.bad() {
		return false, slices.Concat(offer.faults...)
	}
	m.report(t, &said, o.Progress, c.Delays[i])
	m.accept(offer)
	return false, nil
}

func (m *model) report(t *modelTask, said *modelReport, p task.Progress, delay time.Duration) {
	m.close(t, said, p)
	switch {
	case said.kind == task.Success:
		t.result, t.err = said.result, ""
		m.end(t, task.Completed, "")
	case said.kind == task.Reject:
		m.end(t, task.DeadLetter, task.Rejected)
	case t.asked:
		m.end(t, task.Cancelled, task.OnRequest)
	case said.kind == task.Discard:
		m.end(t, task.Cancelled, task.ByHandler)
	case said.kind == task.Failure:
		m.retry(t, delay)
	case said.kind == task.Snooze:
		t.attempt--
		t.at = m.now.Add(delay)
		m.wait(t)
	case said.kind == task.Interrupted:
		t.attempt--
		m.wait(t)
	}
}

// close ends the lease with a line in the history.
func (m *model) close(t *modelTask, said *modelReport, p task.Progress) {
	t.last, t.err = *said, said.err
	if !p.IsZero() {
		t.progress = p
	}
	t.history = append(t.history, task.Attempt{
		Number: t.attempt, WorkerID: t.claim.WorkerID, StartedAt: t.started, EndedAt: m.now, Outcome: said.kind, Error: said.err,
	})
	t.history = t.history[max(0, len(t.history)-task.MaxHistory):]
}

func (m *model) retry(t *modelTask, delay time.Duration) {
	if t.retries >= limitOf(t.MaxRetries, task.DefaultRetries) {
		m.end(t, task.DeadLetter, task.RetriesExhausted)
		return
	}
	t.retries++
	t.status, t.at, t.changed, t.worker = task.Failed, m.now.Add(delay), m.now, ""
}

// revoke ends a lease on the broker's account, and tells whether it was still held.
func (m *model) revoke(e *Ended) bool {
	t := m.tasks[e.ID]
	if t == nil || t.status != task.InProgress || t.lease != e.LeaseID {
		return false
	}
	before := t.err
	said := &modelReport{lease: e.LeaseID, kind: e.Kind, err: someText}
	m.close(t, said, e.Progress)
	t.err = before
	if e.Crash {
		t.crashes++
	}
	switch {
	case t.asked || e.Kind == task.Revoked:
		m.end(t, task.Cancelled, task.OnRequest)
	case e.Crash && t.crashes >= limitOf(t.MaxCrashes, task.DefaultCrashes):
		t.err = someText
		m.end(t, task.DeadLetter, task.Poison)
	case e.Kind == task.TimedOut:
		t.err = someText
		m.retry(t, e.Delay)
	default:
		if e.Kind == task.LeaseUnheard {
			t.attempt--
			t.started = t.startedBefore // it never reached a worker
		}
		m.wait(t)
	}
	return true
}

// cancel cancels one task, or asks it to stop.
func (m *model) cancel(id task.ID) (duplicate bool, refused []error) {
	t := m.tasks[id]
	switch {
	case t == nil:
		return false, []error{task.ErrNotFound}
	case t.status == task.Cancelled || t.status == task.InProgress && t.asked:
		return true, nil
	case t.status.IsTerminal():
		return false, []error{task.ErrTransition}
	case t.status == task.InProgress:
		t.asked, t.changed = true, m.now
	default:
		m.end(t, task.Cancelled, task.OnRequest)
	}
	return false, nil
}

// promote lets tasks into the order whose time has come: scheduled ones first, then retries, earliest first.
func (m *model) promote(limit int) int {
	left := limit
	for _, status := range []task.Status{task.Pending, task.Failed} {
		due := m.pick(func(t *modelTask) bool {
			return t.status == status && len(t.parents) == 0 && !t.ready() && !t.at.After(m.now)
		}, func(a, b *modelTask) int { return cmp.Or(a.at.Compare(b.at), byID(a, b)) })
		for _, t := range due[:min(left, len(due))] {
			m.wait(t)
			left--
		}
	}
	return limit - left
}

// requeue puts running tasks back, those with the lowest ids after one first.
func (m *model) requeue(c *Requeue) (moved []Lease) {
	running := m.pick(func(t *modelTask) bool {
		return t.status == task.InProgress && bytes.Compare(t.ID[:], c.After[:]) > 0
	}, byID)
	for _, t := range running[:min(c.Max, len(running))] {
		moved = append(moved, Lease{t.ID, t.lease})
		m.revoke(&Ended{ID: t.ID, LeaseID: t.lease, Kind: task.Requeued})
	}
	return moved
}

// reap deletes tasks whose retention is over, then forgets deleted ones whose ids are too old to be submitted again.
func (m *model) reap(c *Reap) int {
	left, oldest := c.Max, m.now.Add(-c.DedupWindow)
	over := m.pick(func(t *modelTask) bool { return t.status.IsTerminal() && !t.goes.IsZero() && !t.goes.After(m.now) },
		func(a, b *modelTask) int { return cmp.Or(a.goes.Compare(b.goes), byID(a, b)) })
	for _, t := range over[:min(left, len(over))] {
		delete(m.tasks, t.ID)
		if !t.ID.Time().Before(oldest) {
			m.removed[t.ID] = modelGhost{t.hash, t.status}
		}
		if t.status != task.Completed {
			m.note(modelNews{of: t, deleted: true})
		}
		left--
	}
	ghosts := slices.SortedFunc(maps.Keys(m.removed), func(a, b task.ID) int { return bytes.Compare(a[:], b[:]) })
	for _, id := range ghosts {
		if left > 0 && id.Time().Before(oldest) {
			delete(m.removed, id)
			left--
		}
	}
	return c.Max - left
}

// setRetention counts for tasks that end from now on.
func (m *model) setRetention(r task.Retention) {
	if r.IsUnset() {
		delete(m.retentions, r.Type)
		return
	}
	m.retentions[r.Type] = r
}

// isOneOf tells whether an error is one of those that may be given.
func isOneOf(err error, allowed []error) bool {
	return slices.ContainsFunc(allowed, func(a error) bool { return errors.Is(err, a) })
}
