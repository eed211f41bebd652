package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/haiku-queue/haiku/task"
)

// Handler runs one attempt of a task. A nil error is success with the result; any other is a failure, which is retried
// as the task says, unless it is one of RetryAfter, Snooze, Discard or Reject. A panic is a failure.
type Handler func(ctx context.Context, t *task.Task) (result []byte, err error)

// The causes for which a handler's context ends: see context.Cause.
var (
	// ErrTimeout: the attempt ran longer than the task's timeout_seconds.
	ErrTimeout = errors.New("ran longer than its timeout")
	// ErrCancelled: someone asked to cancel the task.
	ErrCancelled = errors.New("cancelled on request")
	// ErrLeaseLost: the lease is over or could not be confirmed; another worker may run the task.
	ErrLeaseLost = errors.New("lease lost")
	// ErrShutdown: the worker shuts down and has waited long enough.
	ErrShutdown = errors.New("worker shuts down")
)

// Typed makes a handler of a function that takes its payload, and gives its result, as JSON. A payload that is not JSON
// of In never will be: the task is rejected. TaskOf(ctx) is the task.
func Typed[In, Out any](h func(ctx context.Context, in In) (Out, error)) Handler {
	return func(ctx context.Context, t *task.Task) ([]byte, error) {
		var in In
		if err := json.Unmarshal(t.Payload, &in); err != nil {
			return nil, Reject(fmt.Errorf("payload: %w", err))
		}
		out, err := h(ctx, in)
		if err != nil {
			return nil, err
		}
		result, err := json.Marshal(out)
		if err != nil {
			return nil, fmt.Errorf("result: %w", err)
		}
		return result, nil
	}
}

type leaseKey struct{}

// TaskOf returns the task that a handler's context belongs to, nil for other contexts.
func TaskOf(ctx context.Context) *task.Task {
	if l, ok := ctx.Value(leaseKey{}).(*lease); ok {
		return l.task
	}
	return nil
}

// Report tells how far a handler has come; the next heartbeat carries it. The cursor reaches the next attempt, if this
// one does not end well. The error wraps task.ErrInvalid or task.ErrTooLarge.
func Report(ctx context.Context, p task.Progress) error {
	l, ok := ctx.Value(leaseKey{}).(*lease)
	if !ok {
		return fmt.Errorf("%w: the context is no handler's", task.ErrInvalid)
	}
	if err := p.Validate(); err != nil {
		return err
	}
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	l.progress = p
	return nil
}

// Enqueue has a task submitted together with the success of the handler's own: the broker takes both or neither. If the
// handler does not succeed nothing is submitted. If the broker refuses the task, the handler's attempt is a failure. The
// id is spec's, or a fresh one. With an OpenTelemetry SDK the task belongs to the trace of ctx. The error wraps
// task.ErrInvalid or task.ErrTooLarge.
func Enqueue(ctx context.Context, spec task.Spec) (task.ID, error) {
	l, ok := ctx.Value(leaseKey{}).(*lease)
	if !ok {
		return task.ID{}, fmt.Errorf("%w: the context is no handler's", task.ErrInvalid)
	}
	if spec.ID == (task.ID{}) {
		spec.ID = task.NewID()
	}
	if err := spec.Validate(); err != nil {
		return task.ID{}, err
	}
	spec.Headers = l.r.w.spans.Create(ctx, &spec)
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	if len(l.submit) >= task.MaxFollowUps {
		return task.ID{}, fmt.Errorf("%w: a handler can enqueue %d tasks", task.ErrTooLarge, task.MaxFollowUps)
	}
	l.submit = append(l.submit, spec)
	return spec.ID, nil
}

// maxStack bounds the stack in the error of a handler that panicked.
const maxStack = 8 << 10

// recovered makes an error of a handler's panic.
func recovered(h Handler) Handler {
	return func(ctx context.Context, t *task.Task) ([]byte, error) { return call(ctx, h, t) }
}

// call runs a handler. A panic becomes an error.
func call(ctx context.Context, h Handler, t *task.Task) (result []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			result, err = nil, fmt.Errorf("panic: %v\n%s", p, task.ClipText(string(debug.Stack()), maxStack))
		}
	}()
	return h(ctx, t)
}
