package trace

import (
	"context"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/haiku-queue/haiku/task"
)

// Of returns the context of a trace that a task's headers carry; an invalid one if there is none or it is malformed.
func Of(headers []task.Header) trace.SpanContext {
	if !carries(headers) {
		return trace.SpanContext{}
	}
	found := carrier(headers)
	return trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), &found))
}

// carries reports whether headers have a context of their own, be it a bad one.
func carries(headers []task.Header) bool {
	return slices.ContainsFunc(headers, func(h task.Header) bool {
		return h.Name == task.HeaderTraceParent || h.Name == task.HeaderTraceState
	})
}

// carrier is a task's headers as OpenTelemetry reads and writes them.
type carrier []task.Header

// Get returns the value of a header, empty if there is none.
func (c *carrier) Get(name string) string {
	for _, h := range *c {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

// Set adds a header.
func (c *carrier) Set(name, value string) { *c = append(*c, task.Header{Name: name, Value: value}) }

// Keys lists the names of the headers.
func (c *carrier) Keys() []string {
	names := make([]string, len(*c))
	for i, h := range *c {
		names[i] = h.Name
	}
	return names
}

// headersOf is a context as headers: traceparent, and tracestate if it has one. None if it is invalid.
func headersOf(span trace.SpanContext) []task.Header {
	var c carrier
	propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(context.Background(), span), &c)
	// The one that counts comes first: its name does in the alphabet, too.
	slices.SortFunc(c, func(a, b task.Header) int { return strings.Compare(a.Name, b.Name) })
	return c
}

// Carry adds a context that came in the form of the two headers to a task's own headers, unless it is malformed, the task
// has one of its own or no room for it.
func Carry(own []task.Header, parent, state string) []task.Header {
	at := Of([]task.Header{{Name: task.HeaderTraceParent, Value: parent}, {Name: task.HeaderTraceState, Value: state}})
	return with(own, headersOf(at))
}

// with adds the headers of a context to a task's own, as far as a task may have headers. One that has a context of its
// own, be it a bad one, keeps it. The slice given is not written to.
func with(own, more []task.Header) []task.Header {
	if carries(own) {
		return own
	}
	size := 0
	for _, h := range own {
		size += len(h.Name) + len(h.Value)
	}
	headers := slices.Clip(own)
	for _, h := range more {
		if size += len(h.Name) + len(h.Value); size > task.MaxHeaders || len(headers) >= task.MaxHeaderCount {
			break
		}
		headers = append(headers, h)
	}
	return headers
}
