package task

import (
	"time"
)

// Task is one task as the broker holds it. Payload and Result are nil when they were not asked for; the sizes tell
// what is there.
type Task struct {
	ID                  ID
	Type                string
	Queue               string
	Payload             []byte
	PayloadSize         uint32
	Priority            Priority
	CreatedAt           time.Time
	ScheduledAt         time.Time // not claimable before; for Failed the moment of the retry
	Status              Status
	MaxRetries          uint32
	RetryCount          uint32 // retries used so far
	MaxCrashes          uint32
	CrashCount          uint32 // leases that ended without an outcome although the worker had listed them
	TimeoutSeconds      uint64
	WorkerID            string
	Session             SessionID
	LeaseID             uint64        // of the current or last lease; grows over the whole cluster: a fencing token
	LeaseDuration       time.Duration // as granted
	LeaseExpiresAt      time.Time
	StartedAt           time.Time // of the current or last attempt; zero if it was never handed to a worker
	Attempt             uint32    // 1 for the first
	Result              []byte
	ResultSize          uint32
	Error               string
	Reason              Reason // why it is a dead letter, or was cancelled
	Dependencies        []ID
	WaitingFor          uint32 // dependencies that have not completed yet
	OnDependencyFailure DependencyPolicy
	Headers             []Header
	UniqueKey           string
	UniqueScope         UniqueScope // zero without a key
	UniqueUntil         time.Time   // with the scope UniqueTTL
	UniqueHeld          bool        // it holds its key now
	ReplacedBy          ID          // the last submit whose content it took; zero if none
	PriorStart          time.Time   // what StartedAt was before the current or last lease
	ExpiresAt           time.Time   // a dead letter if not started by then
	Retention           time.Duration
	DeleteAt            time.Time // of a task that ended: when it is deleted; zero for never
	Backoff             Backoff
	Progress            Progress
	History             []Attempt
	LastLease           LastLease
	CancelRequested     bool          // running, and someone asked to cancel it
	Aging               time.Duration // gains one priority for each of it that it waits, in whole seconds; 0 for strict order
	UpdatedAt           time.Time
	Recount             bool     // it was retried, or a task that it depends on: who waits for it is not counted down by one but anew
	Seq                 uint64   // submit order over the whole cluster
	Hash                [16]byte // content hash of the Spec
}

// Progress is what a running attempt last told of itself.
type Progress struct {
	Percent uint32 `json:"percent"`
	Message string `json:"message,omitempty"`
	Cursor  []byte `json:"cursor,omitempty"` // reaches the next attempt
}

// IsZero reports whether nothing was told.
func (p Progress) IsZero() bool { return p.Percent == 0 && p.Message == "" && len(p.Cursor) == 0 }

// Attempt is one ended run of a task.
type Attempt struct {
	Number    uint32      `json:"attempt"`
	WorkerID  string      `json:"worker_id"`
	StartedAt time.Time   `json:"started_at"`
	EndedAt   time.Time   `json:"ended_at"`
	Outcome   OutcomeKind `json:"outcome"`
	Error     string      `json:"error,omitempty"` // at most maxHistoryError bytes of it
}

// maxHistoryError bounds the error text of one attempt in the history; Task.Error keeps the last one whole.
const maxHistoryError = 512

// LastLease is the outcome of the last ended lease: it lets a repeated result be told from a late one.
type LastLease struct {
	LeaseID uint64
	Kind    OutcomeKind
	Digest  [16]byte // OutcomeDigest of what was reported; zero when the broker ended the lease
}

// Phase is what a person wants to know of a pending task; for other statuses it is the status's name.
type Phase string

// The phases of Pending.
const (
	Ready     Phase = "ready"     // claimable now
	Scheduled Phase = "scheduled" // its time has not come
	Blocked   Phase = "blocked"   // waits for dependencies
)

// Phase returns the sub-state of a pending task as the broker last decided it, or the status's name.
func (t *Task) Phase() Phase {
	switch {
	case t.Status != Pending:
		return Phase(t.Status.String())
	case t.WaitingFor > 0:
		return Blocked
	case !t.Claimable():
		return Scheduled
	}
	return Ready
}

// Claimable reports whether the task stands in the ready order: pending, no dependency left and its time come. The
// time is judged when the task is written: ScheduledAt after UpdatedAt means that its promotion is still to come.
func (t *Task) Claimable() bool {
	return t.Status == Pending && t.WaitingFor == 0 && !t.ScheduledAt.After(t.UpdatedAt)
}

// Clone returns a copy that shares payload, result and dependencies, which nobody changes in place, and owns the rest.
func (t *Task) Clone() *Task {
	c := *t
	c.History = append([]Attempt(nil), t.History...)
	return &c
}

// New makes the pending task of a validated spec. now is leader time, seq the task's place in submit order. Delay is
// resolved against now. WaitingFor counts all dependencies; the caller lowers it for those that ended already.
func New(s *Spec, now time.Time, seq uint64, hash [16]byte) *Task {
	t := &Task{
		ID: s.ID, Type: s.Type, Queue: s.Queue, Payload: s.Payload, PayloadSize: uint32(len(s.Payload)),
		Priority: DefaultPriority, CreatedAt: now, ScheduledAt: now, Status: Pending,
		MaxRetries: DefaultRetries, MaxCrashes: DefaultCrashes, TimeoutSeconds: s.TimeoutSeconds,
		Dependencies: s.Dependencies, WaitingFor: uint32(len(s.Dependencies)), OnDependencyFailure: s.OnDependencyFailure,
		Headers: s.Headers, UniqueKey: s.UniqueKey, ExpiresAt: s.ExpiresAt, Retention: s.Retention, Backoff: s.Backoff,
		UpdatedAt: now, Seq: seq, Hash: hash,
	}
	if t.Queue == "" {
		t.Queue = DefaultQueue
	}
	if s.Priority != nil {
		t.Priority = *s.Priority
	}
	if s.MaxRetries != nil {
		t.MaxRetries = *s.MaxRetries
	}
	if s.MaxCrashes != nil {
		t.MaxCrashes = *s.MaxCrashes
	}
	switch {
	case s.Delay > 0:
		t.ScheduledAt = now.Add(s.Delay)
	case s.ScheduledAt.After(now):
		t.ScheduledAt = s.ScheduledAt
	}
	if s.ExpiresIn > 0 {
		t.ExpiresAt = now.Add(s.ExpiresIn)
	}
	if s.UniqueKey != "" {
		if t.UniqueScope = s.UniqueScope; t.UniqueScope == 0 {
			t.UniqueScope = UniqueUntilDone
		}
		if s.UniqueTTL > 0 {
			t.UniqueUntil = now.Add(s.UniqueTTL)
		}
	}
	return t
}

// EndAttempt appends the current attempt to the history, which keeps the newest MaxHistory.
func (t *Task) EndAttempt(kind OutcomeKind, errText string, now time.Time) {
	errText = ClipText(errText, maxHistoryError)
	if len(t.History) >= MaxHistory {
		t.History = t.History[len(t.History)-MaxHistory+1:]
	}
	t.History = append(t.History, Attempt{Number: t.Attempt, WorkerID: t.WorkerID, StartedAt: t.StartedAt, EndedAt: now,
		Outcome: kind, Error: errText})
}
