package task

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Schedule submits a task at each of the moments that a cron expression names. The first part is what a client says, the
// second what the broker keeps with it.
type Schedule struct {
	Name       string
	Expression string // see package cron
	Zone       string // IANA name; UTC if empty
	Task       Spec   // what is submitted: without id, times of its own and dependencies
	CatchUp    CatchUp
	Overlap    Overlap
	Start, End time.Time // no fire before the one and after the other; zero for no such bound

	ID          uint64    // given when it was made; another schedule of the same name has another
	Version     uint64    // another one after each change, but not after a fire
	Anchor      time.Time // where @every counts from
	Paused      bool
	PauseReason string
	Next        time.Time // the next fire; zero while it is paused, and when there is none left
	LastFire    time.Time // the moment that fired last, or at which it was triggered
	LastTask    ID        // what that submitted
	LastError   string    // why that submitted nothing; empty if it did
	Fired       uint64    // fires and triggers that submitted a task
	Skipped     uint64    // fires that did not because the task of the one before had not ended
	CreatedAt   time.Time
	UpdatedAt   time.Time // last change by a client
}

// CatchUp says what becomes of fires whose moment passed while nothing could fire.
type CatchUp uint8

// The policies. The zero value is CatchUpSkip.
const (
	CatchUpSkip CatchUp = 0 // they are left out; but the last one fires if it is not later than CatchUpGrace
	CatchUpOne  CatchUp = 1 // the last one fires
	CatchUpAll  CatchUp = 2 // each fires
)

// CatchUpGrace is how late a fire may be and still not count as missed: longer than an election takes.
const CatchUpGrace = time.Minute

// Overlap says what becomes of a fire while the task of the one before has not ended.
type Overlap uint8

// The policies. The zero value is OverlapSkip.
const (
	OverlapSkip  Overlap = 0 // it submits nothing
	OverlapAllow Overlap = 1
)

var (
	catchUpNames = [...]string{"skip", "one", "all"}
	overlapNames = [...]string{"skip", "allow"}
)

// Headers that the task of a fire has besides its own: the schedule's name, and the moment that fired in RFC 3339.
const (
	HeaderSchedule = "haiku-schedule"
	HeaderFireTime = "haiku-fire-time"
)

func (c CatchUp) String() string {
	if int(c) < len(catchUpNames) {
		return catchUpNames[c]
	}
	return fmt.Sprintf("catch_up(%d)", uint8(c))
}

// MarshalText gives the policy's name.
func (c CatchUp) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the policy's name; empty is CatchUpSkip. The error wraps ErrInvalid.
func (c *CatchUp) UnmarshalText(b []byte) error {
	for i, n := range catchUpNames {
		if n == string(b) || (len(b) == 0 && i == 0) {
			*c = CatchUp(i)
			return nil
		}
	}
	return fmt.Errorf("%w: unknown catch-up policy %q; allowed are skip, one, all", ErrInvalid, clip(string(b)))
}

func (o Overlap) String() string {
	if int(o) < len(overlapNames) {
		return overlapNames[o]
	}
	return fmt.Sprintf("overlap(%d)", uint8(o))
}

// MarshalText gives the policy's name.
func (o Overlap) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads the policy's name; empty is OverlapSkip. The error wraps ErrInvalid.
func (o *Overlap) UnmarshalText(b []byte) error {
	for i, n := range overlapNames {
		if n == string(b) || (len(b) == 0 && i == 0) {
			*o = Overlap(i)
			return nil
		}
	}
	return fmt.Errorf("%w: unknown overlap policy %q; allowed are skip, allow", ErrInvalid, clip(string(b)))
}

// Validate checks what a client says; expression and zone are read by package cron. The error wraps ErrInvalid
// or ErrTooLarge.
func (s *Schedule) Validate() error {
	if err := ValidateName("schedule name", s.Name); err != nil {
		return err
	}
	switch {
	case len(s.Expression) > MaxExpression || !utf8.ValidString(s.Expression):
		return fmt.Errorf("%w: cron expression of %d bytes; up to %d bytes of UTF-8 are allowed", ErrInvalid, len(s.Expression), MaxExpression)
	case len(s.Zone) > MaxName || !utf8.ValidString(s.Zone):
		return fmt.Errorf("%w: time zone of %d bytes; up to %d bytes of UTF-8 are allowed", ErrInvalid, len(s.Zone), MaxName)
	case int(s.CatchUp) >= len(catchUpNames):
		return fmt.Errorf("%w: catch_up %d is not skip, one or all", ErrInvalid, s.CatchUp)
	case int(s.Overlap) >= len(overlapNames):
		return fmt.Errorf("%w: overlap %d is not skip or allow", ErrInvalid, s.Overlap)
	case !s.Start.IsZero() && !s.End.IsZero() && s.End.Before(s.Start):
		return fmt.Errorf("%w: the schedule ends before it starts", ErrInvalid)
	}
	for _, at := range [...]struct {
		name string
		t    time.Time
	}{{"start", s.Start}, {"end", s.End}} {
		if !at.t.IsZero() && (at.t.UnixMicro() < 0 || at.t.UTC().Year() > 9999) {
			return fmt.Errorf("%w: %s lies outside the years 1970 to 9999", ErrInvalid, at.name)
		}
	}
	return s.validateTask()
}

// validateTask checks the task as a fire would submit it.
func (s *Schedule) validateTask() error {
	t := &s.Task
	switch {
	case t.ID != (ID{}):
		return fmt.Errorf("%w: the task of a schedule has no id: each fire makes one", ErrInvalid)
	case t.Delay != 0 || !t.ScheduledAt.IsZero() || !t.ExpiresAt.IsZero():
		return fmt.Errorf("%w: the task of a schedule has no delay, scheduled_at or expires_at", ErrInvalid)
	case len(t.Dependencies) > 0:
		return fmt.Errorf("%w: the task of a schedule has no dependencies", ErrInvalid)
	case len(t.Payload) > MaxScheduleBytes:
		return fmt.Errorf("%w: the payload of a schedule's task has %d bytes, at most %d are allowed", ErrTooLarge, len(t.Payload), MaxScheduleBytes)
	}
	spec := s.Submission(FireID([16]byte{}, 0, time.Unix(0, 0)), time.Unix(0, 0))
	return spec.Validate()
}

func validateReason(reason string) error {
	if len(reason) > MaxReason {
		return fmt.Errorf("%w: reason has %d bytes, at most %d are allowed", ErrTooLarge, len(reason), MaxReason)
	}
	if !utf8.ValidString(reason) || strings.ContainsFunc(reason, unicode.IsControl) {
		return fmt.Errorf("%w: reason is not UTF-8 without control characters", ErrInvalid)
	}
	return nil
}

// Submission is what a fire at the given moment submits.
func (s *Schedule) Submission(id ID, at time.Time) Spec {
	spec := s.Task
	spec.ID = id
	spec.Headers = append(spec.Headers[:len(spec.Headers):len(spec.Headers)],
		Header{Name: HeaderSchedule, Value: s.Name}, Header{Name: HeaderFireTime, Value: at.UTC().Format(time.RFC3339Nano)})
	return spec
}

// SameAs reports whether a client says the same in both, so that setting the one where the other is changes nothing. The
// headers of the trace context do not count, as in ContentHash.
func (s *Schedule) SameAs(o *Schedule) bool {
	return s.Name == o.Name && s.Expression == o.Expression && s.Zone == o.Zone && s.CatchUp == o.CatchUp &&
		s.Overlap == o.Overlap && s.Start.Equal(o.Start) && s.End.Equal(o.End) &&
		bytes.Equal(s.Task.Payload, o.Task.Payload) && s.Task.ContentHash() == o.Task.ContentHash()
}

// FireID is the id of the task that a fire submits: a UUID of version 7 whose time is the fire's, and whose other bits
// are the first of SHA-256 over
//
//	cluster id 16 | schedule id uint64 | fire time int64, microseconds
//
// so that the same fire has the same task wherever and however often it is computed.
func FireID(cluster [16]byte, schedule uint64, at time.Time) (id ID) {
	b := append(make([]byte, 0, 32), cluster[:]...)
	b = binary.BigEndian.AppendUint64(b, schedule)
	b = binary.BigEndian.AppendUint64(b, uint64(at.UnixMicro()))
	sum := sha256.Sum256(b)
	copy(id[6:], sum[:])
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
	copy(id[:6], ms[2:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// ScheduleAction is what a client does with a schedule.
type ScheduleAction uint8

// The actions.
const (
	ScheduleSet     ScheduleAction = 1 // make it or change it
	SchedulePause   ScheduleAction = 2
	ScheduleResume  ScheduleAction = 3 // what would have fired meanwhile is left out
	ScheduleTrigger ScheduleAction = 4 // submit its task now
	ScheduleRemove  ScheduleAction = 5
)

// ScheduleChange is one action.
type ScheduleChange struct {
	Action   ScheduleAction
	Name     string   // of the schedule, but with ScheduleSet
	Schedule Schedule // ScheduleSet: its first part
	Reason   string   // SchedulePause
	TaskID   ID       // ScheduleTrigger: the id that the task shall have
	// Match, with ScheduleSet, makes the change only if the schedule has this Tag, or, with ScheduleAbsent, if there is
	// none; empty for any.
	Match string
}

// ScheduleAbsent is a Match of schedules that are not there.
const ScheduleAbsent = "absent"

// Tag changes with each change of the schedule, but not with a fire.
func (s *Schedule) Tag() string { return fmt.Sprintf("%d.%d", s.ID, s.Version) }

// Validate checks the change, but for expression and zone. The error wraps ErrInvalid or ErrTooLarge.
func (c *ScheduleChange) Validate() error {
	if c.Action == ScheduleSet {
		return errors.Join(c.Schedule.Validate(), checkTag(c.Match))
	}
	if c.Action < ScheduleSet || c.Action > ScheduleRemove {
		return fmt.Errorf("%w: action %d; allowed are 1 set, 2 pause, 3 resume, 4 trigger, 5 remove", ErrInvalid, c.Action)
	}
	if err := ValidateName("schedule name", c.Name); err != nil {
		return err
	}
	if c.Action == ScheduleTrigger {
		return c.TaskID.Validate()
	}
	return validateReason(c.Reason)
}

// ScheduleQuery selects schedules.
type ScheduleQuery struct {
	Name  string // this one, with its payload; a list if empty
	Fires int    // with Name: how many of its next fires to tell
	After string // a list: those whose names come after this one
	Limit int    // a list: at most so many
	Stale bool
}

// SchedulePage is one answer to a ScheduleQuery.
type SchedulePage struct {
	Schedules []*Schedule // in the order of their names; payloads only of one asked for by name
	Upcoming  []time.Time // next fires of the one asked for by name
	Next      string      // not empty: there are more after this name
}

// Validate checks the query and fills in its defaults. The error wraps ErrInvalid.
func (q *ScheduleQuery) Validate() error {
	if q.Limit == 0 {
		q.Limit = DefaultListLimit
	}
	switch {
	case q.Limit < 1 || q.Limit > MaxItems:
		return fmt.Errorf("%w: limit %d is not within 1 and %d", ErrInvalid, q.Limit, MaxItems)
	case q.Fires < 0 || q.Fires > MaxUpcoming:
		return fmt.Errorf("%w: %d next fires, at most %d are told", ErrInvalid, q.Fires, MaxUpcoming)
	case q.Fires > 0 && q.Name == "":
		return fmt.Errorf("%w: next fires are told of one schedule, asked for by its name", ErrInvalid)
	case q.Name != "" && q.After != "":
		return fmt.Errorf("%w: name and after exclude each other", ErrInvalid)
	}
	for _, name := range [...]string{q.Name, q.After} {
		if name != "" {
			if err := ValidateName("schedule name", name); err != nil {
				return err
			}
		}
	}
	return nil
}
