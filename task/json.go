package task

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// taskJSON is the JSON form of a Task. The first sixteen names are older than this program and stay; bytes are base64.
type taskJSON struct {
	ID             ID         `json:"id"`
	Type           string     `json:"task_type"`
	Payload        []byte     `json:"payload,omitempty"`
	Priority       Priority   `json:"priority"`
	CreatedAt      time.Time  `json:"created_at"`
	ScheduledAt    time.Time  `json:"scheduled_at"`
	Status         Status     `json:"status"`
	MaxRetries     uint32     `json:"max_retries"`
	RetryCount     uint32     `json:"retry_count"`
	TimeoutSeconds uint64     `json:"timeout_seconds"`
	WorkerID       *string    `json:"worker_id"`
	LeaseExpiresAt *time.Time `json:"lease_expires_at"`
	Result         []byte     `json:"result"`
	Error          *string    `json:"error"`
	Dependencies   []ID       `json:"dependencies"`
	UpdatedAt      time.Time  `json:"updated_at"`

	Queue               string           `json:"queue"`
	Phase               Phase            `json:"phase"`
	PayloadSize         uint32           `json:"payload_size"`
	ResultSize          uint32           `json:"result_size,omitempty"`
	Attempt             uint32           `json:"attempt"`
	CrashCount          uint32           `json:"crash_count"`
	MaxCrashes          uint32           `json:"max_crashes"`
	LeaseID             uint64           `json:"lease_id,omitempty"`
	LeaseSeconds        float64          `json:"lease_seconds,omitempty"`
	Session             *SessionID       `json:"session,omitempty"`
	StartedAt           *time.Time       `json:"started_at,omitempty"`
	Reason              Reason           `json:"reason,omitempty"`
	WaitingFor          uint32           `json:"waiting_for,omitempty"`
	OnDependencyFailure DependencyPolicy `json:"on_dependency_failure,omitempty"`
	Headers             []Header         `json:"headers,omitempty"`
	UniqueKey           string           `json:"unique_key,omitempty"`
	UniqueScope         UniqueScope      `json:"unique_scope,omitempty"`
	UniqueUntil         *time.Time       `json:"unique_until,omitempty"`
	UniqueHeld          bool             `json:"unique_held,omitempty"`
	ReplacedBy          *ID              `json:"replaced_by,omitempty"`
	ExpiresAt           *time.Time       `json:"expires_at,omitempty"`
	RetentionSeconds    float64          `json:"retention_seconds,omitempty"`
	DeleteAt            *time.Time       `json:"delete_at,omitempty"`
	Backoff             *Backoff         `json:"backoff,omitempty"`
	Progress            *Progress        `json:"progress,omitempty"`
	History             []Attempt        `json:"history,omitempty"`
	CancelRequested     bool             `json:"cancel_requested,omitempty"`
}

// MarshalJSON gives the form for people and scripts: times in RFC 3339, bytes in base64, absent times and names null
// or left out.
func (t *Task) MarshalJSON() ([]byte, error) {
	j := taskJSON{
		ID: t.ID, Type: t.Type, Payload: t.Payload, Priority: t.Priority, CreatedAt: t.CreatedAt, ScheduledAt: t.ScheduledAt,
		Status: t.Status, MaxRetries: t.MaxRetries, RetryCount: t.RetryCount, TimeoutSeconds: t.TimeoutSeconds,
		WorkerID: present(t.WorkerID), LeaseExpiresAt: present(t.LeaseExpiresAt), Result: t.Result, Error: present(t.Error),
		Dependencies: t.Dependencies, UpdatedAt: t.UpdatedAt,
		Queue: t.Queue, Phase: t.Phase(), PayloadSize: t.PayloadSize, ResultSize: t.ResultSize, Attempt: t.Attempt,
		CrashCount: t.CrashCount, MaxCrashes: t.MaxCrashes, LeaseID: t.LeaseID, LeaseSeconds: t.LeaseDuration.Seconds(),
		Session: present(t.Session), StartedAt: present(t.StartedAt), Reason: t.Reason, WaitingFor: t.WaitingFor,
		OnDependencyFailure: t.OnDependencyFailure, Headers: t.Headers, UniqueKey: t.UniqueKey,
		UniqueScope: t.UniqueScope, UniqueUntil: present(t.UniqueUntil), UniqueHeld: t.UniqueHeld,
		ReplacedBy: present(t.ReplacedBy), ExpiresAt: present(t.ExpiresAt),
		RetentionSeconds: t.Retention.Seconds(), DeleteAt: present(t.DeleteAt), Backoff: present(t.Backoff), History: t.History,
		CancelRequested: t.CancelRequested,
	}
	if !t.Progress.IsZero() {
		j.Progress = &t.Progress
	}
	if j.Dependencies == nil {
		j.Dependencies = []ID{}
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads the form that MarshalJSON gives. What has no JSON field (submit order, hash, last lease) is zero.
func (t *Task) UnmarshalJSON(b []byte) error {
	var j taskJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	lease, err := seconds("lease_seconds", j.LeaseSeconds)
	if err != nil {
		return err
	}
	retention, err := seconds("retention_seconds", j.RetentionSeconds)
	if err != nil {
		return err
	}
	*t = Task{
		ID: j.ID, Type: j.Type, Payload: j.Payload, Priority: j.Priority, CreatedAt: j.CreatedAt, ScheduledAt: j.ScheduledAt,
		Status: j.Status, MaxRetries: j.MaxRetries, RetryCount: j.RetryCount, TimeoutSeconds: j.TimeoutSeconds,
		WorkerID: value(j.WorkerID), LeaseExpiresAt: value(j.LeaseExpiresAt), Result: j.Result, Error: value(j.Error),
		Dependencies: j.Dependencies, UpdatedAt: j.UpdatedAt,
		Queue: j.Queue, PayloadSize: j.PayloadSize, ResultSize: j.ResultSize, Attempt: j.Attempt,
		CrashCount: j.CrashCount, MaxCrashes: j.MaxCrashes, LeaseID: j.LeaseID, LeaseDuration: lease,
		Session: value(j.Session), StartedAt: value(j.StartedAt), Reason: j.Reason, WaitingFor: j.WaitingFor,
		OnDependencyFailure: j.OnDependencyFailure, Headers: j.Headers, UniqueKey: j.UniqueKey, UniqueScope: j.UniqueScope,
		UniqueUntil: value(j.UniqueUntil), UniqueHeld: j.UniqueHeld, ReplacedBy: value(j.ReplacedBy), ExpiresAt: value(j.ExpiresAt),
		Retention: retention, DeleteAt: value(j.DeleteAt), Backoff: value(j.Backoff), Progress: value(j.Progress), History: j.History,
		CancelRequested: j.CancelRequested,
	}
	if len(t.Dependencies) == 0 {
		t.Dependencies = nil
	}
	return nil
}

// present returns a pointer to v, or nil for its zero value.
func present[T comparable](v T) *T {
	var zero T
	if z, ok := any(v).(interface{ IsZero() bool }); v == zero || ok && z.IsZero() {
		return nil
	}
	return &v
}

// value returns what p points to, or the zero value.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// maxSeconds keeps a duration in seconds within what a time.Duration holds.
const maxSeconds = float64(1<<62) / float64(time.Second)

// seconds turns a JSON number into a duration, to the microsecond. The error wraps ErrInvalid and names the field.
func seconds(field string, s float64) (time.Duration, error) {
	if s < 0 || s > maxSeconds {
		return 0, fmt.Errorf("%w: %s %g is not within 0 and %.0f", ErrInvalid, field, s, maxSeconds)
	}
	return time.Duration(math.Round(s*1e6)) * time.Microsecond, nil
}

// backoffJSON is the JSON form of a Backoff.
type backoffJSON struct {
	InitialSeconds float64 `json:"initial_seconds,omitempty"`
	FactorPercent  uint32  `json:"factor_percent,omitempty"`
	MaxSeconds     float64 `json:"max_seconds,omitempty"`
	JitterPercent  uint32  `json:"jitter_percent,omitempty"`
}

// MarshalJSON gives durations in seconds.
func (b Backoff) MarshalJSON() ([]byte, error) {
	return json.Marshal(backoffJSON{b.Initial.Seconds(), b.FactorPercent, b.Max.Seconds(), b.JitterPercent})
}

// UnmarshalJSON reads the form that MarshalJSON gives.
func (b *Backoff) UnmarshalJSON(raw []byte) error {
	var j backoffJSON
	if err := json.Unmarshal(raw, &j); err != nil {
		return err
	}
	initial, err := seconds("initial_seconds", j.InitialSeconds)
	if err != nil {
		return err
	}
	longest, err := seconds("max_seconds", j.MaxSeconds)
	if err != nil {
		return err
	}
	*b = Backoff{Initial: initial, FactorPercent: j.FactorPercent, Max: longest, JitterPercent: j.JitterPercent}
	return nil
}
