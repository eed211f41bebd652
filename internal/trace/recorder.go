package trace

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/haiku-queue/haiku/task"
)

// maxState bounds the tracestate that a span of a node keeps; a longer one is left out.
const maxState = 512

// Span is a span of a node that has ended.
type Span struct {
	Name       string
	Server     bool // it answers a client; otherwise it is the node's own
	Context    trace.SpanContext
	Parent     trace.SpanContext
	Links      []trace.SpanContext
	Start, End time.Time
	Attributes []attribute.KeyValue
	Error      string // why it failed; empty for success
}

// Recorder makes the spans of a node. A nil one makes none.
type Recorder struct {
	below  uint64 // traces with a lower number are recorded
	record func(Span)
}

// NewRecorder returns a recorder of a share of the sampled traces, from 0 to 1: the same ones as OpenTelemetry's
// TraceIDRatioBased chooses. record must not block.
func NewRecorder(share float64, record func(Span)) *Recorder {
	return &Recorder{below: uint64(max(0, min(share, 1)) * (1 << 63)), record: record}
}

// Now is the present moment for who records, the zero time for who does not.
func (r *Recorder) Now() time.Time {
	if r == nil {
		return time.Time{}
	}
	return time.Now()
}

// of returns the context that a task's headers carry if it is sampled and recorded, nil otherwise.
func (r *Recorder) of(headers []task.Header) *trace.SpanContext {
	at := Of(headers)
	id := at.TraceID()
	if !at.IsValid() || !at.IsSampled() || binary.BigEndian.Uint64(id[8:])>>1 >= r.below {
		return nil
	}
	if len(at.TraceState().String()) > maxState {
		at = at.WithTraceState(trace.TraceState{})
	}
	return &at
}

// Task is a running task whose trace the node records. A nil one is not recorded.
type Task struct {
	r      *Recorder
	parent trace.SpanContext
	about  []attribute.KeyValue
}

// Task returns a running task as far as its trace is recorded, nil if it is not.
func (r *Recorder) Task(t *task.Task) *Task {
	if r == nil {
		return nil
	}
	at := r.of(t.Headers)
	if at == nil {
		return nil
	}
	return &Task{r, *at, []attribute.KeyValue{
		semconv.MessagingSystemKey.String(system), semconv.MessagingDestinationName(t.Queue),
		semconv.MessagingMessageID(t.ID.String()), semconv.MessagingClientID(t.WorkerID), taskTypeKey.String(t.Type),
		attemptKey.Int64(int64(t.Attempt)), leaseKey.Int64(int64(t.LeaseID)),
	}}
}

// Step records what the node did for the task from begin until now.
func (t *Task) Step(name string, begin time.Time, err error) {
	if t == nil {
		return
	}
	s := child(name, t.parent, begin)
	s.Attributes = t.about
	t.r.finish(s, time.Now(), err)
}

func (r *Recorder) finish(s Span, end time.Time, err error) {
	s.End = end
	if err != nil {
		s.Error = task.ClipText(err.Error(), maxText)
	}
	r.record(s)
}

// child begins a span below another one.
func child(name string, parent trace.SpanContext, begin time.Time) Span {
	var id trace.SpanID
	binary.BigEndian.PutUint64(id[:], 1+rand.Uint64N(1<<64-1)) // zero is no id
	return Span{Name: name, Context: parent.WithSpanID(id).WithRemote(false), Parent: parent, Start: begin}
}

// Request is a submit that the node works on and records. A nil one is not recorded.
type Request struct {
	r    *Recorder
	span Span
}

// Receive begins the span of a submit that came at a moment, within the trace of the first task whose context is
// recorded and linked to those of the others; nil if there is none.
func (r *Recorder) Receive(specs []task.Spec, came time.Time) *Request {
	if r == nil {
		return nil
	}
	var q *Request
	for i := range specs {
		at := r.of(specs[i].Headers)
		switch {
		case at == nil:
		case q == nil:
			q = &Request{r, child("receive", *at, came)}
		case !at.Equal(q.span.Parent) && len(q.span.Links) < maxLinks && !slices.ContainsFunc(q.span.Links, at.Equal):
			q.span.Links = append(q.span.Links, *at)
		}
	}
	if q == nil {
		return nil
	}
	queue, _ := shared(specs)
	q.span.Server = true
	q.span.Attributes = about("submit", semconv.MessagingOperationTypeSend, queue)
	if len(specs) == 1 {
		q.span.Attributes = append(q.span.Attributes, semconv.MessagingMessageID(specs[0].ID.String()),
			taskTypeKey.String(specs[0].Type))
	} else {
		q.span.Attributes = append(q.span.Attributes, semconv.MessagingBatchMessageCount(len(specs)))
	}
	return q
}

type requestKey struct{}

// In returns a context in which From finds the request.
func (q *Request) In(ctx context.Context) context.Context {
	if q == nil {
		return ctx
	}
	return context.WithValue(ctx, requestKey{}, q)
}

// From returns the recorded request that a context belongs to, nil if there is none.
func From(ctx context.Context) *Request {
	q, _ := ctx.Value(requestKey{}).(*Request)
	return q
}

// Step records a part of the work on the request.
func (q *Request) Step(name string, begin, end time.Time, err error) {
	if q != nil {
		q.r.finish(child(name, q.span.Context, begin), end, err)
	}
}

// End records the request.
func (q *Request) End(receipts []task.Receipt, err error) {
	if q == nil {
		return
	}
	if refused, first := refusals(receipts); refused > 0 && err == nil {
		err = first
		q.span.Attributes = append(q.span.Attributes, refusedKey.Int(refused))
	}
	q.r.finish(q.span, time.Now(), err)
}
