package task

import (
	"fmt"
	"time"
)

// KeepForever as a duration of Retention: such tasks are never deleted.
const KeepForever = -time.Microsecond

// MaxRetentions bounds the types that have a retention of their own.
const MaxRetentions = 1000

// Retention says how long tasks of a type are kept after their end. 0 is not set: then the setting of the empty type
// counts, which stands for all types, and where that is not set either, DefaultRetention. A task's own retention goes
// before all of them.
type Retention struct {
	Type                             string
	Completed, DeadLetter, Cancelled time.Duration
}

// DefaultRetention is what counts where nothing is set.
func DefaultRetention() Retention {
	const day = 24 * time.Hour
	return Retention{Completed: day, DeadLetter: 7 * day, Cancelled: 7 * day}
}

// RetentionsTag is the same for the same settings, in any order.
func RetentionsTag(list []Retention) string {
	var set []string
	for _, r := range list {
		if !r.IsUnset() {
			set = append(set, fmt.Sprintf("%q %d %d %d", r.Type, r.Completed, r.DeadLetter, r.Cancelled))
		}
	}
	return tagOf(set)
}

// Of returns the duration for a terminal status.
func (r *Retention) Of(s Status) time.Duration {
	switch s {
	case Completed:
		return r.Completed
	case DeadLetter:
		return r.DeadLetter
	}
	return r.Cancelled
}

// IsUnset reports whether nothing is set.
func (r *Retention) IsUnset() bool { return r.Completed == 0 && r.DeadLetter == 0 && r.Cancelled == 0 }

// Validate reports the first rule that is broken. The error wraps ErrInvalid.
func (r *Retention) Validate() error {
	if r.Type != "" {
		if err := ValidateName("type", r.Type); err != nil {
			return err
		}
	}
	for _, s := range [...]Status{Completed, DeadLetter, Cancelled} {
		if d := r.Of(s); d != KeepForever && (d < 0 || d > MaxDelay) {
			return fmt.Errorf("%w: retention %s of %s tasks is neither for ever nor within 0 and %s", ErrInvalid, d, s, MaxDelay)
		}
	}
	return nil
}
