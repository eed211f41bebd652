package task

import (
	"fmt"
	"time"
)

// Backoff says how long a failed task waits before its next attempt. The zero value takes the defaults.
type Backoff struct {
	Initial       time.Duration // before the second attempt; DefaultBackoff.Initial if 0
	FactorPercent uint32        // growth a retry: 200 doubles; DefaultBackoff's if 0
	Max           time.Duration // never longer; DefaultBackoff.Max if 0
	JitterPercent uint32        // spread around the delay, 0 to 100
}

// DefaultBackoff waits 1 s, 2 s, 4 s and so on, up to 10 minutes, 10 % more or less.
var DefaultBackoff = Backoff{Initial: time.Second, FactorPercent: 200, Max: 10 * time.Minute, JitterPercent: 10}

// Validate checks the fields' ranges. The error wraps ErrInvalid.
func (b Backoff) Validate() error {
	switch {
	case b.Initial < 0 || b.Initial > MaxDelay:
		return fmt.Errorf("%w: backoff initial %s is not within 0 and %s", ErrInvalid, b.Initial, MaxDelay)
	case b.Max < 0 || b.Max > MaxDelay:
		return fmt.Errorf("%w: backoff max %s is not within 0 and %s", ErrInvalid, b.Max, MaxDelay)
	case b.FactorPercent != 0 && (b.FactorPercent < 100 || b.FactorPercent > 10000):
		return fmt.Errorf("%w: backoff factor_percent %d is not within 100 and 10000", ErrInvalid, b.FactorPercent)
	case b.JitterPercent > 100:
		return fmt.Errorf("%w: backoff jitter_percent %d is above 100", ErrInvalid, b.JitterPercent)
	}
	return nil
}

// IsZero reports whether no field was set.
func (b Backoff) IsZero() bool { return b == Backoff{} }

// Delay returns the wait after the given failed attempt (1 for the first). random, within [0, 1), places the delay in
// its jitter: chance is the caller's, so the result can be stored in a command.
func (b Backoff) Delay(attempt uint32, random float64) time.Duration {
	if b.IsZero() {
		b = DefaultBackoff
	}
	if b.Initial == 0 {
		b.Initial = DefaultBackoff.Initial
	}
	if b.FactorPercent == 0 {
		b.FactorPercent = DefaultBackoff.FactorPercent
	}
	if b.Max == 0 {
		b.Max = max(DefaultBackoff.Max, b.Initial)
	}
	longest := float64(b.Max)
	d := min(float64(b.Initial), longest)
	if b.FactorPercent > 100 {
		for i := uint32(1); i < attempt && d < longest; i++ {
			d = min(d*float64(b.FactorPercent)/100, longest)
		}
	}
	d += d * float64(b.JitterPercent) / 100 * (2*random - 1)
	return min(time.Duration(max(d, 0)), b.Max) // longest may be a few nanoseconds above Max: floats of this size are coarse
}
