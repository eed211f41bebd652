package cluster

import (
	"context"
	"sync"
	"time"
)

// throttleStep is the least time between two looks at the queues that wait for their rates: what a fast rate allows in
// between is handed out together.
const throttleStep = time.Millisecond

// throttle remembers the queues with claims that wait because a rate is used up, and when each rate allows the next task.
type throttle struct {
	mu      sync.Mutex
	due     map[string]time.Time // by queue, in leader time
	changed chan struct{}
}

func newThrottle() *throttle {
	return &throttle{due: make(map[string]time.Time), changed: make(chan struct{}, 1)}
}

// tell notes that a rate of a queue allows a task at the given leader time. It never blocks.
func (t *throttle) tell(queue string, at time.Time) {
	t.mu.Lock()
	known, ok := t.due[queue]
	sooner := !ok || at.Before(known)
	if sooner {
		t.due[queue] = at
	}
	t.mu.Unlock()
	if sooner {
		poke(t.changed)
	}
}

// take removes the queues that are due.
func (t *throttle) take(now time.Time) (due []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for queue, at := range t.due {
		if !at.After(now) {
			due = append(due, queue)
			delete(t.due, queue)
		}
	}
	return due
}

// next returns when the first queue is due; ok is false if none waits.
func (t *throttle) next() (first time.Time, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, at := range t.due {
		if !ok || at.Before(first) {
			first, ok = at, true
		}
	}
	return first, ok
}

// pace wakes the claims that wait for a rate when it allows a task. It is the leader's duty.
func (l *leadership) pace(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.throttle.changed:
		case <-timer.C:
			for _, queue := range l.throttle.take(l.clock.Now()) {
				l.wakeQueue(queue, nil)
			}
		}
		if next, ok := l.throttle.next(); ok {
			timer.Reset(max(throttleStep, next.Sub(l.clock.Now())))
		}
	}
}
