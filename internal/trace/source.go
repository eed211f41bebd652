package trace

import (
	"context"
	"reflect"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// scope is who makes the spans, as OpenTelemetry names it.
const scope = "github.com/haiku-queue/haiku"

// system is the value of messaging.system.
const system = "haiku"

// Source makes the spans of a client and its worker. Without an SDK it makes none, and asking it allocates nothing.
type Source struct {
	provider trace.TracerProvider // nil for the process's own, whatever that is at the time
	known    atomic.Pointer[origin]
}

// origin is what is known of a provider.
type origin struct {
	provider trace.TracerProvider
	tracer   trace.Tracer // nil if it makes no spans
}

// NewSource returns a source of spans. provider may be nil for otel.GetTracerProvider, which is asked each time, so that
// an SDK may be set later.
func NewSource(provider trace.TracerProvider) *Source { return &Source{provider: provider} }

// origin returns where spans come from now, nil if there is nobody to make them.
func (s *Source) origin() *origin {
	provider := s.provider
	if provider == nil {
		provider = otel.GetTracerProvider()
	}
	known := s.known.Load()
	if known == nil || known.provider != provider {
		known = &origin{provider, provider.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL))}
		s.keep(known)
	}
	if known.tracer == nil {
		return nil
	}
	return known
}

// keep notes what is known of a provider. One that cannot be compared is asked anew each time.
func (s *Source) keep(o *origin) {
	if reflect.TypeOf(o.provider).Comparable() {
		s.known.Store(o)
	}
}

// start makes a span; nil if there is none to be made. An SDK gives each span an id of its own, sampled or not. Where
// there is none the context's own span comes back; its provider is not asked again.
func (s *Source) start(ctx context.Context, o *origin, name string, kind trace.SpanKind, about []attribute.KeyValue,
	links []trace.Link) (context.Context, trace.Span) {
	before := trace.SpanContextFromContext(ctx)
	within, span := o.tracer.Start(ctx, name, trace.WithSpanKind(kind), trace.WithAttributes(about...),
		trace.WithLinks(links...))
	if made := span.SpanContext(); !made.IsValid() || made.SpanID() == before.SpanID() {
		s.keep(&origin{provider: o.provider})
		return ctx, nil
	}
	return within, span
}

// named is the name of a span: what is done, and with which queue.
func named(operation, queue string) string {
	if queue == "" {
		return operation
	}
	return operation + " " + queue
}

// about lists what every span of a queue says.
func about(operation string, typ attribute.KeyValue, queue string) []attribute.KeyValue {
	list := []attribute.KeyValue{
		semconv.MessagingSystemKey.String(system), semconv.MessagingOperationName(operation), typ,
	}
	if queue != "" {
		list = append(list, semconv.MessagingDestinationName(queue))
	}
	return list
}

const (
	taskTypeKey  = attribute.Key("haiku.task.type")
	attemptKey   = attribute.Key("haiku.task.attempt")
	leaseKey     = attribute.Key("haiku.task.lease_id")
	outcomeKey   = attribute.Key("haiku.task.outcome")
	duplicateKey = attribute.Key("haiku.task.duplicate")
	refusedKey   = attribute.Key("haiku.batch.refused_count")
)
