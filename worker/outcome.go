package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// decision is an error by which a handler says what is to become of its task.
type decision struct {
	kind  task.OutcomeKind
	after time.Duration
	err   error
}

func (d *decision) Error() string {
	if d.err == nil {
		return d.kind.String()
	}
	return d.err.Error()
}

func (d *decision) Unwrap() error { return d.err }

// RetryAfter is a failure that is retried after d, instead of the task's backoff.
func RetryAfter(err error, d time.Duration) error {
	return &decision{kind: task.Failure, after: d, err: err}
}

// Snooze has the task run again after d. It is no failure and uses no attempt.
func Snooze(d time.Duration) error { return &decision{kind: task.Snooze, after: d} }

// Discard cancels the task: no retry, no dead letter. err says why and may be nil.
func Discard(err error) error { return &decision{kind: task.Discard, err: err} }

// Reject makes the task a dead letter at once: no retry would help. err says why and may be nil.
func Reject(err error) error { return &decision{kind: task.Reject, err: err} }

// outcomeOf says what a handler's return means. ctx is the handler's.
func outcomeOf(ctx context.Context, t *task.Task, result []byte, err error) task.Outcome {
	o := task.Outcome{ID: t.ID, LeaseID: t.LeaseID}
	if err == nil && len(result) > task.MaxResult {
		err = fmt.Errorf("%w: result has %d bytes, at most %d are allowed", task.ErrTooLarge, len(result), task.MaxResult)
	}
	if err == nil {
		o.Kind, o.Result = task.Success, result // whatever came of the context: it was done first
		return o
	}
	o.Error = errorText(err)
	var d *decision
	switch cause := context.Cause(ctx); {
	case errors.As(err, &d):
		o.Kind, o.RetryAfter = d.kind, min(max(d.after, 0), task.MaxDelay)
	case errors.Is(cause, ErrTimeout):
		o.Kind, o.Error = task.Failure, errorText(fmt.Errorf("%w of %d s: %w", ErrTimeout, t.TimeoutSeconds, err))
	case errors.Is(cause, ErrCancelled):
		o.Kind = task.Discard
	case cause != nil: // ErrShutdown or ErrLeaseLost: it is not the task's fault
		o.Kind = task.Interrupted
	default:
		o.Kind = task.Failure
	}
	return o
}

// failureOf names in a word why an attempt has failed; empty if it has not. ctx is the handler's.
func failureOf(ctx context.Context, kind task.OutcomeKind) string {
	switch cause := context.Cause(ctx); {
	case kind == task.Success, kind == task.Snooze, kind == task.Discard:
		return ""
	case errors.Is(cause, ErrTimeout):
		return "timeout"
	case kind == task.Interrupted && errors.Is(cause, ErrLeaseLost):
		return "lease_lost"
	}
	return kind.String()
}

// errorText is an error as it is reported.
func errorText(err error) string {
	return task.ClipText(strings.ToValidUTF8(err.Error(), "?"), task.MaxError)
}
