package cluster

import (
	"container/heap"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/internal/trace"
	"github.com/haiku-queue/haiku/task"
)

// lease is what the leader remembers of a running task. Renewals live only here: a new leader arms every lease anew.
type lease struct {
	id        task.ID
	leaseID   uint64
	session   task.SessionID
	worker    string // that claimed it
	attempt   uint32
	backoff   task.Backoff
	duration  time.Duration
	expires   time.Time // without a heartbeat; monotonic
	timeout   time.Time // end of the longest allowed run; zero for none
	cancelBy  time.Time // when a requested cancel is enforced; zero for none requested
	heard     bool      // the worker has listed it
	unlisted  int       // heartbeats of its session that did not list it and were counted
	noticed   time.Time // when the last of them came, or the lease was granted
	progress  task.Progress
	traced    *trace.Task // nil if the task's trace is not recorded
	heapIndex int
}

// due is the next moment at which something happens to the lease on its own.
func (l *lease) due() time.Time {
	due := l.expires
	for _, t := range []time.Time{l.timeout, l.cancelBy} {
		if !t.IsZero() && t.Before(due) {
			due = t
		}
	}
	return due
}

// maxUnlisted is how many heartbeats of its session may leave out a lease that was never listed before it is returned:
// the reply to its claim was lost. They have to lie apart: a node that was stopped for a while passes on at once what
// workers sent meanwhile, which they could not know of the reply that it passes on at the same moment.
const maxUnlisted = 2

// leases are all leases of the cluster, at the leader.
type leases struct {
	apart time.Duration // between heartbeats that count as leaving a lease out; half the pause that workers make at most
	trace *trace.Recorder

	mu        sync.Mutex
	byTask    map[task.ID]*lease
	bySession map[task.SessionID]map[task.ID]*lease
	order     leaseHeap
	poke      chan struct{} // the first due moment may have come nearer
}

func newLeases(apart time.Duration, recorder *trace.Recorder) *leases {
	return &leases{
		apart: apart, trace: recorder, byTask: make(map[task.ID]*lease), bySession: make(map[task.SessionID]map[task.ID]*lease),
		poke: make(chan struct{}, 1),
	}
}

// grant arms a running task's lease for its whole duration from now. leaderNow is the leader time at now.
func (ls *leases) grant(t *task.Task, now, leaderNow time.Time) {
	l := &lease{
		id: t.ID, leaseID: t.LeaseID, session: t.Session, worker: t.WorkerID, attempt: t.Attempt,
		backoff: t.Backoff, duration: t.LeaseDuration, expires: now.Add(t.LeaseDuration), noticed: now, progress: t.Progress,
		traced: ls.trace.Task(t),
	}
	if t.TimeoutSeconds > 0 {
		l.timeout = now.Add(t.StartedAt.Add(time.Duration(t.TimeoutSeconds) * time.Second).Sub(leaderNow))
	}
	if t.CancelRequested {
		l.cancelBy = now.Add(t.LeaseDuration)
	}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if old := ls.byTask[l.id]; old != nil {
		ls.remove(old)
	}
	ls.byTask[l.id] = l
	of := ls.bySession[l.session]
	if of == nil {
		of = make(map[task.ID]*lease)
		ls.bySession[l.session] = of
	}
	of[l.id] = l
	heap.Push(&ls.order, l)
	ls.nudge(l)
}

// end forgets a lease.
func (ls *leases) end(id task.ID, leaseID uint64) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l := ls.byTask[id]; l != nil && l.leaseID == leaseID {
		ls.remove(l)
	}
}

// renew arms anew the leases that a session lists, and says what became of them and which to return as never heard of.
func (ls *leases) renew(hb task.Heartbeat, now time.Time) (reply task.HeartbeatReply, unheard []fsm.Ended) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	listed := make(map[task.ID]bool, len(hb.Leases))
	for _, ref := range hb.Leases {
		l := ls.byTask[ref.ID]
		if l == nil || l.leaseID != ref.LeaseID || l.session != hb.Session || now.After(l.expires) {
			reply.Lost = append(reply.Lost, ref.ID)
			continue
		}
		listed[ref.ID] = true
		l.expires, l.heard, l.unlisted = now.Add(l.duration), true, 0
		if !ref.Progress.IsZero() {
			l.progress = ref.Progress
		}
		heap.Fix(&ls.order, l.heapIndex)
		if !l.cancelBy.IsZero() {
			reply.Cancelled = append(reply.Cancelled, ref.ID)
		}
	}
	for id, l := range ls.bySession[hb.Session] {
		if listed[id] || l.heard || now.Sub(l.noticed) < ls.apart {
			continue
		}
		l.noticed = now
		if l.unlisted++; l.unlisted >= maxUnlisted {
			unheard = append(unheard, fsm.Ended{ID: id, LeaseID: l.leaseID, Kind: task.LeaseUnheard, Progress: l.progress})
		}
	}
	return reply, unheard
}

// cancel notes that someone asked to cancel a running task and returns its session.
func (ls *leases) cancel(id task.ID, now time.Time) (task.SessionID, bool) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.byTask[id]
	if l == nil {
		return task.SessionID{}, false
	}
	if l.cancelBy.IsZero() {
		l.cancelBy = now.Add(l.duration)
		heap.Fix(&ls.order, l.heapIndex)
		ls.nudge(l)
	}
	return l.session, true
}

// ofSession lists the leases of a lost session as ended.
func (ls *leases) ofSession(id task.SessionID) []fsm.Ended {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	var ended []fsm.Ended
	for _, l := range ls.bySession[id] {
		ended = append(ended, fsm.Ended{ID: l.id, LeaseID: l.leaseID, Kind: task.SessionLost, Crash: l.heard, Progress: l.progress})
	}
	return ended
}

// state returns when the given lease of a task expires and what its worker told of its progress, if this is known.
func (ls *leases) state(id task.ID, leaseID uint64) (expires time.Time, p task.Progress, ok bool) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l := ls.byTask[id]; l != nil && l.leaseID == leaseID {
		return l.expires, l.progress, true
	}
	return time.Time{}, p, false
}

// progress returns what the worker of a lease told of its progress.
func (ls *leases) progress(id task.ID, leaseID uint64) task.Progress {
	_, p, _ := ls.state(id, leaseID)
	return p
}

// traced returns what is recorded of a lease's task, nil if nothing is.
func (ls *leases) traced(id task.ID, leaseID uint64) *trace.Task {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l := ls.byTask[id]; l != nil && l.leaseID == leaseID {
		return l.traced
	}
	return nil
}

// over takes out up to limit leases that are due by now, and returns them with the moment of the next one.
func (ls *leases) over(now time.Time, limit int) (due []*lease, next time.Time) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for len(ls.order) > 0 && len(due) < limit {
		l := ls.order[0]
		if l.due().After(now) {
			return due, l.due()
		}
		ls.remove(l)
		due = append(due, l)
	}
	if len(ls.order) > 0 {
		next = ls.order[0].due()
	}
	return due, next
}

func (ls *leases) remove(l *lease) {
	delete(ls.byTask, l.id)
	of := ls.bySession[l.session]
	delete(of, l.id)
	if len(of) == 0 {
		delete(ls.bySession, l.session)
	}
	heap.Remove(&ls.order, l.heapIndex)
}

// nudge wakes the sweeper when l is now the first that is due.
func (ls *leases) nudge(l *lease) {
	if l.heapIndex == 0 {
		poke(ls.poke)
	}
}

// leaseHeap orders leases by the moment at which they are due.
type leaseHeap []*lease

func (h leaseHeap) Len() int           { return len(h) }
func (h leaseHeap) Less(i, j int) bool { return h[i].due().Before(h[j].due()) }
func (h leaseHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapIndex, h[j].heapIndex = i, j
}

// Push is heap.Interface's.
func (h *leaseHeap) Push(x any) {
	l := x.(*lease)
	l.heapIndex = len(*h)
	*h = append(*h, l)
}

// Pop is heap.Interface's.
func (h *leaseHeap) Pop() any {
	old := *h
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return l
}
