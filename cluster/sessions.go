package cluster

import (
	"bytes"
	"slices"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// sessions knows which workers' sessions have connections at this node and what they told of themselves, and tells when
// the last connection of a session has been gone for the grace. All of it is this node's memory, bounded by the
// connections that a node allows: a new leader learns it from those that come to it.
type sessions struct {
	grace time.Duration
	lost  func(task.SessionID) // called from a timer's goroutine

	mu     sync.Mutex
	open   map[task.SessionID]*session
	closed bool
	timers sync.WaitGroup
}

// session is one worker's session: its connections, or the timer that runs since the last one closed.
type session struct {
	links  map[uint64]link
	next   uint64
	timer  *time.Timer
	worker member.Worker // what List shows; its Leases, Node and ClientName are filled in there
}

// link is one connection of a session.
type link struct {
	from member.Origin
	push func(cancelled []task.ID, end bool)
}

func newSessions(grace time.Duration, lost func(task.SessionID)) *sessions {
	return &sessions{grace: grace, lost: lost, open: make(map[task.SessionID]*session)}
}

// add notes a connection of a session; push sends to it and must not block. The returned function takes it back.
func (ss *sessions) add(id task.SessionID, from member.Origin, push func(cancelled []task.ID, end bool)) func() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.open[id]
	if s == nil {
		s = &session{links: make(map[uint64]link), worker: member.Worker{Session: id, Connected: time.Now().UTC()}}
		ss.open[id] = s
	}
	if s.timer != nil && s.timer.Stop() {
		ss.timers.Done()
	}
	s.timer = nil
	s.next++
	number := s.next
	s.links[number] = link{from, push}
	return sync.OnceFunc(func() { ss.remove(id, s, number) })
}

func (ss *sessions) remove(id task.SessionID, s *session, number uint64) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	delete(s.links, number)
	if len(s.links) > 0 || ss.closed || ss.open[id] != s {
		return
	}
	ss.timers.Add(1)
	s.timer = time.AfterFunc(ss.grace, func() {
		defer ss.timers.Done()
		ss.mu.Lock()
		gone := ss.open[id] == s && len(s.links) == 0 && !ss.closed
		if gone {
			delete(ss.open, id)
		}
		ss.mu.Unlock()
		if gone {
			ss.lost(id)
		}
	})
}

// claims notes what a session claims, and reports whether it may: not when it is to end.
func (ss *sessions) claims(req *task.ClaimRequest) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.open[req.Session]
	if s == nil { // its connection has just ended
		return true
	}
	w := &s.worker
	if n := len(w.IDs); n == 0 || w.IDs[n-1] != req.WorkerID {
		ids := slices.DeleteFunc(slices.Clone(w.IDs), func(id string) bool { return id == req.WorkerID })
		w.IDs = append(ids[max(0, len(ids)-member.MaxWorkerIDs+1):], req.WorkerID)
	}
	w.Queues, w.Types = keep(w.Queues, req.Queues), keep(w.Types, req.Types)
	return !w.Draining
}

// keep returns the names that stay of a claim; old if they are the same, which they nearly always are.
func keep(old, names []string) []string {
	names = names[:min(len(names), member.MaxWorkerNames)]
	if slices.Equal(old, names) {
		return old
	}
	return slices.Clone(names)
}

// beats notes a heartbeat and reports whether the session is to end. One that has not claimed from this leader has the
// name under which it holds a lease; empty for none.
func (ss *sessions) beats(id task.SessionID, holds string, at time.Time) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.open[id]
	if s == nil {
		return false
	}
	s.worker.LastHeartbeat = at.UTC()
	if len(s.worker.IDs) == 0 && holds != "" {
		s.worker.IDs = []string{holds}
	}
	return s.worker.Draining
}

// list returns up to limit of the sessions that work, by session id from the one after after on, and whether
// there are more.
func (ss *sessions) list(after task.SessionID, limit int) (workers []member.Worker, more bool) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for id, s := range ss.open {
		if s.works() && bytes.Compare(id[:], after[:]) > 0 {
			workers = append(workers, s.shown())
		}
	}
	slices.SortFunc(workers, func(a, b member.Worker) int { return bytes.Compare(a.Session[:], b.Session[:]) })
	if len(workers) > limit {
		return workers[:limit], true
	}
	return workers, false
}

// works reports whether the session is a worker's: it has claimed, sent a heartbeat or was asked to end. A worker that
// has all it can run claims nothing from a new leader for long.
func (s *session) works() bool {
	return len(s.worker.IDs) > 0 || !s.worker.LastHeartbeat.IsZero() || s.worker.Draining
}

// shown is the worker with its newest connection, with mu of sessions held. What it points to is never changed.
func (s *session) shown() member.Worker {
	w := s.worker
	newest := uint64(0)
	for number, l := range s.links {
		if number > newest {
			newest, w.Node, w.ClientName = number, l.from.Node, l.from.ClientName
		}
	}
	return w
}

// drain has the sessions end that a name means, told by every way there is, and returns them. One that has just come to
// a new leader is found by its session.
func (ss *sessions) drain(name string) []member.Worker {
	ss.mu.Lock()
	var workers []member.Worker
	var pushes []func([]task.ID, bool)
	for _, s := range ss.open {
		if !s.worker.Is(name) {
			continue
		}
		s.worker.Draining = true
		workers = append(workers, s.shown())
		for _, l := range s.links {
			pushes = append(pushes, l.push)
		}
	}
	ss.mu.Unlock()
	for _, push := range pushes {
		push(nil, true)
	}
	slices.SortFunc(workers, func(a, b member.Worker) int { return bytes.Compare(a.Session[:], b.Session[:]) })
	return workers
}

// push sends a request to cancel tasks to every connection of a session.
func (ss *sessions) push(id task.SessionID, cancelled []task.ID) {
	ss.mu.Lock()
	var pushes []func([]task.ID, bool)
	if s := ss.open[id]; s != nil {
		for _, l := range s.links {
			pushes = append(pushes, l.push)
		}
	}
	ss.mu.Unlock()
	for _, push := range pushes {
		push(cancelled, false)
	}
}

// close stops all timers and waits for those that have fired.
func (ss *sessions) close() {
	ss.mu.Lock()
	ss.closed = true
	for _, s := range ss.open {
		if s.timer != nil && s.timer.Stop() {
			ss.timers.Done()
		}
	}
	ss.mu.Unlock()
	ss.timers.Wait()
}
