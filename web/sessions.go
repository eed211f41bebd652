package web

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

// sessionIdle is how long a session without leases is kept open after its last request.
const sessionIdle = time.Minute

// sessions keeps the connections of HTTP workers open: the cluster takes a worker whose connection ends for dead. A
// session lasts as long as its leases do, by the lengths that were claimed and the heartbeats that came.
type sessions struct {
	clients *clients

	mu     sync.Mutex
	known  map[sessionKey]*session
	closed bool
}

type sessionKey struct {
	token string
	id    task.SessionID
}

// session is one HTTP worker.
type session struct {
	id     task.SessionID
	client *client.Client
	users  int                // requests in work
	last   time.Time          // when the last request ended
	leases map[task.ID]*lease // as far as this node knows
}

type lease struct {
	id       uint64
	length   time.Duration
	deadline time.Time
}

func newSessions(clients *clients) *sessions {
	return &sessions{clients: clients, known: make(map[sessionKey]*session)}
}

// take returns the session of an id until release is called; a zero id makes a new one. A session that another node knew
// goes on here.
func (s *sessions) take(token string, id task.SessionID) (_ *session, release func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, shutdown()
	}
	if id.IsZero() {
		id = task.NewSessionID()
	}
	key := sessionKey{token, id}
	one := s.known[key]
	if one == nil {
		if len(s.known) >= maxSessions {
			return nil, nil, &task.RetryLater{After: time.Second,
				Err: fmt.Errorf("%w: this node has all the %d sessions of HTTP workers that it allows", task.ErrBusy, maxSessions)}
		}
		cfg := s.clients.config(token)
		cfg.Session = id
		c, err := client.New(cfg)
		if err != nil {
			return nil, nil, err
		}
		one = &session{id: id, client: c, leases: make(map[task.ID]*lease)}
		s.known[key] = one
	}
	one.users++
	return one, sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		one.users--
		one.last = time.Now()
	}), nil
}

// claimed notes leases that a session got.
func (s *sessions) claimed(one *session, tasks []*task.Task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range tasks {
		one.leases[t.ID] = &lease{t.LeaseID, t.LeaseDuration, time.Now().Add(t.LeaseDuration)}
	}
}

// renewed notes that leases were renewed, and that others are lost.
func (s *sessions) renewed(one *session, refs []task.LeaseRef, lost []task.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ref := range refs {
		l := one.leases[ref.ID]
		if l == nil || l.id != ref.LeaseID {
			l = &lease{id: ref.LeaseID, length: task.DefaultLease} // of a claim at another node
			one.leases[ref.ID] = l
		}
		l.deadline = time.Now().Add(l.length)
	}
	for _, id := range lost {
		delete(one.leases, id)
	}
}

// ended notes that a lease is no more.
func (s *sessions) ended(one *session, id task.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(one.leases, id)
}

// refs lists the leases that this node knows of a session.
func (s *sessions) refs(one *session) []task.LeaseRef {
	s.mu.Lock()
	defer s.mu.Unlock()
	refs := make([]task.LeaseRef, 0, len(one.leases))
	for id, l := range one.leases {
		refs = append(refs, task.LeaseRef{ID: id, LeaseID: l.id})
	}
	return refs
}

// tidy closes sessions that have neither leases nor requests any more.
func (s *sessions) tidy(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for _, c := range s.over(now) {
				c.Close()
			}
		}
	}
}

func (s *sessions) over(now time.Time) (list []*client.Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, one := range s.known {
		for id, l := range one.leases {
			if now.After(l.deadline) {
				delete(one.leases, id)
			}
		}
		if one.users == 0 && len(one.leases) == 0 && now.Sub(one.last) > sessionIdle {
			list = append(list, one.client)
			delete(s.known, key)
		}
	}
	return list
}

func (s *sessions) close() {
	s.mu.Lock()
	s.closed = true
	list := make([]*client.Client, 0, len(s.known))
	for _, one := range s.known {
		list = append(list, one.client)
	}
	clear(s.known)
	s.mu.Unlock()
	for _, c := range list {
		c.Close()
	}
}
