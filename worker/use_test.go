package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/haiku-queue/haiku/internal/fakenode"
	"github.com/haiku-queue/haiku/task"
)

// TestUse: what was given first is outermost, sees panics of the handler as errors, can change the outcome, and may
// itself panic.
func TestUse(t *testing.T) {
	trace := make(chan string, 10)
	note := func(name string) func(Handler) Handler {
		return func(next Handler) Handler {
			return func(ctx context.Context, v *task.Task) ([]byte, error) {
				trace <- name + " in"
				result, err := next(ctx, v)
				trace <- fmt.Sprintf("%s out %.11v", name, err)
				return result, err
			}
		}
	}
	guard := func(next Handler) Handler {
		return func(ctx context.Context, v *task.Task) ([]byte, error) {
			switch v.Type {
			case "forbidden":
				return nil, Reject(errors.New("not here"))
			case "broken":
				panic("in between")
			}
			return next(ctx, v)
		}
	}
	b := startAt(t, fakenode.Start(t), Config{Concurrency: 1}, func(context.Context, *task.Task) ([]byte, error) {
		panic("at the disco")
	}, note("a"), note("b"), guard)
	b.give(b.task(nil))
	if o := b.reported(); o.Kind != task.Failure || !strings.Contains(o.Error, "at the disco\ngoroutine") {
		t.Errorf("reported %+v", o)
	}
	for _, want := range []string{"a in", "b in", "b out panic: at t", "a out panic: at t"} {
		if got := get(t, trace); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	b.give(b.task(func(v *task.Task) { v.Type = "forbidden" }))
	if o := b.reported(); o.Kind != task.Reject || o.Error != "not here" {
		t.Errorf("reported %+v", o)
	}
	b.give(b.task(func(v *task.Task) { v.Type = "broken" }))
	if o := b.reported(); o.Kind != task.Failure || !strings.HasPrefix(o.Error, "panic: in between\n") {
		t.Errorf("reported %+v", o)
	}
	b.finish()
}
