package otlp

import (
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	api "go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/haiku-queue/haiku/internal/trace"
)

// The request is an ExportTraceServiceRequest of opentelemetry-proto, whose numbers never change. Of each message only
// these fields are used:
//
//	request        1 resource_spans
//	ResourceSpans  1 resource, 2 scope_spans
//	Resource       1 attributes
//	ScopeSpans     1 scope, 2 spans, 3 schema_url
//	Scope          1 name, 2 version
//	Span           1 trace_id, 2 span_id, 3 trace_state, 4 parent_span_id, 5 name, 6 kind, 7 start, 8 end (fixed64,
//	               nanoseconds), 9 attributes, 13 links, 15 status, 16 flags (fixed32)
//	Link           1 trace_id, 2 span_id, 3 trace_state, 6 flags (fixed32)
//	Status         2 message, 3 code
//	KeyValue       1 key, 2 value
//	AnyValue       1 string, 2 bool, 3 int
const (
	kindInternal = 1
	kindServer   = 2
	statusError  = 2
	// Beside the flags of the W3C: whether the parent, or the link, is in another process is known, and is so.
	flagKnown  = 0x100
	flagRemote = 0x200
	scopeName  = "github.com/haiku-queue/haiku"
)

// encode makes the body of a request.
func encode(cfg *Config, spans []trace.Span) []byte {
	resource := []attribute.KeyValue{
		semconv.ServiceName(cfg.Service), semconv.ServiceVersion(cfg.Version), semconv.ServiceInstanceID(cfg.Instance),
		attribute.String("haiku.node.name", cfg.Node),
	}
	scope := text(text(nil, 1, scopeName), 2, cfg.Version)
	list := message(nil, 1, scope)
	for i := range spans {
		list = message(list, 2, span(&spans[i]))
	}
	list = text(list, 3, semconv.SchemaURL)
	of := message(nil, 1, attributes(nil, 1, resource))
	return message(nil, 1, message(of, 2, list))
}

func span(s *trace.Span) []byte {
	b := place(nil, s.Context)
	parent := s.Parent.SpanID()
	b = text(message(b, 4, parent[:]), 5, s.Name)
	kind := uint64(kindInternal)
	if s.Server {
		kind = kindServer
	}
	b = number(b, 6, kind)
	b = moment(moment(b, 7, s.Start), 8, s.End)
	b = attributes(b, 9, s.Attributes)
	for _, at := range s.Links {
		b = message(b, 13, flags(place(nil, at), 6, at, at))
	}
	if s.Error != "" {
		b = message(b, 15, number(text(nil, 2, s.Error), 3, statusError))
	}
	return flags(b, 16, s.Context, s.Parent)
}

// place is trace_id, span_id and trace_state, which stand first in spans and links.
func place(b []byte, at api.SpanContext) []byte {
	traceID, spanID := at.TraceID(), at.SpanID()
	return text(message(message(b, 1, traceID[:]), 2, spanID[:]), 3, at.TraceState().String())
}

func flags(b []byte, field protowire.Number, at, other api.SpanContext) []byte {
	v := uint32(at.TraceFlags()) | flagKnown
	if other.IsRemote() {
		v |= flagRemote
	}
	return protowire.AppendFixed32(protowire.AppendTag(b, field, protowire.Fixed32Type), v)
}

func attributes(b []byte, field protowire.Number, list []attribute.KeyValue) []byte {
	for _, a := range list {
		var value []byte
		switch a.Value.Type() {
		case attribute.INT64:
			value = protowire.AppendVarint(protowire.AppendTag(nil, 3, protowire.VarintType), uint64(a.Value.AsInt64()))
		case attribute.BOOL:
			value = protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), protowire.EncodeBool(a.Value.AsBool()))
		default:
			value = protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), a.Value.Emit())
		}
		b = message(b, field, message(text(nil, 1, string(a.Key)), 2, value))
	}
	return b
}

func message(b []byte, field protowire.Number, body []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), body)
}

func text(b []byte, field protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func number(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func moment(b []byte, field protowire.Number, t time.Time) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, field, protowire.Fixed64Type), uint64(t.UnixNano()))
}
