package task

import (
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"
)

// Spec is what a client sends to submit one task. Zero fields were not sent and take their defaults in New.
type Spec struct {
	ID                  ID
	Type                string // required, 1 to MaxName bytes
	Queue               string // DefaultQueue if empty
	Payload             []byte // at most MaxPayload
	Priority            *Priority
	Delay               time.Duration // from when the leader gets it; not together with ScheduledAt
	ScheduledAt         time.Time     // not before this moment
	MaxRetries          *uint32       // DefaultRetries if nil
	MaxCrashes          *uint32       // DefaultCrashes if nil
	TimeoutSeconds      uint64        // longest run of one attempt; 0 for none
	Dependencies        []ID          // must have completed first
	OnDependencyFailure DependencyPolicy
	Headers             []Header       // names unique
	UniqueKey           string         // at most one task of its queue and type holds it
	UniqueScope         UniqueScope    // how long it holds it
	UniqueTTL           time.Duration  // with the scope UniqueTTL
	OnConflict          ConflictPolicy // if another holds it
	ExpiresAt           time.Time      // not started by then: dead letter
	ExpiresIn           time.Duration  // the same, from when the leader gets it; not together with ExpiresAt
	Retention           time.Duration  // kept so long after its end; 0 for the cluster's default
	Backoff             Backoff
}

// Header is one name and value that travels with a task, such as a trace context.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// The headers of a task's trace context, as the recommendation "Trace Context" of the W3C has them.
const (
	HeaderTraceParent = "traceparent"
	HeaderTraceState  = "tracestate"
)

// DependencyPolicy says what becomes of a task when a parent ends without success.
type DependencyPolicy uint8

// The policies. The zero value is PolicyCancel.
const (
	PolicyCancel DependencyPolicy = 0 // it is cancelled, and so are its own dependants
	PolicyIgnore DependencyPolicy = 1 // the parent counts as completed
	PolicyBlock  DependencyPolicy = 2 // it waits until the parent completes after a retry
)

var policyNames = [...]string{"cancel", "ignore", "block"}

func (p DependencyPolicy) String() string {
	if int(p) < len(policyNames) {
		return policyNames[p]
	}
	return fmt.Sprintf("policy(%d)", uint8(p))
}

// ParsePolicy reads a policy by its name; empty is PolicyCancel. The error wraps ErrInvalid.
func ParsePolicy(name string) (DependencyPolicy, error) {
	for i, n := range policyNames {
		if n == name || (name == "" && i == 0) {
			return DependencyPolicy(i), nil
		}
	}
	return 0, fmt.Errorf("%w: unknown dependency policy %q; allowed are cancel, ignore, block", ErrInvalid, clip(name))
}

// MarshalText gives the policy's name.
func (p DependencyPolicy) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the policy's name.
func (p *DependencyPolicy) UnmarshalText(b []byte) (err error) {
	*p, err = ParsePolicy(string(b))
	return err
}

// Validate checks every field against its limits. The error wraps ErrInvalid or ErrTooLarge, names the field and says
// what is allowed.
func (s *Spec) Validate() error {
	if err := s.ID.Validate(); err != nil {
		return err
	}
	if err := ValidateName("type", s.Type); err != nil {
		return err
	}
	if s.Queue != "" {
		if err := ValidateName("queue", s.Queue); err != nil {
			return err
		}
	}
	if len(s.Payload) > MaxPayload {
		return fmt.Errorf("%w: payload has %d bytes, at most %d are allowed", ErrTooLarge, len(s.Payload), MaxPayload)
	}
	if err := s.validateTimes(); err != nil {
		return err
	}
	if s.MaxRetries != nil && *s.MaxRetries > MaxRetriesLimit {
		return fmt.Errorf("%w: max_retries %d is above %d", ErrInvalid, *s.MaxRetries, MaxRetriesLimit)
	}
	if s.MaxCrashes != nil && (*s.MaxCrashes == 0 || *s.MaxCrashes > MaxCrashesLimit) {
		return fmt.Errorf("%w: max_crashes %d is not within 1 and %d", ErrInvalid, *s.MaxCrashes, MaxCrashesLimit)
	}
	if err := s.validateUnique(); err != nil {
		return err
	}
	if s.OnDependencyFailure > PolicyBlock {
		return fmt.Errorf("%w: on_dependency_failure %d is not cancel, ignore or block", ErrInvalid, s.OnDependencyFailure)
	}
	if err := s.Backoff.Validate(); err != nil {
		return err
	}
	if err := s.validateDependencies(); err != nil {
		return err
	}
	return validateHeaders(s.Headers)
}

func (s *Spec) validateTimes() error {
	switch {
	case s.Delay < 0 || s.Delay > MaxDelay:
		return fmt.Errorf("%w: delay %s is not within 0 and %s", ErrInvalid, s.Delay, MaxDelay)
	case s.Delay > 0 && !s.ScheduledAt.IsZero():
		return fmt.Errorf("%w: delay and scheduled_at exclude each other", ErrInvalid)
	case s.TimeoutSeconds > uint64(MaxTimeout/time.Second):
		return fmt.Errorf("%w: timeout_seconds %d is above %d", ErrInvalid, s.TimeoutSeconds, MaxTimeout/time.Second)
	case s.Retention < 0 || s.Retention > MaxDelay:
		return fmt.Errorf("%w: retention %s is not within 0 and %s", ErrInvalid, s.Retention, MaxDelay)
	}
	for _, at := range []struct {
		name string
		t    time.Time
	}{{"scheduled_at", s.ScheduledAt}, {"expires_at", s.ExpiresAt}} {
		if !at.t.IsZero() && (at.t.UnixMicro() < 0 || at.t.UTC().Year() > 9999) {
			return fmt.Errorf("%w: %s lies outside the years 1970 to 9999", ErrInvalid, at.name)
		}
	}
	return s.validateExpiry()
}

func (s *Spec) validateDependencies() error {
	if len(s.Dependencies) > MaxDependencies {
		return fmt.Errorf("%w: %d dependencies, at most %d are allowed", ErrTooLarge, len(s.Dependencies), MaxDependencies)
	}
	seen := make(map[ID]struct{}, len(s.Dependencies))
	for _, d := range s.Dependencies {
		if d == s.ID {
			return fmt.Errorf("%w: task %s depends on itself", ErrInvalid, d)
		}
		if _, twice := seen[d]; twice {
			return fmt.Errorf("%w: dependency %s is named twice", ErrInvalid, d)
		}
		seen[d] = struct{}{}
	}
	return nil
}

func validateHeaders(headers []Header) error {
	if len(headers) > MaxHeaderCount {
		return fmt.Errorf("%w: %d headers, at most %d are allowed", ErrTooLarge, len(headers), MaxHeaderCount)
	}
	total := 0
	seen := make(map[string]struct{}, len(headers))
	for _, h := range headers {
		if err := ValidateName("header name", h.Name); err != nil {
			return err
		}
		if _, twice := seen[h.Name]; twice {
			return fmt.Errorf("%w: header %q is named twice", ErrInvalid, h.Name)
		}
		seen[h.Name] = struct{}{}
		if !utf8.ValidString(h.Value) {
			return fmt.Errorf("%w: header %q is not UTF-8", ErrInvalid, h.Name)
		}
		if total += len(h.Name) + len(h.Value); total > MaxHeaders {
			return fmt.Errorf("%w: headers have more than %d bytes", ErrTooLarge, MaxHeaders)
		}
	}
	return nil
}

// ValidateName checks the name of a queue, type, worker or header: 1 to MaxName bytes of UTF-8 without control
// characters. The error wraps ErrInvalid; what says which name it is.
func ValidateName(what, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: %s is empty", ErrInvalid, what)
	case len(name) > MaxName:
		return fmt.Errorf("%w: %s has %d bytes, at most %d are allowed", ErrInvalid, what, len(name), MaxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: %s is not UTF-8", ErrInvalid, what)
	}
	for _, r := range name {
		if unicode.IsControl(r) {
			return fmt.Errorf("%w: %s contains the control character %U", ErrInvalid, what, r)
		}
	}
	return nil
}

// clip shortens text that came from outside before it is put into an error.
func clip(s string) string {
	if len(s) > 64 {
		return ClipText(s, 64) + "..."
	}
	return s
}

// ClipText returns the longest beginning of s that has at most limit bytes and does not end inside a character.
func ClipText(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
