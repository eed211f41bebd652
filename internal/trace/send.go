package trace

import (
	"context"
	"net"
	"slices"
	"strconv"

	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/haiku-queue/haiku/task"
)

const (
	maxLinks = 64      // of one span
	maxText  = 1 << 10 // bytes of an error in a span
)

// Sending is the span of one submit, of any number of tasks. The zero value is one that nobody records.
type Sending struct {
	span    trace.Span
	headers []task.Header
}

// Send begins the span of a submit. It is linked to the contexts that tasks bring along in headers of their own.
func (s *Source) Send(ctx context.Context, specs []task.Spec) Sending {
	from := s.origin()
	if from == nil || len(specs) == 0 {
		return Sending{}
	}
	queue, typ := shared(specs)
	more := about("submit", semconv.MessagingOperationTypeSend, queue)
	if typ != "" {
		more = append(more, taskTypeKey.String(typ))
	}
	if len(specs) == 1 {
		more = append(more, semconv.MessagingMessageBodySize(len(specs[0].Payload)))
	} else {
		more = append(more, semconv.MessagingBatchMessageCount(len(specs)))
	}
	_, span := s.start(ctx, from, named("submit", queue), trace.SpanKindProducer, more, linksOf(specs))
	if span == nil {
		return Sending{}
	}
	return Sending{span, headersOf(span.SpanContext())}
}

// Recorded reports whether there is a span that End has to end.
func (s *Sending) Recorded() bool { return s.span != nil }

// Headers returns a task's headers with the context of the submit, unless it has one of its own or no room.
func (s *Sending) Headers(own []task.Header) []task.Header {
	if s.span == nil {
		return own
	}
	return with(own, s.headers)
}

// End ends a span that is recorded. server is the HOST:PORT of who was asked last; kind names an error in a word.
func (s *Sending) End(receipts []task.Receipt, err error, server string, kind func(error) string) {
	if host, port, wrong := net.SplitHostPort(server); wrong == nil {
		s.span.SetAttributes(semconv.ServerAddress(host))
		if n, wrong := strconv.Atoi(port); wrong == nil {
			s.span.SetAttributes(semconv.ServerPort(n))
		}
	}
	if len(receipts) == 1 {
		s.span.SetAttributes(semconv.MessagingMessageID(receipts[0].ID.String()))
		if receipts[0].Duplicate {
			s.span.SetAttributes(duplicateKey.Bool(true))
		}
	}
	if refused, first := refusals(receipts); refused > 0 {
		if err == nil {
			err = first
		}
		if len(receipts) > 1 {
			s.span.SetAttributes(refusedKey.Int(refused))
		}
	}
	if err != nil {
		fail(s.span, kind(err), err.Error())
	}
	s.span.End()
}

func refusals(receipts []task.Receipt) (count int, first error) {
	for _, r := range receipts {
		if r.Err != nil {
			if count++; count == 1 {
				first = r.Err
			}
		}
	}
	return count, first
}

func fail(span trace.Span, kind, why string) {
	span.SetAttributes(semconv.ErrorTypeKey.String(kind))
	span.SetStatus(codes.Error, task.ClipText(why, maxText))
}

// Create makes the span of a task that is submitted later, with another request, and returns its headers.
func (s *Source) Create(ctx context.Context, spec *task.Spec) []task.Header {
	from := s.origin()
	if from == nil {
		return spec.Headers
	}
	queue := queueOf(spec)
	more := append(about("enqueue", semconv.MessagingOperationTypeCreate, queue), taskTypeKey.String(spec.Type),
		semconv.MessagingMessageID(spec.ID.String()), semconv.MessagingMessageBodySize(len(spec.Payload)))
	_, span := s.start(ctx, from, named("enqueue", queue), trace.SpanKindProducer, more, linksOf([]task.Spec{*spec}))
	if span == nil {
		return spec.Headers
	}
	span.End()
	return with(spec.Headers, headersOf(span.SpanContext()))
}

// shared returns the queue and the type of all tasks; empty where they differ.
func shared(specs []task.Spec) (queue, typ string) {
	queue, typ = queueOf(&specs[0]), specs[0].Type
	for i := range specs {
		if queueOf(&specs[i]) != queue {
			queue = ""
		}
		if specs[i].Type != typ {
			typ = ""
		}
	}
	return queue, typ
}

func queueOf(spec *task.Spec) string {
	if spec.Queue == "" {
		return task.DefaultQueue
	}
	return spec.Queue
}

// linksOf leads to the contexts that tasks carry, each once.
func linksOf(specs []task.Spec) []trace.Link {
	var links []trace.Link
	for i := range specs {
		at := Of(specs[i].Headers)
		known := func(l trace.Link) bool { return l.SpanContext.Equal(at) }
		if at.IsValid() && len(links) < maxLinks && !slices.ContainsFunc(links, known) {
			links = append(links, trace.Link{SpanContext: at})
		}
	}
	return links
}

// Attempt is the span of a handler's run. The zero value is one that nobody records.
type Attempt struct{ span trace.Span }

// Process begins the span of an attempt and returns the context for the handler. The span is a child of the one that
// submitted the task, and linked to it.
func (s *Source) Process(ctx context.Context, t *task.Task) (context.Context, Attempt) {
	from := s.origin()
	if from == nil {
		return ctx, Attempt{}
	}
	within := ctx
	var links []trace.Link
	if creator := Of(t.Headers); creator.IsValid() {
		within = trace.ContextWithRemoteSpanContext(ctx, creator)
		links = []trace.Link{{SpanContext: creator}}
	}
	more := append(about("process", semconv.MessagingOperationTypeProcess, t.Queue),
		semconv.MessagingMessageID(t.ID.String()), semconv.MessagingMessageBodySize(len(t.Payload)),
		semconv.MessagingClientID(t.WorkerID), taskTypeKey.String(t.Type), attemptKey.Int64(int64(t.Attempt)),
		leaseKey.Int64(int64(t.LeaseID)))
	within, span := s.start(within, from, named("process", t.Queue), trace.SpanKindConsumer, more, links)
	if span == nil {
		return ctx, Attempt{}
	}
	return within, Attempt{span}
}

// End ends the span with what is reported of the attempt. failure names in a word why it is a failure; empty if it is
// none.
func (a Attempt) End(o *task.Outcome, failure string) {
	if a.span == nil {
		return
	}
	a.span.SetAttributes(outcomeKey.String(o.Kind.String()))
	if failure != "" {
		fail(a.span, failure, o.Error)
	}
	a.span.End()
}
