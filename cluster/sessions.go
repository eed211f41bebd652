package cluster

import (
	"sync"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// sessions knows which workers' sessions have connections at this node, and tells when the last one of a session has
// been gone for the grace.
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
	pushes map[uint64]func(cancelled []task.ID, drain bool)
	next   uint64
	timer  *time.Timer
}

func newSessions(grace time.Duration, lost func(task.SessionID)) *sessions {
	return &sessions{grace: grace, lost: lost, open: make(map[task.SessionID]*session)}
}

// add notes a connection of a session; push sends to it and must not block. The returned function takes it back.
func (ss *sessions) add(id task.SessionID, push func([]task.ID, bool)) func() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.open[id]
	if s == nil {
		s = &session{pushes: make(map[uint64]func([]task.ID, bool))}
		ss.open[id] = s
	}
	if s.timer != nil && s.timer.Stop() {
		ss.timers.Done()
	}
	s.timer = nil
	s.next++
	number := s.next
	s.pushes[number] = push
	return sync.OnceFunc(func() { ss.remove(id, s, number) })
}

func (ss *sessions) remove(id task.SessionID, s *session, number uint64) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	delete(s.pushes, number)
	if len(s.pushes) > 0 || ss.closed || ss.open[id] != s {
		return
	}
	ss.timers.Add(1)
	s.timer = time.AfterFunc(ss.grace, func() {
		defer ss.timers.Done()
		ss.mu.Lock()
		gone := ss.open[id] == s && len(s.pushes) == 0 && !ss.closed
		if gone {
			delete(ss.open, id)
		}
		ss.mu.Unlock()
		if gone {
			ss.lost(id)
		}
	})
}

// push sends a request to cancel tasks to every connection of a session.
func (ss *sessions) push(id task.SessionID, cancelled []task.ID) {
	ss.mu.Lock()
	var pushes []func([]task.ID, bool)
	if s := ss.open[id]; s != nil {
		for _, push := range s.pushes {
			pushes = append(pushes, push)
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
