package cluster

import (
	"context"
	"time"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

const (
	promoterRest  = time.Minute // at most this long without a look at the index
	promoterRetry = time.Second
	promoterStep  = 10 * time.Millisecond // at least this long between two promotions that found nothing
)

// alarm wakes the promoter at the earliest of the moments it was told of.
type alarm struct{ at chan time.Time }

func newAlarm() *alarm { return &alarm{at: make(chan time.Time, 1)} }

// tell notes that a task is due at the given leader time. It never blocks.
func (a *alarm) tell(at time.Time) {
	for {
		select {
		case a.at <- at:
			return
		case other := <-a.at:
			if other.Before(at) {
				at = other
			}
		}
	}
}

// promote moves tasks whose time has come into the ready order. It is the leader's duty.
func (l *leadership) promote(ctx context.Context) {
	next := l.clock.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(min(promoterRest, max(0, next.Sub(l.clock.Now()))))
		select {
		case <-ctx.Done():
			return
		case at := <-l.due.at:
			if at.Before(next) {
				next = at
			}
			continue
		case <-timer.C:
		}
		r, err := l.do(ctx, &fsm.Promote{Max: task.MaxTouch})
		next = l.clock.Now()
		if err != nil { // refused because the leader is busy, or its time is over
			next = next.Add(promoterRetry)
			continue
		}
		if r.More {
			continue
		}
		at, ok, err := l.nextDue()
		switch {
		case err != nil:
			l.log.Error("look for due tasks", "error", err)
			next = next.Add(time.Second)
		case !ok:
			next = next.Add(promoterRest)
		default:
			next = later(at, next.Add(promoterStep))
		}
	}
}

// nextDue returns the leader time at which the next task is due.
func (l *leadership) nextDue() (next time.Time, ok bool, err error) {
	for _, kind := range []store.ScheduleKind{store.DueKind, store.RetryKind} {
		us, found, err := l.store.NextDue(kind)
		if err != nil {
			return next, false, err
		}
		if at := time.UnixMicro(us); found && (!ok || at.Before(next)) {
			next, ok = at, true
		}
	}
	return next, ok, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
