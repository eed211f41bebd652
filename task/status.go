package task

import (
	"fmt"
	"strings"
)

// Status is the stored state of a task. The numbers are on disk and on the wire: they are never reused.
type Status uint8

// The statuses. Scheduled, blocked and ready are sub-states of Pending (see Phase).
const (
	Pending    Status = 1 // waits to be claimed
	InProgress Status = 2 // leased to a worker
	Completed  Status = 3 // ended with success
	Failed     Status = 4 // an attempt failed; waits for its retry
	DeadLetter Status = 5 // ended without success, kept with a reason
	Cancelled  Status = 6 // ended on request, or with its parent
)

// Statuses lists every status in the order of its number.
var Statuses = [...]Status{Pending, InProgress, Completed, Failed, DeadLetter, Cancelled}

var statusNames = [...]string{Pending: "pending", InProgress: "in_progress", Completed: "completed", Failed: "failed",
	DeadLetter: "dead_letter", Cancelled: "cancelled"}

// Valid reports whether s is one of Statuses.
func (s Status) Valid() bool { return s >= Pending && s <= Cancelled }

// IsTerminal reports whether the task has ended: nothing but a retry asked for by a person changes it.
func (s Status) IsTerminal() bool { return s == Completed || s == DeadLetter || s == Cancelled }

// CanRetry reports whether a task in this status may be put back to Pending.
func (s Status) CanRetry() bool { return s == Failed || s == DeadLetter || s == Cancelled }

func (s Status) String() string {
	if s.Valid() {
		return statusNames[s]
	}
	return fmt.Sprintf("status(%d)", uint8(s))
}

// ParseStatus reads a status by its name. The error wraps ErrInvalid and lists the names.
func ParseStatus(name string) (Status, error) {
	for _, s := range Statuses {
		if statusNames[s] == name {
			return s, nil
		}
	}
	return 0, fmt.Errorf("%w: unknown status %q; allowed are %s", ErrInvalid, clip(name),
		strings.Join(statusNames[Pending:], ", "))
}

// MarshalText gives the status's name.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the status's name.
func (s *Status) UnmarshalText(b []byte) (err error) {
	*s, err = ParseStatus(string(b))
	return err
}

// Event is something that happens to a task and may move it to another status.
type Event uint8

// The events.
const (
	EventClaim    Event = 1 // a worker takes it
	EventComplete Event = 2 // the worker reports success
	EventFail     Event = 3 // the worker reports an error and a retry is left
	EventBury     Event = 4 // it goes to the dead letters
	EventRelease  Event = 5 // the lease ends without outcome: expired, interrupted, requeued
	EventDue      Event = 6 // its retry's time has come
	EventCancel   Event = 7 // it is cancelled
	EventRetry    Event = 8 // a person asks for another run
)

// Events lists every event in the order of its number.
var Events = [...]Event{EventClaim, EventComplete, EventFail, EventBury, EventRelease, EventDue, EventCancel,
	EventRetry}

// Next returns the status that a task in status s has after event e. It is total: where the event is not allowed it
// returns s itself and an error that wraps ErrTransition.
func Next(s Status, e Event) (Status, error) {
	switch {
	case s == Pending && e == EventClaim:
		return InProgress, nil
	case s == InProgress && e == EventComplete:
		return Completed, nil
	case s == InProgress && e == EventFail:
		return Failed, nil
	case e == EventBury && (s == Pending || s == InProgress || s == Failed):
		return DeadLetter, nil
	case s == InProgress && e == EventRelease:
		return Pending, nil
	case s == Failed && e == EventDue:
		return Pending, nil
	case e == EventCancel && (s == Pending || s == InProgress || s == Failed):
		return Cancelled, nil
	case e == EventRetry && s.CanRetry():
		return Pending, nil
	}
	return s, fmt.Errorf("%w: event %d in status %s", ErrTransition, e, s)
}
