package task

import (
	"fmt"
	"time"
)

// CanExpire reports whether t becomes a dead letter at ExpiresAt: it waits and was never handed to a worker.
func (t *Task) CanExpire() bool {
	return t.Status == Pending && t.StartedAt.IsZero() && !t.ExpiresAt.IsZero()
}

// Overdue reports whether t should have become a dead letter by now.
func (t *Task) Overdue(now time.Time) bool { return t.CanExpire() && !t.ExpiresAt.After(now) }

// Start notes that an attempt starts.
func (t *Task) Start(now time.Time) { t.PriorStart, t.StartedAt = t.StartedAt, now }

// ForgetStart takes back the start of an attempt whose task never reached its worker. The history would not do: the
// attempts in it may have run with content that was replaced, and then do not count.
func (t *Task) ForgetStart() { t.StartedAt = t.PriorStart }

func (s *Spec) validateExpiry() error {
	switch {
	case s.ExpiresIn < 0 || s.ExpiresIn > MaxDelay:
		return fmt.Errorf("%w: expires_in %s is not within 0 and %s", ErrInvalid, s.ExpiresIn, MaxDelay)
	case s.ExpiresIn > 0 && !s.ExpiresAt.IsZero():
		return fmt.Errorf("%w: expires_in and expires_at exclude each other", ErrInvalid)
	case s.ExpiresIn > 0 && s.ExpiresIn <= s.Delay:
		return fmt.Errorf("%w: expires_in %s is not after the delay of %s", ErrInvalid, s.ExpiresIn, s.Delay)
	case !s.ExpiresAt.IsZero() && !s.ScheduledAt.IsZero() && !s.ExpiresAt.After(s.ScheduledAt):
		return fmt.Errorf("%w: expires_at is not after scheduled_at", ErrInvalid)
	}
	return nil
}
