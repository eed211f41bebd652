package haikutest

import (
	"context"
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// session is one worker's, as far as its connections go.
type session struct {
	pushes map[int]func([]task.ID, bool)
	next   int
	left   time.Time     // when the last connection closed, by the broker's clock
	from   member.Origin // of the newest connection
	worker member.Worker // what is listed, if it has claimed
}

// push sends to every connection of a session; nil has none.
func (s *session) push(cancelled []task.ID, end bool) {
	if s == nil {
		return
	}
	for _, push := range s.pushes {
		push(cancelled, end)
	}
}

// gone reports whether the worker has had no connection for the grace.
func (s *session) gone(now time.Time) bool {
	return s == nil || len(s.pushes) == 0 && !s.left.Add(Grace).After(now)
}

// OpenSession is transport.Broker's.
func (q *queue) OpenSession(id task.SessionID, from member.Origin, push func([]task.ID, bool)) func() {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.sessions[id]
	if s == nil {
		s = &session{pushes: make(map[int]func([]task.ID, bool)), worker: member.Worker{Session: id, Connected: q.now}}
		q.sessions[id] = s
	}
	s.from = from
	s.next++
	number := s.next
	s.pushes[number] = push
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		delete(s.pushes, number)
		s.left = q.now
	}
}

func (q *queue) draining(id task.SessionID) bool {
	s := q.sessions[id]
	return s != nil && s.worker.Draining
}

// Heartbeat is transport.Broker's.
func (q *queue) Heartbeat(_ context.Context, h task.Heartbeat) (reply task.HeartbeatReply, err error) {
	if h.Session.IsZero() {
		return reply, fmt.Errorf("%w: a heartbeat needs a session id in the Hello", task.ErrInvalid)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	reply.Drain = q.draining(h.Session)
	if s := q.sessions[h.Session]; s != nil {
		s.worker.LastHeartbeat = q.now
	}
	for _, ref := range h.Leases {
		t := q.tasks[ref.ID]
		if t == nil || t.Status != task.InProgress || t.LeaseID != ref.LeaseID || t.Session != h.Session {
			reply.Lost = append(reply.Lost, ref.ID)
			continue
		}
		l := q.leases[ref.ID]
		l.heard = true
		if !ref.Progress.IsZero() {
			l.progress = ref.Progress
		}
		q.tell()
		if t.CancelRequested {
			reply.Cancelled = append(reply.Cancelled, ref.ID)
		}
	}
	return reply, nil
}

// Leader is transport.Broker's.
func (q *queue) Leader() (string, bool) { return "", true }

// LeaderChanged is transport.Broker's: it never does.
func (q *queue) LeaderChanged() <-chan struct{} { return nil }
