package task

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Action is what an operation does to tasks. The numbers are on disk and on the wire: they are never reused.
type Action uint8

// The actions.
const (
	ActionRetry  Action = 1 // run again: dead letters, cancelled tasks, those that wait for a retry
	ActionCancel Action = 2 // waiting ones at once, running ones by asking their worker
	ActionDelete Action = 3 // all but running ones
)

var actionNames = [...]string{ActionRetry: "retry", ActionCancel: "cancel", ActionDelete: "delete"}

// Valid reports whether a is one of the actions.
func (a Action) Valid() bool { return a >= ActionRetry && a <= ActionDelete }

func (a Action) String() string {
	if a.Valid() {
		return actionNames[a]
	}
	return fmt.Sprintf("action(%d)", uint8(a))
}

// MarshalText gives the action's name.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Changes lists the statuses that the action can change.
func (a Action) Changes() []Status {
	var out []Status
	for _, s := range Statuses {
		if a.changes(s) {
			out = append(out, s)
		}
	}
	return out
}

func (a Action) changes(s Status) bool {
	switch a {
	case ActionRetry:
		return s.CanRetry()
	case ActionCancel:
		return !s.IsTerminal()
	}
	return s != InProgress
}

// Selection says which tasks an operation changes. Zero fields select all.
type Selection struct {
	Queue         string    `json:"queue,omitempty"`
	Type          string    `json:"task_type,omitempty"`
	Statuses      []Status  `json:"statuses"` // none: all that the action can change
	MinPriority   Priority  `json:"min_priority,omitempty"`
	MaxPriority   *Priority `json:"max_priority,omitempty"`   // inclusive; 255 if nil
	UpdatedBefore time.Time `json:"updated_before,omitzero"`  // has not changed since
	ErrorContains string    `json:"error_contains,omitempty"` // in the text of Task.Error
	// Idle says UpdatedBefore as a time before the request, by the leader's clock.
	Idle time.Duration `json:"-"`
}

// Resolve replaces Idle by what it means now.
func (s *Selection) Resolve(now time.Time) {
	if s.Idle > 0 {
		s.UpdatedBefore, s.Idle = now.Add(-s.Idle).Truncate(time.Microsecond), 0
	}
}

// Matches reports whether t is selected.
func (s *Selection) Matches(t *Task) bool {
	return (len(s.Statuses) == 0 || slices.Contains(s.Statuses, t.Status)) && (s.Queue == "" || s.Queue == t.Queue) &&
		(s.Type == "" || s.Type == t.Type) && t.Priority >= s.MinPriority &&
		(s.MaxPriority == nil || t.Priority <= *s.MaxPriority) &&
		(s.UpdatedBefore.IsZero() || t.UpdatedAt.Before(s.UpdatedBefore)) && strings.Contains(t.Error, s.ErrorContains)
}

// OperationState is how far an operation is. The numbers are on disk and on the wire: they are never reused.
type OperationState uint8

// The states. A dry run has none.
const (
	OperationRunning   OperationState = 1
	OperationDone      OperationState = 2
	OperationCancelled OperationState = 3
)

var operationStateNames = [...]string{"dry_run", "running", "done", "cancelled"}

// Valid reports whether s is one of the states.
func (s OperationState) Valid() bool { return s >= OperationRunning && s <= OperationCancelled }

func (s OperationState) String() string {
	if int(s) < len(operationStateNames) {
		return operationStateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// MarshalText gives the state's name.
func (s OperationState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Bounds of operations.
const (
	MaxRunningOperations = 16      // at once
	KeptOperations       = 100     // that have ended
	MaxRate              = 1 << 20 // tasks a second
	MaxDryRun            = 10_000  // tasks that one request of a dry run counts
)

// OperationOrder is what a client wants an operation to do.
type OperationOrder struct {
	ID        ID        `json:"id"` // made by the client like that of a task: ordered twice, it is one operation
	Action    Action    `json:"action"`
	Selection Selection `json:"selection"`
	Rate      uint32    `json:"rate,omitempty"` // at most so many tasks a second; 0 for no limit
}

// Operation changes all tasks of a selection, in bounded steps, in the order of their ids: each once.
type Operation struct {
	OperationOrder
	State     OperationState `json:"state"`
	Cursor    ID             `json:"-"`               // the task looked at last
	Examined  uint64         `json:"examined"`        // tasks looked at so far
	Changed   uint64         `json:"changed"`         // of them; in a dry run those that would be
	Failed    uint64         `json:"failed"`          // selected, but refused
	Error     string         `json:"error,omitempty"` // of the task that was refused last
	StartedAt time.Time      `json:"started_at,omitzero"`
	EndedAt   time.Time      `json:"ended_at,omitzero"`
}

// maxOperationError bounds the text of an operation's error, in bytes.
const maxOperationError = 512

// Refused counts a task that the operation could not change.
func (o *Operation) Refused(err error) {
	o.Failed++
	o.Error = ClipText(err.Error(), maxOperationError)
}

// Validate checks the order and fills in its statuses. The error wraps ErrInvalid or ErrTooLarge.
func (o *OperationOrder) Validate() error {
	s := &o.Selection
	if err := o.ID.Validate(); err != nil {
		return fmt.Errorf("operation: %w", err)
	}
	switch {
	case !o.Action.Valid():
		return fmt.Errorf("%w: action %d; allowed are 1 retry, 2 cancel, 3 delete", ErrInvalid, uint8(o.Action))
	case o.Rate > MaxRate:
		return fmt.Errorf("%w: rate %d is not within 0 and %d", ErrInvalid, o.Rate, MaxRate)
	case s.MaxPriority != nil && *s.MaxPriority < s.MinPriority:
		return fmt.Errorf("%w: max_priority %d is below min_priority %d", ErrInvalid, *s.MaxPriority, s.MinPriority)
	}
	if len(s.Statuses) == 0 {
		s.Statuses = o.Action.Changes()
	}
	for i, status := range s.Statuses {
		switch {
		case !status.Valid():
			return fmt.Errorf("%w: status %d is none of 1 to 6", ErrInvalid, uint8(status))
		case slices.Contains(s.Statuses[:i], status):
			return fmt.Errorf("%w: status %s stands twice", ErrInvalid, status)
		case !o.Action.changes(status):
			return fmt.Errorf("%w: %s changes no task that is %s; allowed are %s", ErrInvalid, o.Action, status,
				strings.Join(statusTexts(o.Action.Changes()), ", "))
		}
	}
	if err := validateIdle(s.Idle, s.UpdatedBefore); err != nil {
		return err
	}
	if err := validateErrorText(s.ErrorContains); err != nil {
		return err
	}
	return validateSelection(s.Queue, s.Type)
}

// validateIdle checks a time that tasks have not changed for, and that no moment stands beside it.
func validateIdle(idle time.Duration, before time.Time) error {
	switch {
	case idle < 0 || idle > MaxDelay:
		return fmt.Errorf("%w: idle %s is not within 0 and %s", ErrInvalid, idle, MaxDelay)
	case idle > 0 && !before.IsZero():
		return fmt.Errorf("%w: idle and updated_before exclude each other", ErrInvalid)
	}
	return nil
}

// validateErrorText checks the text that the errors of tasks are to contain.
func validateErrorText(text string) error {
	switch {
	case len(text) > MaxErrorContains:
		return fmt.Errorf("%w: error_contains has %d bytes, at most %d are allowed", ErrTooLarge, len(text), MaxErrorContains)
	case !utf8.ValidString(text):
		return fmt.Errorf("%w: error_contains is not UTF-8", ErrInvalid)
	}
	return nil
}

func statusTexts(list []Status) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = s.String()
	}
	return out
}
