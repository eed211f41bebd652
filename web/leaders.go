package web

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// keptLeaders bounds the changes of leadership that a node remembers.
const keptLeaders = 200

// LeaderChange is a change of leadership as this node learned of it.
type LeaderChange struct {
	At     time.Time `json:"at"`
	Term   uint64    `json:"term"`
	Leader string    `json:"leader" doc:"Name of the node that led from then on; empty for none"`
}

// leaders remembers who led, since this node started.
type leaders struct {
	of Inspector

	mu      sync.Mutex
	changes []LeaderChange
	changed chan struct{}   // closed with the next change
	led     context.Context // ends when no leader has been known for leaderTimeout; errLeaderless is its cause then
	lose    context.CancelCauseFunc
}

func newLeaders(of Inspector) *leaders {
	l := &leaders{of: of, changed: make(chan struct{})}
	l.led, l.lose = context.WithCancelCause(context.Background())
	return l
}

// errLeaderless says that waiting for a leader has been in vain.
var errLeaderless = fmt.Errorf("%w: this node has known of none for %s; /v1/cluster names the nodes that are missing", task.ErrNoLeader, leaderTimeout)

// need returns an error if no leader has been known for so long that waiting for one is vain. Else one that is to come
// soon is worth it.
func (l *leaders) need() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return context.Cause(l.led)
}

// within ends a context with errLeaderless once there is no leader: for what has no effect that would be left open.
func (l *leaders) within(ctx context.Context) (context.Context, context.CancelFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.led, func() { cancel(errLeaderless) })
	return ctx, func() { stop(); cancel(nil) }
}

// known notes that there is a leader, or has not been for leaderTimeout.
func (l *leaders) known(known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !known {
		l.lose(errLeaderless)
	} else if l.led.Err() != nil {
		l.led, l.lose = context.WithCancelCause(context.Background())
	}
}

// list returns the changes, oldest first, and a channel that is closed with the next one.
func (l *leaders) list() ([]LeaderChange, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]LeaderChange{}, l.changes...), l.changed
}

// watch notes changes until ctx ends.
func (l *leaders) watch(ctx context.Context) {
	last := "?"
	patience := time.NewTimer(leaderTimeout)
	defer patience.Stop()
	for {
		changed := l.of.LeaderChanged() // before Leader, so that no change is missed
		address, _ := l.of.Leader()
		if address != "" {
			patience.Stop()
			l.known(true)
		} else if last != "" {
			patience.Reset(leaderTimeout)
		}
		if address != last {
			last = address
			l.note(ctx, address)
		}
		select {
		case <-changed:
		case <-patience.C:
			l.known(false)
		case <-ctx.Done():
			return
		}
	}
}

func (l *leaders) note(ctx context.Context, address string) {
	c := LeaderChange{At: time.Now().UTC(), Leader: address} // its name comes with the answer that tells it
	if status, err := l.of.Status(ctx); err == nil {
		c.Term = status.Term
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changes = append(l.changes, c); len(l.changes) > keptLeaders {
		l.changes = append([]LeaderChange{}, l.changes[1:]...)
	}
	close(l.changed)
	l.changed = make(chan struct{})
}
