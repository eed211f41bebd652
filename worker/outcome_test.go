package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/haiku-queue/haiku/task"
)

func TestOutcomeOf(t *testing.T) {
	cause := func(err error) context.Context {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(err)
		return ctx
	}
	live, fail := context.Background(), errors.New("no")
	large := make([]byte, task.MaxResult+1)
	v := &task.Task{ID: task.ID{1}, LeaseID: 2, TimeoutSeconds: 9}
	for name, tt := range map[string]struct {
		ctx    context.Context
		result []byte
		err    error
		want   task.Outcome
	}{
		"success": {live, []byte("r"), nil, task.Outcome{Kind: task.Success, Result: []byte("r")}},
		"done before the end": {cause(ErrCancelled), []byte("r"), nil, task.Outcome{Kind: task.Success,
			Result: []byte("r")}},
		"failure": {live, []byte("dropped"), fail, task.Outcome{Kind: task.Failure, Error: "no"}},
		"result too large": {live, large, nil, task.Outcome{Kind: task.Failure,
			Error: "too large: result has 4194305 bytes, at most 4194304 are allowed"}},
		"retry after": {live, nil, RetryAfter(fail, time.Minute), task.Outcome{Kind: task.Failure, Error: "no",
			RetryAfter: time.Minute}},
		"wrapped": {live, nil, fmt.Errorf("x: %w", RetryAfter(fail, time.Minute)),
			task.Outcome{Kind: task.Failure, Error: "x: no", RetryAfter: time.Minute}},
		"retry before": {live, nil, RetryAfter(fail, -1), task.Outcome{Kind: task.Failure, Error: "no"}},
		"retry in a century": {live, nil, RetryAfter(fail, 2*task.MaxDelay), task.Outcome{Kind: task.Failure,
			Error: "no", RetryAfter: task.MaxDelay}},
		"snooze": {live, nil, Snooze(time.Hour), task.Outcome{Kind: task.Snooze, Error: "snooze",
			RetryAfter: time.Hour}},
		"discard":            {live, nil, Discard(fail), task.Outcome{Kind: task.Discard, Error: "no"}},
		"discard, no reason": {live, nil, Discard(nil), task.Outcome{Kind: task.Discard, Error: "cancel"}},
		"reject":             {live, nil, Reject(fail), task.Outcome{Kind: task.Reject, Error: "no"}},
		"timeout": {cause(ErrTimeout), nil, fail, task.Outcome{Kind: task.Failure,
			Error: "ran longer than its timeout of 9 s: no"}},
		"cancelled":             {cause(ErrCancelled), nil, fail, task.Outcome{Kind: task.Discard, Error: "no"}},
		"lease lost":            {cause(ErrLeaseLost), nil, fail, task.Outcome{Kind: task.Interrupted, Error: "no"}},
		"shutdown":              {cause(ErrShutdown), nil, fail, task.Outcome{Kind: task.Interrupted, Error: "no"}},
		"decided at the end":    {cause(ErrShutdown), nil, Reject(fail), task.Outcome{Kind: task.Reject, Error: "no"}},
		"a text that is no one": {live, nil, errors.New("a\xffb"), task.Outcome{Kind: task.Failure, Error: "a?b"}},
	} {
		got := outcomeOf(tt.ctx, v, tt.result, tt.err)
		tt.want.ID, tt.want.LeaseID = v.ID, v.LeaseID
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if err := got.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	long := outcomeOf(live, v, nil, errors.New(strings.Repeat("é", task.MaxError)))
	if len(long.Error) > task.MaxError || !utf8.ValidString(long.Error) {
		t.Errorf("an error of %d bytes", len(long.Error))
	}
	if !errors.Is(RetryAfter(fail, 1), fail) || !errors.Is(Reject(fail), fail) {
		t.Error("the reason is lost")
	}
}

// TestBrokenHandlers: neither a panic nor the end of its goroutine takes the worker down.
func TestBrokenHandlers(t *testing.T) {
	b := start(t, Config{Concurrency: 1}, func(_ context.Context, v *task.Task) ([]byte, error) {
		switch v.Type {
		case "panic":
			panic("at the disco")
		case "exit":
			runtime.Goexit()
		}
		return nil, nil
	})
	b.give(b.task(func(v *task.Task) { v.Type = "panic" }))
	o := b.reported()
	if o.Kind != task.Failure || !strings.HasPrefix(o.Error, "panic: at the disco\n") || !strings.Contains(o.Error,
		"worker.call") {
		t.Errorf("panic: %+v", o)
	}
	b.give(b.task(func(v *task.Task) { v.Type = "exit" }))
	if o = b.reported(); o.Kind != task.Failure || o.Error != "the handler ended its goroutine" {
		t.Errorf("exit: %+v", o)
	}
	b.give(b.task(nil))
	if o = b.reported(); o.Kind != task.Success {
		t.Errorf("afterwards: %+v", o)
	}
	b.finish()
}

func TestTyped(t *testing.T) {
	type in struct{ A, B int }
	h := Typed(func(ctx context.Context, v in) (map[string]int, error) {
		if v.B == 0 {
			return nil, Snooze(time.Second)
		}
		return map[string]int{"quotient": v.A / v.B}, nil
	})
	run := func(payload string) task.Outcome {
		v := &task.Task{ID: task.ID{1}, LeaseID: 1, Payload: []byte(payload)}
		result, err := h(context.Background(), v)
		return outcomeOf(context.Background(), v, result, err)
	}
	if o := run(`{"A":7,"B":2}`); o.Kind != task.Success || string(o.Result) != `{"quotient":3}` {
		t.Errorf("got %+v", o)
	}
	if o := run(`{"A":7}`); o.Kind != task.Snooze {
		t.Errorf("got %+v", o)
	}
	if o := run(`{"A":"x"}`); o.Kind != task.Reject || !strings.HasPrefix(o.Error, "payload: ") {
		t.Errorf("got %+v", o)
	}
	bad := Typed(func(context.Context, json.RawMessage) (chan int, error) { return make(chan int), nil })
	if _, err := bad(context.Background(),
		&task.Task{Payload: []byte("1")}); err == nil || !strings.HasPrefix(err.Error(), "result: ") {
		t.Errorf("got %v", err)
	}
}
