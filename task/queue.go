package task

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of what can be set for a queue.
const (
	MaxQueueSettings = 10_000 // queues and types in queues that have settings
	MaxReason        = 1024   // bytes
	MaxConcurrency   = 1_000_000
	MaxRateCount     = 1_000_000 // tasks, also at once
	MinRatePer       = time.Millisecond
	MaxRatePer       = 24 * time.Hour
	MaxDepth         = 1_000_000_000_000 // tasks
	MaxQueueBytes    = 1 << 50
	QueueFullPause   = time.Second // what a submit to a full queue is told to wait
	MinAging         = time.Second
	MaxAging         = 365 * 24 * time.Hour
)

// Rate is how fast tasks may be claimed: Count in any Per, evenly, and up to Burst at once after a rest. The zero value
// is no limit.
type Rate struct {
	Count uint32
	Per   time.Duration
	Burst uint32
}

// IsZero reports whether there is no limit.
func (r Rate) IsZero() bool { return r == Rate{} }

func (r Rate) String() string {
	if r.IsZero() {
		return "none"
	}
	return fmt.Sprintf("%d/%s", r.Count, r.Per)
}

func (r *Rate) validate() error {
	switch {
	case r.IsZero():
		return nil
	case r.Count == 0 || r.Count > MaxRateCount:
		return fmt.Errorf("%w: rate of %d tasks is not within 1 and %d", ErrInvalid, r.Count, MaxRateCount)
	case r.Per < MinRatePer || r.Per > MaxRatePer || r.Per%time.Microsecond != 0:
		return fmt.Errorf("%w: rate per %s is not within %s and %s, in whole microseconds", ErrInvalid, r.Per, MinRatePer, MaxRatePer)
	case r.Burst == 0 || r.Burst > MaxRateCount:
		return fmt.Errorf("%w: burst %d is not within 1 and %d", ErrInvalid, r.Burst, MaxRateCount)
	}
	return nil
}

// QueueSettings are those of a queue or, with a type, of that type in the queue. What both of them limit, both limit.
// Zero fields are not set.
type QueueSettings struct {
	Queue       string
	Type        string
	Paused      bool // claims pass over it
	Reason      string
	Concurrency uint32 // tasks that run at once
	Rate        Rate
	Depth       uint64        // tasks that wait
	Bytes       uint64        // payload of tasks that wait
	Aging       time.Duration // of a whole queue only: a task gains one priority for each of it that it waits
}

// IsUnset reports whether nothing is set.
func (s *QueueSettings) IsUnset() bool {
	return *s == QueueSettings{Queue: s.Queue, Type: s.Type}
}

// QueueChange changes some settings of a queue, or of a type in it, and leaves those that are nil. A zero limit is none.
type QueueChange struct {
	Queue       string
	Type        string // empty for the whole queue
	Paused      *bool
	Reason      string // of the pause
	Concurrency *uint32
	Rate        *Rate
	Depth       *uint64
	Bytes       *uint64
	Aging       *time.Duration
	// Match makes the change only if the settings of the queue and its types have this SettingsTag; empty for any.
	Match string
}

// SettingsTag is the same for the same settings of a queue and its types, in any order.
func SettingsTag(list []QueueSettings) string {
	var set []string
	for i := range list {
		if s := &list[i]; !s.IsUnset() {
			set = append(set, fmt.Sprintf("%q %q %t %q %d %d/%d/%d %d %d %d", s.Queue, s.Type, s.Paused, s.Reason, s.Concurrency,
				s.Rate.Count, s.Rate.Per, s.Rate.Burst, s.Depth, s.Bytes, s.Aging))
		}
	}
	return tagOf(set)
}

// tagOf is a short hash of texts that stands for all of them.
func tagOf(texts []string) string {
	slices.Sort(texts)
	sum := sha256.Sum256([]byte(strings.Join(texts, "\n")))
	return hex.EncodeToString(sum[:12])
}

// checkTag refuses what is too long to be a tag. The error wraps ErrInvalid.
func checkTag(tag string) error {
	if len(tag) > MaxName {
		return fmt.Errorf("%w: match has %d bytes, at most %d are allowed", ErrInvalid, len(tag), MaxName)
	}
	return nil
}

// Apply makes the change.
func (c *QueueChange) Apply(s *QueueSettings) {
	set(&s.Paused, c.Paused)
	if c.Paused != nil {
		s.Reason = c.Reason
	}
	set(&s.Concurrency, c.Concurrency)
	set(&s.Rate, c.Rate)
	set(&s.Depth, c.Depth)
	set(&s.Bytes, c.Bytes)
	set(&s.Aging, c.Aging)
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// Validate reports the first rule that is broken. The error wraps ErrInvalid or ErrTooLarge and says what is allowed.
func (c *QueueChange) Validate() error {
	if err := ValidateName("queue", c.Queue); err != nil {
		return err
	}
	if c.Type != "" {
		if err := ValidateName("type", c.Type); err != nil {
			return err
		}
	}
	if err := errors.Join(c.validateReason(), checkTag(c.Match)); err != nil {
		return err
	}
	var s QueueSettings
	c.Apply(&s)
	switch {
	case c.Paused == nil && c.Concurrency == nil && c.Rate == nil && c.Depth == nil && c.Bytes == nil && c.Aging == nil:
		return fmt.Errorf("%w: nothing is to be changed", ErrInvalid)
	case s.Concurrency > MaxConcurrency:
		return fmt.Errorf("%w: concurrency %d is above %d", ErrInvalid, s.Concurrency, MaxConcurrency)
	case s.Depth > MaxDepth:
		return fmt.Errorf("%w: depth %d is above %d", ErrInvalid, s.Depth, int64(MaxDepth))
	case s.Bytes > MaxQueueBytes:
		return fmt.Errorf("%w: bytes %d is above %d", ErrInvalid, s.Bytes, int64(MaxQueueBytes))
	case s.Aging != 0 && c.Type != "":
		return fmt.Errorf("%w: aging is set for a whole queue, not for a type in it", ErrInvalid)
	case s.Aging != 0 && (s.Aging < MinAging || s.Aging > MaxAging || s.Aging%time.Second != 0):
		return fmt.Errorf("%w: aging of %s is not within %s and %s, in whole seconds", ErrInvalid, s.Aging, MinAging, MaxAging)
	}
	return s.Rate.validate()
}

func (c *QueueChange) validateReason() error {
	switch {
	case c.Reason == "":
		return nil
	case c.Paused == nil || !*c.Paused:
		return fmt.Errorf("%w: a reason belongs to a pause", ErrInvalid)
	case len(c.Reason) > MaxReason:
		return fmt.Errorf("%w: reason has %d bytes, at most %d are allowed", ErrTooLarge, len(c.Reason), MaxReason)
	case !utf8.ValidString(c.Reason):
		return fmt.Errorf("%w: reason is not UTF-8", ErrInvalid)
	}
	for _, r := range c.Reason {
		if unicode.IsControl(r) {
			return fmt.Errorf("%w: reason contains the control character %U", ErrInvalid, r)
		}
	}
	return nil
}

// QueueState is what there is to know of a queue or, with a type, of that type in the queue.
type QueueState struct {
	QueueSettings
	Counts       QueueCounts
	WaitingBytes uint64 // payload of the tasks that wait
	// NextSince says since when the task that is claimed next could have been claimed; zero if there is none or it is not
	// known without reading the disk. Only of a type.
	NextSince time.Time
}

// QueuesQuery asks for the states of queues.
type QueuesQuery struct {
	Queue string // empty for all
	// Sums leaves the types out. NextSince of a queue is then that of the type whose next task has waited longest.
	Sums  bool
	Stale bool
}

// Validate checks the query. The error wraps ErrInvalid.
func (q *QueuesQuery) Validate() error { return validateSelection(q.Queue, "") }
