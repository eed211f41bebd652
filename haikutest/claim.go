package haikutest

import (
	"context"
	"slices"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// waiter is a claim that found nothing.
type waiter struct {
	request task.ClaimRequest
	answer  chan []*task.Task // one value, if it is served
}

// Claim is transport.Broker's.
func (q *queue) Claim(ctx context.Context, req task.ClaimRequest) ([]*task.Task, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	q.mu.Lock()
	q.claims(&req)
	tasks := q.take(&req)
	if len(tasks) > 0 || req.Wait == 0 {
		q.mu.Unlock()
		return tasks, nil
	}
	w := &waiter{request: req, answer: make(chan []*task.Task, 1)}
	q.waiters = append(q.waiters, w)
	q.mu.Unlock()
	over := time.NewTimer(req.Wait)
	defer over.Stop()
	select {
	case tasks := <-w.answer:
		return tasks, nil
	case <-over.C:
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiters = slices.DeleteFunc(q.waiters, func(o *waiter) bool { return o == w })
	select {
	case tasks = <-w.answer: // just now
	default:
	}
	if ctx.Err() == nil {
		return tasks, nil
	}
	for _, t := range tasks {
		q.release(t, task.LeaseUnheard, false)
	}
	q.settle()
	return nil, ctx.Err()
}

// serve gives ready tasks to the claims that wait, first come first served.
func (q *queue) serve() {
	q.waiters = slices.DeleteFunc(q.waiters, func(w *waiter) bool {
		tasks := q.take(&w.request)
		if len(tasks) > 0 {
			w.answer <- tasks
		}
		return len(tasks) > 0
	})
}

// take leases the first ready tasks that a claim asks for.
func (q *queue) take(req *task.ClaimRequest) []*task.Task {
	if q.paused || q.draining(req.Session) {
		return nil
	}
	var ready []*task.Task
	for _, id := range q.order {
		t := q.tasks[id]
		if t.Claimable() && slices.Contains(req.Queues, t.Queue) &&
			(len(req.Types) == 0 || slices.Contains(req.Types, t.Type)) {
			ready = append(ready, t)
		}
	}
	slices.SortFunc(ready, task.Compare)
	var taken []*task.Task
	size := 0
	for _, t := range ready {
		if !q.open(t) {
			continue
		}
		if size += len(t.Payload); len(taken) == req.Max || len(taken) > 0 && size > task.MaxClaimBytes {
			break
		}
		q.pass(t)
		taken = append(taken, q.grant(t.Clone(), req))
	}
	return taken
}

// grant leases a task.
func (q *queue) grant(t *task.Task, req *task.ClaimRequest) *task.Task {
	q.seq++
	t.Status, t.Attempt, t.LeaseID = task.InProgress, t.Attempt+1, q.seq
	t.WorkerID, t.Session = req.WorkerID, req.Session
	t.LeaseDuration, t.LeaseExpiresAt = req.Lease, q.now.Add(req.Lease)
	t.UpdatedAt = q.now
	t.Start(q.now)
	q.put(t)
	q.leases[t.ID] = &lease{progress: t.Progress}
	return t
}
