package cluster

import (
	"context"
	"time"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/store"
)

const (
	timeRest  = time.Minute // at most this long without a look at the index
	timeRetry = time.Second
	timeStep  = 10 * time.Millisecond // at least this long between two commands that found nothing
)

// alarm wakes a duty at the earliest of the moments it was told of.
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

// watchTime proposes a command whenever tasks of the kinds are due, until ctx ends.
func (l *leadership) watchTime(ctx context.Context, a *alarm, c fsm.Command, kinds ...store.ScheduleKind) {
	next := l.clock.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(min(timeRest, max(0, next.Sub(l.clock.Now()))))
		select {
		case <-ctx.Done():
			return
		case at := <-a.at:
			if at.Before(next) {
				next = at
			}
			continue
		case <-timer.C:
		}
		now := l.clock.Now()
		at, due, err := l.nextDue(kinds)
		switch {
		case err != nil:
			l.log.Error("look for due tasks", "error", err)
			next = now.Add(timeRetry)
			continue
		case !due:
			next = now.Add(timeRest)
			continue
		case at.After(now):
			next = at
			continue
		}
		r, err := l.do(ctx, c)
		next = l.clock.Now()
		switch {
		case err != nil: // refused because the leader is busy, or its time is over
			next = next.Add(timeRetry)
		case !r.More:
			next = next.Add(timeStep)
		}
	}
}

// nextDue returns the leader time at which the next task of the kinds is due.
func (l *leadership) nextDue(kinds []store.ScheduleKind) (next time.Time, ok bool, err error) {
	for _, kind := range kinds {
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
