package task

import (
	"bytes"
	"cmp"
)

// Priority orders tasks: 0 to 255, higher is more urgent.
type Priority uint8

// DefaultPriority is what a task has whose client named none.
const DefaultPriority Priority = 100

// Tier is the coarse class of a priority.
type Tier uint8

// The tiers: Low 0-99, Normal 100-199, High 200-255.
const (
	Low    Tier = 0
	Normal Tier = 1
	High   Tier = 2
)

// Tier returns the class that p falls in.
func (p Priority) Tier() Tier { return min(Tier(p/100), High) }

// Compare returns -1, 0 or 1 as t is less urgent than, as urgent as, or more urgent than o.
func (t Tier) Compare(o Tier) int { return cmp.Compare(t, o) }

func (t Tier) String() string {
	switch t {
	case Low:
		return "low"
	case Normal:
		return "normal"
	}
	return "high"
}

// Compare orders two tasks of one queue and type as claims take them: higher priority first, then earlier scheduled, then
// submitted first. Behind those of strict order come those that age, by their scheduled time less priority times Aging.
// It returns -1 when a comes first.
func Compare(a, b *Task) int {
	return cmp.Or(
		cmp.Compare(min(a.Aging, 1), min(b.Aging, 1)),
		cmp.Compare(a.order(), b.order()),
		a.ScheduledAt.Compare(b.ScheduledAt),
		cmp.Compare(a.Seq, b.Seq),
		bytes.Compare(a.ID[:], b.ID[:]),
	)
}

func (t *Task) order() int64 {
	if t.Aging == 0 {
		return -int64(t.Priority)
	}
	return t.ScheduledAt.UnixMicro() - int64(t.Priority)*t.Aging.Microseconds()
}
