package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// lease is one task of this worker, from the claim until its outcome is acknowledged or its loss is known. The run's mu
// guards its fields.
type lease struct {
	r        *run
	task     *task.Task
	ctx      context.Context // the handler's
	cancel   context.CancelCauseFunc
	expires  time.Time   // by our clock, if no heartbeat is confirmed
	clock    *time.Timer // ends the handler at expires
	timeout  *time.Timer // ends the handler after timeout_seconds; nil without
	progress task.Progress
	submit   []task.Spec   // what the handler wants submitted with its success
	outcome  *task.Outcome // once the handler has returned or was left behind
	lost     bool          // the broker said so: there is nothing to report
}

// take begins to work on claimed tasks, with mu held. got is when they came.
func (r *run) take(tasks []*task.Task, got time.Time) {
	for _, t := range tasks {
		for _, l := range r.leases {
			if l.task.ID == t.ID { // the broker gave it out anew, so it took the old lease away
				l.lose()
			}
		}
		l := &lease{r: r, task: t, expires: got.Add(t.LeaseDuration)}
		ctx, cancel := context.WithCancelCause(r.values)
		l.cancel = cancel
		l.ctx = context.WithValue(ctx, leaseKey{}, l)
		r.leases[t.LeaseID] = l
		h := r.w.handlerOf(t.Type)
		switch {
		case r.draining:
			r.settle(l, task.Outcome{ID: t.ID, LeaseID: t.LeaseID, Kind: task.Interrupted})
			continue
		case h == nil: // the broker sent what was not asked for
			r.settle(l, task.Outcome{
				ID: t.ID, LeaseID: t.LeaseID, Kind: task.Failure, Error: fmt.Sprintf("no handler for type %q", t.Type),
			})
			continue
		}
		l.clock = time.AfterFunc(time.Until(l.expires), l.expire)
		if t.TimeoutSeconds > 0 {
			limit := time.Duration(min(t.TimeoutSeconds, uint64(task.MaxTimeout/time.Second))) * time.Second
			l.timeout = time.AfterFunc(limit, func() { l.cancel(ErrTimeout) })
		}
		if r.rhythmOf(t.LeaseDuration) < r.rhythm { // a shorter lease than asked for, or the first
			poke(r.toBeat)
		}
		r.running++
		go l.work(h)
	}
}

// work runs the handler.
func (l *lease) work(h Handler) {
	var result []byte
	err := errors.New("the handler ended its goroutine") // unless call returns
	ctx, span := l.r.w.spans.Process(l.ctx, l.task)
	defer func() {
		o := outcomeOf(l.ctx, l.task, result, err)
		span.End(&o, failureOf(l.ctx, o.Kind))
		l.r.mu.Lock()
		defer l.r.mu.Unlock()
		if o.Kind == task.Success {
			o.Submit = l.submit
		}
		l.r.running--
		l.r.settle(l, o)
	}()
	result, err = h(ctx, l.task)
}

// settle takes the outcome of a lease, with mu held.
func (r *run) settle(l *lease, o task.Outcome) {
	l.cancel(context.Canceled)
	for _, t := range []*time.Timer{l.clock, l.timeout} {
		if t != nil {
			t.Stop()
		}
	}
	switch {
	case l.outcome != nil: // left behind at the shutdown, and reported already
	case l.lost:
		r.forget(l)
	default:
		l.outcome = &o
		r.finished = append(r.finished, l)
		poke(r.toReport)
	}
}

// forget frees the place of a lease, with mu held.
func (r *run) forget(l *lease) {
	delete(r.leases, l.task.LeaseID)
	poke(r.toClaim)
	r.checkIdle()
}

// expire ends the handler when nobody has confirmed the lease in time.
func (l *lease) expire() {
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	if rest := time.Until(l.expires); rest > 0 { // confirmed just now
		l.clock.Reset(rest)
		return
	}
	if l.outcome == nil {
		l.r.w.cfg.Logger.Warn("lease not confirmed in time", "task", l.task.ID, "lease", l.task.LeaseID)
		l.cancel(ErrLeaseLost)
	}
}

// confirm notes a heartbeat that was sent at a moment and renewed the lease, with mu held.
func (l *lease) confirm(sent time.Time) {
	l.expires = sent.Add(l.task.LeaseDuration)
	if l.outcome == nil {
		l.clock.Reset(time.Until(l.expires))
	}
}

// lose notes that the broker no longer counts the lease as ours, with mu held. If the handler has returned, the answer
// to its report will say what came of it.
func (l *lease) lose() {
	if l.outcome == nil && !l.lost {
		l.lost = true
		l.cancel(ErrLeaseLost)
	}
}

// poke wakes the one who waits on a channel with room for one signal.
func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
