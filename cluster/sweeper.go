package cluster

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/task"
)

// sweeperRest is how long the sweeper sleeps at most.
const sweeperRest = time.Minute

// sweep ends leases that expired, ran longer than their timeout or did not follow a cancel. It is the leader's duty.
func (l *leadership) sweep(ctx context.Context) {
	timer := time.NewTimer(sweeperRest)
	defer timer.Stop()
	for {
		now := time.Now()
		due, next := l.leases.over(now, task.MaxTouch)
		if len(due) > 0 {
			l.release(endedOf(due, now))
		}
		rest := sweeperRest
		if !next.IsZero() {
			rest = min(rest, time.Until(next))
		}
		timer.Reset(max(0, rest))
		select {
		case <-ctx.Done():
			return
		case <-l.leases.poke:
		case <-timer.C:
		}
	}
}

// endedOf says of each lease that is due why it ends. Chance for the jitter of a retry is drawn here, before the
// command is proposed.
func endedOf(due []*lease, now time.Time) []fsm.Ended {
	ended := make([]fsm.Ended, len(due))
	for i, d := range due {
		e := fsm.Ended{ID: d.id, LeaseID: d.leaseID, Kind: task.LeaseExpired, Crash: d.heard, Progress: d.progress}
		switch {
		case !d.cancelBy.IsZero() && !d.cancelBy.After(now):
			e.Kind, e.Crash = task.Revoked, false
		case !d.timeout.IsZero() && !d.timeout.After(now):
			e.Kind, e.Crash, e.Delay = task.TimedOut, false, d.backoff.Delay(d.attempt, rand.Float64())
		}
		ended[i] = e
	}
	return ended
}

// release proposes the end of leases, in commands of bounded size, and does not wait for it. A lease that the broker
// could not end because leadership is over is armed anew by the next leader.
func (l *leadership) release(ended []fsm.Ended) {
	for len(ended) > 0 {
		n := min(len(ended), task.MaxTouch)
		p, err := l.proposal(&fsm.Release{Ended: ended[:n]}, func(fsm.Result, error) {})
		if err != nil {
			l.log.Error("release leases", "error", err)
			return
		}
		l.proposer.add(p)
		ended = ended[n:]
	}
}
