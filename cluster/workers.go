package cluster

import (
	"context"
	"fmt"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// Workers lists up to limit of the sessions that claim tasks, in the order of their ids from the one after after on, and
// says whether there are more. A new leader lists those that have claimed or sent a heartbeat since.
func (n *Node) Workers(_ context.Context, after task.SessionID, limit int) ([]member.Worker, bool, error) {
	if err := checkCount("workers", limit); err != nil {
		return nil, false, err
	}
	l, err := n.leading()
	if err != nil {
		return nil, false, err
	}
	workers, more := n.sessions.list(after, limit)
	return l.leases.count(workers), more, nil
}

// DrainWorker asks workers to claim nothing more and to end: the one of a session, or all that claim under a name. They
// get nothing more from this leader, whatever they do. It is not replicated: a worker that was told ends by itself, and
// one that was not, because leadership or its connection were lost at that moment, is listed as not draining and can be
// asked again.
func (n *Node) DrainWorker(_ context.Context, name string) ([]member.Worker, error) {
	l, err := n.leading()
	if err != nil {
		return nil, err
	}
	workers := n.sessions.drain(name)
	if len(workers) == 0 {
		return nil, fmt.Errorf("%w: no worker or session %q", task.ErrNotFound, name)
	}
	for i := range workers {
		l.waiters.dismiss(workers[i].Session)
	}
	n.log.Info("workers were asked to end", "name", name, "count", len(workers))
	return l.leases.count(workers), nil
}

// count fills in how many leases each worker has.
func (ls *leases) count(workers []member.Worker) []member.Worker {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for i := range workers {
		workers[i].Leases = uint32(len(ls.bySession[workers[i].Session]))
	}
	return workers
}

// worker is the name under which a session holds one of its leases; empty for none.
func (ls *leases) worker(id task.SessionID) string {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, l := range ls.bySession[id] {
		return l.worker
	}
	return ""
}

// dismiss ends the waiting claims of a session without a task. One whose try is under way ends with it.
func (ws *waiters) dismiss(id task.SessionID) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	var idle []*waiter
	for _, line := range ws.lines {
		for _, w := range line {
			switch {
			case w.request.Session != id:
			case w.trying:
				w.leaving = true
			default:
				idle = append(idle, w)
			}
		}
	}
	for _, w := range idle {
		if !w.gone { // it may stand in several lines
			ws.remove(w)
			w.answer <- claimed{}
		}
	}
}
