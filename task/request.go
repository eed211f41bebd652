package task

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// Validate checks the progress against its limits. The error wraps ErrInvalid or ErrTooLarge.
func (p *Progress) Validate() error {
	switch {
	case p.Percent > 100:
		return fmt.Errorf("%w: progress percent %d is above 100", ErrInvalid, p.Percent)
	case len(p.Message)+len(p.Cursor) > MaxProgress:
		return fmt.Errorf("%w: progress has %d bytes, at most %d are allowed", ErrTooLarge, len(p.Message)+len(p.Cursor),
			MaxProgress)
	case !utf8.ValidString(p.Message):
		return fmt.Errorf("%w: progress message is not UTF-8", ErrInvalid)
	}
	return nil
}

// Validate checks the heartbeat against its limits. The error wraps ErrInvalid or ErrTooLarge.
func (h *Heartbeat) Validate() error {
	switch {
	case h.Session.IsZero():
		return fmt.Errorf("%w: a heartbeat needs a session id in the Hello", ErrInvalid)
	case len(h.Leases) > MaxItems:
		return fmt.Errorf("%w: %d leases, at most %d are allowed", ErrTooLarge, len(h.Leases), MaxItems)
	}
	for i := range h.Leases {
		if h.Leases[i].LeaseID == 0 {
			return fmt.Errorf("%w: lease_id of task %s is missing", ErrInvalid, h.Leases[i].ID)
		}
		if err := h.Leases[i].Progress.Validate(); err != nil {
			return err
		}
	}
	return nil
}

// Validate checks the query against its limits. The error wraps ErrInvalid or ErrTooLarge.
func (q *Query) Validate() error {
	switch {
	case len(q.IDs) == 0:
		return fmt.Errorf("%w: a query needs at least one id", ErrInvalid)
	case len(q.IDs) > MaxItems:
		return fmt.Errorf("%w: %d ids, at most %d are allowed", ErrTooLarge, len(q.IDs), MaxItems)
	case q.Wait < 0 || q.Wait > MaxWait:
		return fmt.Errorf("%w: wait %s is not within 0 and %s", ErrInvalid, q.Wait, MaxWait)
	case q.Wait > 0 && len(q.IDs) > 1:
		return fmt.Errorf("%w: a query with wait takes one id, got %d", ErrInvalid, len(q.IDs))
	}
	return nil
}

// Validate checks the filter and fills in its defaults. The error wraps ErrInvalid or ErrTooLarge.
func (f *Filter) Validate() error {
	if f.Limit == 0 {
		f.Limit = DefaultListLimit
	}
	switch {
	case f.Status != 0 && !f.Status.Valid():
		return fmt.Errorf("%w: status %d is none of 1 to 6", ErrInvalid, uint8(f.Status))
	case f.Limit < 1 || f.Limit > MaxItems:
		return fmt.Errorf("%w: limit %d is not within 1 and %d", ErrInvalid, f.Limit, MaxItems)
	case f.MaxPriority != nil && *f.MaxPriority < f.MinPriority:
		return fmt.Errorf("%w: max_priority %d is below min_priority %d", ErrInvalid, *f.MaxPriority, f.MinPriority)
	case !f.ScheduledTo.IsZero() && !f.ScheduledFrom.Before(f.ScheduledTo):
		return fmt.Errorf("%w: scheduled_from %s is not before scheduled_to %s", ErrInvalid,
			f.ScheduledFrom.Format(time.RFC3339Nano), f.ScheduledTo.Format(time.RFC3339Nano))
	case f.DependsOn != ID{} && f.Order != OrderByID && f.Order != OrderByNewest:
		return fmt.Errorf("%w: depends_on goes with the orders id and newest, not with %s", ErrInvalid, f.Order)
	case len(f.Cursor) > MaxCursor:
		return fmt.Errorf("%w: cursor has %d bytes, at most %d are allowed", ErrTooLarge, len(f.Cursor), MaxCursor)
	}
	if err := f.Order.covers(f.Status); err != nil {
		return err
	}
	if err := validateIdle(f.Idle, f.UpdatedBefore); err != nil {
		return err
	}
	if err := validateErrorText(f.ErrorContains); err != nil {
		return err
	}
	return validateSelection(f.Queue, f.Type)
}

// Resolve replaces Idle by what it means now.
func (f *Filter) Resolve(now time.Time) {
	if f.Idle > 0 {
		f.UpdatedBefore, f.Idle = now.Add(-f.Idle).Truncate(time.Microsecond), 0
	}
}

// Validate checks the query. The error wraps ErrInvalid.
func (q *StatsQuery) Validate() error { return validateSelection(q.Queue, q.Type) }

// validateSelection checks the names that select tasks; empty ones select all.
func validateSelection(queue, typ string) error {
	if queue != "" {
		if err := ValidateName("queue", queue); err != nil {
			return err
		}
	}
	if typ != "" {
		return ValidateName("type", typ)
	}
	return nil
}
