package worker

import (
	"context"
	"errors"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	api "go.opentelemetry.io/otel/trace"

	"github.com/haiku-queue/haiku/internal/trace"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// TestAttemptIsASpan: a child of what submitted the task, linked to it, with what came of the attempt. What the handler
// enqueues belongs to its span.
func TestAttemptIsASpan(t *testing.T) {
	for name, tt := range map[string]struct {
		err     error
		outcome string
		failure string
	}{
		"success": {nil, "success", ""},
		"failure": {errors.New("no luck"), "failure", "failure"},
		"reject":  {Reject(errors.New("never")), "dead", "dead"},
		"snooze":  {Snooze(1), "snooze", ""},
	} {
		t.Run(name, func(t *testing.T) {
			spans := tracetest.NewInMemoryExporter()
			provider := sdk.NewTracerProvider(sdk.WithSyncer(spans))
			b := start(t, Config{TracerProvider: provider}, func(ctx context.Context, t *task.Task) ([]byte, error) {
				if !api.SpanFromContext(ctx).IsRecording() || TaskOf(ctx) != t {
					return nil, Reject(errors.New("the handler's context has no span, or no task"))
				}
				_, err := Enqueue(ctx, task.Spec{Type: "next"})
				return nil, errors.Join(err, tt.err)
			})
			given := b.task(func(t *task.Task) {
				t.Attempt, t.Queue, t.Headers = 3, "q", []task.Header{{Name: "traceparent", Value: parent}}
			})
			b.give(given)
			r := b.n.Next(wire.TaskResult)
			reported, _ := outcomes(r)
			accept(r)
			b.finish()
			list := spans.GetSpans()
			if len(list) != 2 {
				t.Fatalf("%d spans", len(list))
			}
			created, s := list[0], list[1]
			if s.Name != "process q" || s.SpanKind != api.SpanKindConsumer || s.Parent.SpanID().String() != "b7ad6b7169203331" ||
				len(s.Links) != 1 || !s.Links[0].SpanContext.Equal(s.Parent) {
				t.Errorf("the span is %+v", s)
			}
			got := make(map[attribute.Key]string)
			for _, a := range s.Attributes {
				got[a.Key] = a.Value.Emit()
			}
			for key, want := range map[attribute.Key]string{
				"messaging.system": "haiku", "messaging.operation.type": "process", "messaging.operation.name": "process",
				"messaging.destination.name": "q", "messaging.message.id": given.ID.String(), "messaging.client.id": given.WorkerID,
				"haiku.task.attempt": "3", "haiku.task.outcome": tt.outcome, "error.type": tt.failure,
			} {
				if got[key] != want {
					t.Errorf("%s is %q, want %q", key, got[key], want)
				}
			}
			if failed := s.Status.Code == codes.Error; failed != (tt.failure != "") {
				t.Errorf("the status is %+v", s.Status)
			}
			if created.Name != "enqueue default" || created.SpanKind != api.SpanKindProducer ||
				created.Parent.SpanID() != s.SpanContext.SpanID() {
				t.Errorf("what was enqueued is %+v", created)
			}
			if tt.err == nil {
				if at := trace.Of(reported[0].Submit[0].Headers); at.SpanID() != created.SpanContext.SpanID() {
					t.Errorf("it carries %v", reported[0].Submit[0].Headers)
				}
			}
		})
	}
}

// TestAttemptWithoutSDK: a task's context stays where it is, and nothing is enqueued with headers.
func TestAttemptWithoutSDK(t *testing.T) {
	b := start(t, Config{}, func(ctx context.Context, t *task.Task) ([]byte, error) {
		if api.SpanContextFromContext(ctx).IsValid() {
			return nil, Reject(errors.New("the handler's context belongs to a trace"))
		}
		_, err := Enqueue(ctx, task.Spec{Type: "next"})
		return nil, err
	})
	b.give(b.task(func(t *task.Task) { t.Headers = []task.Header{{Name: "traceparent", Value: parent}} }))
	if o := b.reported(); o.Kind != task.Success || len(o.Submit) != 1 || len(o.Submit[0].Headers) != 0 {
		t.Errorf("reported %+v", o)
	}
	b.finish()
}
