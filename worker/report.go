package worker

import (
	"errors"
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

// report sends outcomes until the run ends: all that have gathered in one request, together with a claim for the places
// that they free.
func (r *run) report() {
	defer r.loops.Done()
	for {
		select {
		case <-r.toReport:
		case <-r.work.Done():
			return
		}
		for failures := 0; ; {
			batch, outcomes, next := r.gather()
			if len(batch) == 0 {
				break
			}
			receipts, tasks, err := r.w.c.Finish(r.work, outcomes, next)
			r.reported(batch, receipts, tasks, next != nil, err)
			if receipts != nil {
				failures = 0
				continue
			}
			if r.work.Err() != nil {
				return
			}
			if isFatal(err) {
				r.end(err)
			}
			if errors.Is(err, client.ErrClosed) {
				r.giveUp(batch)
				continue
			}
			failures++
			r.w.cfg.Logger.Warn("report outcomes", "count", len(batch), "error", err)
			pause(r.work, failures)
		}
	}
}

// gather takes the outcomes that are to be reported. They stay in finished until they are answered.
func (r *run) gather() (batch []*lease, outcomes []task.Outcome, next *task.ClaimRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	batch = append(batch, r.finished[:min(len(r.finished), task.MaxItems)]...)
	for _, l := range batch {
		outcomes = append(outcomes, *l.outcome)
	}
	if len(batch) > 0 && r.mayClaim() {
		r.reserved, r.claiming = r.free(), true
		next = r.request(r.reserved + len(batch))
		next.Wait = 0
	}
	return batch, outcomes, next
}

// giveUp forgets outcomes that cannot be reported any more.
func (r *run) giveUp(batch []*lease) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.finished = append(r.finished[:0], r.finished[len(batch):]...)
	r.unreported += len(batch)
	for _, l := range batch {
		r.forget(l)
	}
}

// reported takes the answer. With receipts, err is that of the claim.
func (r *run) reported(batch []*lease, receipts []task.Receipt, tasks []*task.Task, claimed bool, err error) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if receipts != nil {
		r.finished = append(r.finished[:0], r.finished[len(batch):]...)
		for i, l := range batch {
			if why := receipts[i].Err; why != nil {
				r.w.cfg.Logger.Warn("outcome refused", "task", l.task.ID, "lease", l.task.LeaseID, "error", why)
				if len(l.outcome.Submit) > 0 && !errors.Is(why, task.ErrStaleLease) && !errors.Is(why, task.ErrNotFound) {
					o := outcomeOf(l.ctx, l.task, nil, fmt.Errorf("submit with the result: %w", why))
					o.Kind = task.Failure // whatever became of the context since
					l.outcome = &o
					r.finished = append(r.finished, l)
					continue
				}
			}
			delete(r.leases, l.task.LeaseID)
		}
	}
	if claimed {
		r.reserved, r.claiming = 0, false
		if isUnsure(err) {
			r.unsure = true
			poke(r.toBeat)
		}
	}
	r.take(tasks, now)
	poke(r.toClaim)
	r.checkIdle()
}
