package task

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"
	"unicode/utf8"
)

// OutcomeKind is how one attempt ended. The numbers are on disk and on the wire: they are never reused.
type OutcomeKind uint8

// The outcomes. The first group is reported by workers, the second decided by the broker.
const (
	Success     OutcomeKind = 1 // Result holds what the handler returned
	Failure     OutcomeKind = 2 // retried after the task's backoff, or RetryAfter, until the retries are used up
	Snooze      OutcomeKind = 3 // run again after RetryAfter; uses no attempt
	Discard     OutcomeKind = 4 // the handler cancels the task: no retry, ends Cancelled
	Reject      OutcomeKind = 5 // the handler declares it dead: dead letter, reason rejected
	Interrupted OutcomeKind = 6 // the worker shut down; the attempt is given back

	LeaseExpired OutcomeKind = 16 // no heartbeat in time
	SessionLost  OutcomeKind = 17 // the worker's connections are gone
	LeaseUnheard OutcomeKind = 18 // the claim's reply never reached the worker; does not count as a crash
	Requeued     OutcomeKind = 19 // recovery put it back
	Revoked      OutcomeKind = 20 // cancelled while running
	TimedOut     OutcomeKind = 21 // ran longer than timeout_seconds; counts as a failure
)

var outcomeNames = map[OutcomeKind]string{
	Success: "success", Failure: "failure", Snooze: "snooze", Discard: "cancel", Reject: "dead",
	Interrupted:  "interrupted",
	LeaseExpired: "lease_expired", SessionLost: "session_lost", LeaseUnheard: "lease_unheard", Requeued: "requeued",
	Revoked: "revoked", TimedOut: "timed_out",
}

// Valid reports whether k is one of the outcomes.
func (k OutcomeKind) Valid() bool { return outcomeNames[k] != "" }

func (k OutcomeKind) String() string {
	if n, ok := outcomeNames[k]; ok {
		return n
	}
	return fmt.Sprintf("outcome(%d)", uint8(k))
}

// MarshalText gives the outcome's name.
func (k OutcomeKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the outcome's name.
func (k *OutcomeKind) UnmarshalText(b []byte) error {
	for kind, n := range outcomeNames {
		if n == string(b) {
			*k = kind
			return nil
		}
	}
	return fmt.Errorf("%w: unknown outcome %q", ErrInvalid, clip(string(b)))
}

// Reason says why a task ended without success.
type Reason string

// The reasons.
const (
	RetriesExhausted Reason = "retries_exhausted"
	Poison           Reason = "poison" // its workers kept dying
	Expired          Reason = "expired"
	DependencyFailed Reason = "dependency_failed"
	DependencyGone   Reason = "dependency_deleted" // with PolicyBlock: who it waited for can never be retried any more
	Rejected         Reason = "rejected"
	OnRequest        Reason = "requested" // someone cancelled it
	ByHandler        Reason = "handler"   // its handler cancelled it
)

// Outcome is what a worker reports of one attempt.
type Outcome struct {
	ID         ID
	LeaseID    uint64
	Kind       OutcomeKind
	Result     []byte        // with Success, at most MaxResult
	Error      string        // with the others, at most MaxError
	RetryAfter time.Duration // with Failure (0: the task's backoff) and Snooze
	Submit     []Spec        // with Success: tasks that are submitted together with it, or nothing of both takes effect
	Progress   Progress      // what heartbeats told last; the leader fills it in
}

// Validate checks the fields against their limits. The error wraps ErrInvalid or ErrTooLarge.
func (o *Outcome) Validate() error {
	switch {
	case o.Kind < Success || o.Kind > Interrupted:
		return fmt.Errorf("%w: outcome %d; allowed are 1 success, 2 failure, 3 snooze, 4 cancel, 5 dead, 6 interrupted",
			ErrInvalid, uint8(o.Kind))
	case o.LeaseID == 0:
		return fmt.Errorf("%w: lease_id is missing", ErrInvalid)
	case len(o.Result) > MaxResult:
		return fmt.Errorf("%w: result has %d bytes, at most %d are allowed", ErrTooLarge, len(o.Result), MaxResult)
	case len(o.Result) > 0 && o.Kind != Success:
		return fmt.Errorf("%w: only a success carries a result", ErrInvalid)
	case len(o.Error) > MaxError:
		return fmt.Errorf("%w: error has %d bytes, at most %d are allowed", ErrTooLarge, len(o.Error), MaxError)
	case !utf8.ValidString(o.Error):
		return fmt.Errorf("%w: error is not UTF-8", ErrInvalid)
	case o.Error != "" && o.Kind == Success:
		return fmt.Errorf("%w: a success carries no error", ErrInvalid)
	case o.RetryAfter != 0 && o.Kind != Failure && o.Kind != Snooze:
		return fmt.Errorf("%w: only a failure and a snooze carry retry_after", ErrInvalid)
	case len(o.Submit) > 0 && o.Kind != Success:
		return fmt.Errorf("%w: only a success can submit tasks", ErrInvalid)
	case len(o.Submit) > MaxFollowUps:
		return fmt.Errorf("%w: %d tasks to submit with one result, at most %d are allowed", ErrTooLarge, len(o.Submit),
			MaxFollowUps)
	case o.RetryAfter < 0 || o.RetryAfter > MaxDelay:
		return fmt.Errorf("%w: retry_after %s is not within 0 and %s", ErrInvalid, o.RetryAfter, MaxDelay)
	}
	for i := range o.Submit {
		if err := o.Submit[i].Validate(); err != nil {
			return fmt.Errorf("submit, item %d: %w", i, err)
		}
	}
	return nil
}

// Digest is the first 16 bytes of SHA-256 over kind, result, error and the content hashes of what is submitted with it:
// equal for a repeated report of one outcome.
func (o *Outcome) Digest(submitted [][16]byte) (d [16]byte) {
	h := sha256.New()
	var n [9]byte
	n[0] = byte(o.Kind)
	binary.BigEndian.PutUint64(n[1:], uint64(len(o.Result)))
	h.Write(n[:])
	h.Write(o.Result)
	h.Write([]byte(o.Error))
	for i := range submitted {
		h.Write(submitted[i][:])
	}
	copy(d[:], h.Sum(nil))
	return d
}
