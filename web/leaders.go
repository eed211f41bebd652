package web

import (
	"context"
	"sync"
	"time"
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
	changed chan struct{} // closed with the next change
}

func newLeaders(of Inspector) *leaders { return &leaders{of: of, changed: make(chan struct{})} }

// list returns the changes, oldest first, and a channel that is closed with the next one.
func (l *leaders) list() ([]LeaderChange, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]LeaderChange{}, l.changes...), l.changed
}

// watch notes changes until ctx ends.
func (l *leaders) watch(ctx context.Context) {
	last := "?"
	for {
		changed := l.of.LeaderChanged() // before Leader, so that no change is missed
		if address, _ := l.of.Leader(); address != last {
			last = address
			l.note(ctx, address)
		}
		select {
		case <-changed:
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
