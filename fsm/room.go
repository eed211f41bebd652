package fsm

import (
	"time"

	"github.com/haiku-queue/haiku/store"
)

// Room returns how many tasks of a pair, or of a whole queue if the type is empty, the settings of queues let be claimed
// at a moment of leader time. If a rate allows none, next is when it allows the next, else it is zero. It is what a
// leader wakes claims by, from memory; a Claim decides for itself.
func (f *FSM) Room(p store.Pair, now time.Time) (n int64, next time.Time) {
	g := f.gate.Load()
	if g == nil {
		return 0, next
	}
	g.mu.RLock()
	defer g.mu.RUnlock()
	n, us := g.room(p, f.store.Occupancy, now.UnixMicro())
	if us != 0 {
		next = time.UnixMicro(us).UTC()
	}
	return n, next
}

// Gated reports whether any queue has settings.
func (f *FSM) Gated() bool {
	g := f.gate.Load()
	if g == nil {
		return false
	}
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.settings) > 0
}
