package haikutest

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// claims notes what a session claims.
func (q *queue) claims(req *task.ClaimRequest) {
	s := q.sessions[req.Session]
	if s == nil {
		return
	}
	ids := slices.DeleteFunc(slices.Clone(s.worker.IDs), func(id string) bool { return id == req.WorkerID })
	s.worker.IDs = append(ids[max(0, len(ids)-member.MaxWorkerIDs+1):], req.WorkerID)
	s.worker.Queues = req.Queues[:min(len(req.Queues), member.MaxWorkerNames)]
	s.worker.Types = req.Types[:min(len(req.Types), member.MaxWorkerNames)]
}

// workers lists the sessions that a function selects, in order.
func (q *queue) workers(selects func(*session) bool) []member.Worker {
	var list []member.Worker
	for id, s := range q.sessions {
		if s.gone(q.now) || !selects(s) {
			continue
		}
		w := s.worker
		if len(s.pushes) > 0 {
			w.Node, w.ClientName = s.from.Node, s.from.ClientName
		}
		for leased := range q.leases {
			if q.tasks[leased].Session == id {
				w.Leases++
			}
		}
		list = append(list, w)
	}
	slices.SortFunc(list, func(a, b member.Worker) int { return bytes.Compare(a.Session[:], b.Session[:]) })
	return list
}

// works reports whether the session is a worker's: it has claimed, sent a heartbeat or was asked to end.
func (s *session) works() bool {
	return len(s.worker.IDs) > 0 || !s.worker.LastHeartbeat.IsZero() || s.worker.Draining
}

// Workers is transport.Admin's.
func (c *cluster) Workers(_ context.Context, after task.SessionID, limit int) ([]member.Worker, bool, error) {
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	list := c.queue.workers(func(s *session) bool { return s.works() && bytes.Compare(s.worker.Session[:], after[:]) > 0 })
	return list[:min(len(list), limit)], len(list) > limit, nil
}

// DrainWorker is transport.Admin's.
func (c *cluster) DrainWorker(_ context.Context, name string) ([]member.Worker, error) {
	q := c.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	list := q.workers(func(s *session) bool { return s.worker.Is(name) })
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: no worker or session %q", task.ErrNotFound, name)
	}
	for i := range list {
		list[i].Draining = true
		s := q.sessions[list[i].Session]
		s.worker.Draining = true
		s.push(nil, true)
	}
	q.waiters = slices.DeleteFunc(q.waiters, func(w *waiter) bool {
		drained := q.draining(w.request.Session)
		if drained {
			w.answer <- nil
		}
		return drained
	})
	return list, nil
}
