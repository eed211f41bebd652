package cluster

import (
	"context"
	"time"

	"github.com/haiku-queue/haiku/fsm"
)

const stepperRetry = time.Second

// step goes on with work that commands left because it was too much for one of them, until none is left, whenever it
// is poked. It is the leader's duty.
func (l *leadership) step(ctx context.Context) {
	retry := time.NewTimer(stepperRetry)
	defer retry.Stop()
	for {
		more, err := fsm.HasWork(l.store)
		if err != nil {
			l.log.Error("look for work left", "error", err)
		}
		for more {
			r, err := l.do(ctx, &fsm.Step{})
			if err != nil { // refused because the leader is busy, or its time is over
				retry.Reset(stepperRetry)
				break
			}
			more = r.More
		}
		select {
		case <-ctx.Done():
			return
		case <-l.work:
		case <-retry.C:
		}
	}
}

// poke sends to a channel of capacity one unless it is full.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
