package cluster

import (
	"context"
	"time"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/store"
)

const (
	reaperRest = time.Second // between two looks at the index that find nothing
	reaperStep = 200         // tasks one command deletes: claims wait behind it for a few milliseconds
)

// reap deletes ended tasks whose retention is over, and forgets removed ones once the dedup window no longer covers
// their ids. It is the leader's duty. One command is under way at a time, and after each it rests for as long as that
// took, so that a million tasks due at once leave clients at least half of the log and of the database.
func (l *leadership) reap(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		timer.Reset(l.reapOnce(ctx))
	}
}

// reapOnce proposes one command if something is due, and returns how long to rest.
func (l *leadership) reapOnce(ctx context.Context) (rest time.Duration) {
	due, err := l.reapable()
	if err != nil {
		l.log.Error("look for tasks to delete", "error", err)
	}
	if !due {
		return reaperRest
	}
	began := time.Now()
	r, err := l.do(ctx, &fsm.Reap{Max: reaperStep, DedupWindow: l.dedup})
	if err != nil || r.Count == 0 { // what is due has to wait, as for its dependants to be told
		return reaperRest
	}
	return time.Since(began)
}

// reapable reports whether a Reap would find something.
func (l *leadership) reapable() (bool, error) {
	now := l.clock.Now()
	for _, look := range [...]struct {
		kind  store.ScheduleKind
		until time.Time
	}{{store.RetentionKind, now}, {store.TombstoneKind, now.Add(-l.dedup)}} {
		us, ok, err := l.store.NextDue(look.kind)
		if err != nil {
			return false, err
		}
		if ok && us < look.until.UnixMicro() {
			return true, nil
		}
	}
	return false, nil
}
