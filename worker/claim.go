package worker

import (
	"errors"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// claim fills free places with waiting claims, one at a time, until the worker drains.
func (r *run) claim() {
	defer r.loops.Done()
	failures := 0
	for {
		n := r.reserve()
		if n == 0 {
			select {
			case <-r.toClaim:
				continue
			case <-r.claims.Done():
				return
			}
		}
		begin := time.Now()
		req := r.request(n)
		tasks, err := r.w.c.Claim(r.claims, *req)
		r.claimed(tasks, err)
		switch {
		case r.claims.Err() != nil:
			return
		case err != nil:
			failures++
			if isFatal(err) {
				r.end(err)
				return
			}
			if !errors.Is(err, task.ErrUnknownOutcome) { // that waits for a heartbeat anyway
				r.w.cfg.Logger.Warn("claim", "error", err)
				pause(r.claims, failures)
			}
		case len(tasks) == 0 && time.Since(begin) < req.Wait/2:
			failures++
			pause(r.claims, failures)
		default:
			failures = 0
		}
	}
}

// reserve begins a claim for all free places; 0 if there is none or a claim may not be made now.
func (r *run) reserve() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.mayClaim() {
		return 0
	}
	n := r.free()
	r.reserved, r.claiming = n, n > 0
	return n
}

// claimed ends a claim.
func (r *run) claimed(tasks []*task.Task, err error) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reserved, r.claiming = 0, false
	if isUnsure(err) {
		r.unsure = true
		poke(r.toBeat)
	}
	r.take(tasks, now)
	poke(r.toClaim)
	r.checkIdle()
}
