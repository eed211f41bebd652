package task

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// UniqueScope says how long a task holds its unique key. The scope is part of the key: tasks of the same queue, type and
// key but of different scopes know nothing of each other. The numbers are on disk and on the wire.
type UniqueScope uint8

// The scopes. Zero was not sent and means UniqueUntilDone.
const (
	UniqueUntilDone UniqueScope = 1 // until the task ends, however it does
	UniquePending   UniqueScope = 2 // until it is handed to a worker, or ends before
	UniqueTTL       UniqueScope = 3 // for UniqueTTL from the submit, whatever becomes of the task, unless it is deleted
)

var scopeNames = []string{"", "until_done", "pending", "ttl"}

func (s UniqueScope) String() string { return enumName("scope", scopeNames, uint8(s)) }

// ParseUniqueScope reads a scope by its name; empty is the zero scope. The error wraps ErrInvalid.
func ParseUniqueScope(name string) (UniqueScope, error) {
	n, err := parseEnum("unique scope", scopeNames, name)
	return UniqueScope(n), err
}

// MarshalText gives the scope's name.
func (s UniqueScope) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the scope's name.
func (s *UniqueScope) UnmarshalText(b []byte) (err error) {
	*s, err = ParseUniqueScope(string(b))
	return err
}

// ConflictPolicy says what a submit does whose unique key another task holds. The numbers are on the wire.
type ConflictPolicy uint8

// The policies. The zero value is ConflictReturn.
const (
	ConflictReturn   ConflictPolicy = 0 // it is answered with the other task, which stays as it is
	ConflictReject   ConflictPolicy = 1 // it is refused
	ConflictReplace  ConflictPolicy = 2 // the other one takes what was sent, while it waits; else it is refused
	ConflictDebounce ConflictPolicy = 3 // the other one takes payload and time, while it waits; else it is refused
)

var conflictNames = []string{"return_existing", "reject", "replace", "debounce"}

func (p ConflictPolicy) String() string { return enumName("policy", conflictNames, uint8(p)) }

// ParseConflictPolicy reads a policy by its name; empty is ConflictReturn. The error wraps ErrInvalid.
func ParseConflictPolicy(name string) (ConflictPolicy, error) {
	if name == "" {
		return ConflictReturn, nil
	}
	n, err := parseEnum("conflict policy", conflictNames, name)
	return ConflictPolicy(n), err
}

// MarshalText gives the policy's name.
func (p ConflictPolicy) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the policy's name.
func (p *ConflictPolicy) UnmarshalText(b []byte) (err error) {
	*p, err = ParseConflictPolicy(string(b))
	return err
}

// changes reports whether the other task takes something of what is sent.
func (p ConflictPolicy) changes() bool { return p == ConflictReplace || p == ConflictDebounce }

func enumName(what string, names []string, n uint8) string {
	if int(n) < len(names) {
		return names[n]
	}
	return fmt.Sprintf("%s(%d)", what, n)
}

func parseEnum(what string, names []string, name string) (int, error) {
	if n := slices.Index(names, name); n >= 0 {
		return n, nil
	}
	allowed := strings.TrimPrefix(strings.Join(names, ", "), ", ")
	return 0, fmt.Errorf("%w: unknown %s %q; allowed are %s", ErrInvalid, what, clip(name), allowed)
}

func (s *Spec) validateUnique() error {
	switch {
	case s.UniqueKey == "" && (s.UniqueScope != 0 || s.UniqueTTL != 0 || s.OnConflict != 0):
		return fmt.Errorf("%w: unique_key is empty; 1 to %d bytes are allowed", ErrInvalid, MaxUniqueKey)
	case len(s.UniqueKey) > MaxUniqueKey:
		return fmt.Errorf("%w: unique_key has %d bytes, at most %d are allowed", ErrTooLarge, len(s.UniqueKey), MaxUniqueKey)
	case !utf8.ValidString(s.UniqueKey):
		return fmt.Errorf("%w: unique_key is not UTF-8", ErrInvalid)
	case s.UniqueScope > UniqueTTL:
		return fmt.Errorf("%w: unique_scope %d is not until_done, pending or ttl", ErrInvalid, uint8(s.UniqueScope))
	case s.UniqueTTL < 0 || s.UniqueTTL > MaxDelay:
		return fmt.Errorf("%w: unique_ttl %s is not within 0 and %s", ErrInvalid, s.UniqueTTL, MaxDelay)
	case s.UniqueScope == UniqueTTL && s.UniqueTTL < time.Microsecond:
		return fmt.Errorf("%w: unique_scope ttl needs a unique_ttl", ErrInvalid)
	case s.UniqueScope != UniqueTTL && s.UniqueTTL != 0:
		return fmt.Errorf("%w: unique_ttl goes with unique_scope ttl only", ErrInvalid)
	case s.OnConflict > ConflictDebounce:
		return fmt.Errorf("%w: on_conflict %d is not return_existing, reject, replace or debounce", ErrInvalid, uint8(s.OnConflict))
	case s.OnConflict.changes() && len(s.Dependencies) > 0:
		return fmt.Errorf("%w: on_conflict %s and dependencies exclude each other", ErrInvalid, s.OnConflict)
	case s.OnConflict == ConflictDebounce && s.Delay == 0 && s.ScheduledAt.IsZero():
		return fmt.Errorf("%w: on_conflict debounce needs a delay or scheduled_at", ErrInvalid)
	}
	return nil
}

// MayHoldKey reports whether the scope of t's unique key lets it hold the key in its status.
func (t *Task) MayHoldKey() bool {
	switch t.UniqueScope {
	case UniqueUntilDone:
		return !t.Status.IsTerminal()
	case UniquePending:
		return t.Status == Pending
	}
	return t.UniqueScope == UniqueTTL
}

// TakeContent has a waiting task take what a later submit with its unique key sent, of which next was made at now: with
// whole everything but the key, the dependencies and the id, else payload, headers, time and expiry. It stays where it
// is in submit order, and where it is among all that is ready unless next is scheduled for later or has another
// priority. What was counted and told of its old content is forgotten; the history of attempts stays.
func (t *Task) TakeContent(next *Task, whole bool, now time.Time) {
	t.Payload, t.PayloadSize, t.Headers, t.ExpiresAt = next.Payload, next.PayloadSize, next.Headers, next.ExpiresAt
	if whole {
		t.Priority, t.Retention, t.Backoff = next.Priority, next.Retention, next.Backoff
		t.MaxRetries, t.MaxCrashes, t.TimeoutSeconds = next.MaxRetries, next.MaxCrashes, next.TimeoutSeconds
	}
	if next.ScheduledAt.After(now) || t.ScheduledAt.After(now) {
		t.ScheduledAt = next.ScheduledAt
	}
	t.RetryCount, t.CrashCount, t.Error, t.Progress, t.StartedAt = 0, 0, "", Progress{}, time.Time{}
	t.ReplacedBy, t.UpdatedAt = next.ID, now
}
