package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	api "go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/haiku-queue/haiku/internal/fakenode"
	carried "github.com/haiku-queue/haiku/internal/trace"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// traced is a client whose spans the test sees.
func traced(t *testing.T, nodes ...*fakenode.Node) (*Client, *tracetest.InMemoryExporter, *trace.TracerProvider) {
	t.Helper()
	spans := tracetest.NewInMemoryExporter()
	provider := trace.NewTracerProvider(trace.WithSyncer(spans))
	return newClient(t, func(cfg *Config) { cfg.TracerProvider = provider }, nodes...), spans, provider
}

func attributes(s tracetest.SpanStub) map[attribute.Key]string {
	out := make(map[attribute.Key]string)
	for _, a := range s.Attributes {
		out[a.Key] = a.Value.Emit()
	}
	return out
}

// TestSubmitIsASpan: the span is within the caller's, says what the conventions ask for, and its context travels.
func TestSubmitIsASpan(t *testing.T) {
	n := fakenode.Start(t)
	c, spans, provider := traced(t, n)
	ctx, outer := provider.Tracer("test").Start(within(t), "outer")
	id := task.NewID()
	own := []task.Header{{Name: "a", Value: "1"}}
	done := later(func() error {
		_, err := c.SubmitSpec(ctx, task.Spec{ID: id, Type: "t", Queue: "q", Payload: []byte("four"), Headers: own[:1:1]})
		return err
	})
	r := n.Next(wire.SubmitTask)
	sent := r.Submitted()[0]
	r.Accept(true)
	mustBe(t, <-done, nil)
	s := spans.GetSpans()[0]
	if s.Name != "submit q" || s.SpanKind != api.SpanKindProducer || s.Status.Code != codes.Unset ||
		s.Parent.SpanID() != outer.SpanContext().SpanID() || len(s.Links) != 0 {
		t.Errorf("the span is %+v", s)
	}
	host, port, _ := strings.Cut(n.Addr(), ":")
	got := attributes(s)
	for key, want := range map[attribute.Key]string{
		"messaging.system": "haiku", "messaging.operation.name": "submit", "messaging.operation.type": "send",
		"messaging.destination.name": "q", "messaging.message.id": id.String(), "messaging.message.body.size": "4",
		"haiku.task.type": "t", "haiku.task.duplicate": "true", "server.address": host, "server.port": port,
	} {
		if got[key] != want {
			t.Errorf("%s is %q, want %q", key, got[key], want)
		}
	}
	want := fmt.Sprintf("00-%s-%s-01", s.SpanContext.TraceID(), s.SpanContext.SpanID())
	if len(sent.Headers) != 2 || sent.Headers[0] != own[0] || sent.Headers[1] != (task.Header{Name: "traceparent", Value: want}) {
		t.Errorf("the headers are %v", sent.Headers)
	}
}

// TestSubmitAgainSameHeaders: what the library repeats has the same bytes, and what a caller submits again in another
// span has the same content.
func TestSubmitAgainSameHeaders(t *testing.T) {
	a, b := fakenode.Start(t), fakenode.Start(t)
	c, spans, _ := traced(t, a, b)
	spec := NewSpec("t", nil, ID(task.NewID()))
	done := later(func() error { _, err := c.SubmitSpec(within(t), spec); return err })
	first := a.Next(wire.SubmitTask).Submitted()[0]
	a.Stop()
	r := b.Next(wire.SubmitTask)
	second := r.Submitted()[0]
	r.Accept(false)
	mustBe(t, <-done, nil)
	if len(first.Headers) != 1 || first.Headers[0] != second.Headers[0] {
		t.Errorf("sent with %v, then with %v", first.Headers, second.Headers)
	}
	if count := len(spans.GetSpans()); count != 1 {
		t.Errorf("%d spans", count)
	}
	done = later(func() error { _, err := c.SubmitSpec(within(t), spec); return err })
	r = b.Next(wire.SubmitTask)
	third := r.Submitted()[0]
	r.Accept(true)
	mustBe(t, <-done, nil)
	if third.Headers[0] == first.Headers[0] || third.ContentHash() != first.ContentHash() {
		t.Errorf("%v after %v: content %x after %x", third.Headers, first.Headers, third.ContentHash(), first.ContentHash())
	}
}

// TestBatchIsOneSpan: tasks with a context of their own keep it, and the span is linked to it.
func TestBatchIsOneSpan(t *testing.T) {
	n := fakenode.Start(t)
	const own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for name, submit := range map[string]func(*Client, []task.Spec) ([]task.Receipt, error){
		"many":   func(c *Client, list []task.Spec) ([]task.Receipt, error) { return c.SubmitMany(within(t), list) },
		"atomic": func(c *Client, list []task.Spec) ([]task.Receipt, error) { return c.SubmitAtomic(within(t), list) },
	} {
		t.Run(name, func(t *testing.T) {
			var sent []task.Spec
			n.Handle(wire.SubmitTask, func(r *fakenode.Request) (wire.Message, error) {
				sent = append(sent, r.Submitted()...)
				return fakenode.AcceptAll(r)
			})
			c, spans, _ := traced(t, n)
			specs := []task.Spec{
				NewSpec("t", nil), NewSpec("t", nil, Header("traceparent", own)), NewSpec("t", nil, Header("tracestate", "a=b")),
				NewSpec("t", nil, Header("traceparent", own)), NewSpec("u", nil, Queue("v")),
			}
			_, err := submit(c, specs)
			mustBe(t, err, nil)
			list := spans.GetSpans()
			if len(list) != 1 {
				t.Fatalf("%d spans", len(list))
			}
			s := list[0]
			if s.Name != "submit" || attributes(s)["messaging.batch.message_count"] != "5" || len(s.Links) != 1 ||
				s.Links[0].SpanContext.SpanID().String() != "b7ad6b7169203331" {
				t.Errorf("the span is %+v", s)
			}
			for i, want := range []string{s.SpanContext.SpanID().String(), "b7ad6b7169203331", "", "b7ad6b7169203331",
				s.SpanContext.SpanID().String()} {
				if at := carried.Of(sent[i].Headers); want == "" && at.IsValid() || want != "" && at.SpanID().String() != want {
					t.Errorf("task %d has %v", i, sent[i].Headers)
				}
			}
			if len(specs[0].Headers) != 0 {
				t.Errorf("the caller's own spec has %v", specs[0].Headers)
			}
		})
	}
}

// TestSubmitSpanFails: an error of the request and that of one task.
func TestSubmitSpanFails(t *testing.T) {
	n := fakenode.Start(t)
	c, spans, _ := traced(t, n)
	n.Handle(wire.SubmitTask, func(*fakenode.Request) (wire.Message, error) { return nil, task.ErrConflict })
	_, err := c.Submit(within(t), "t", nil)
	mustBe(t, err, task.ErrConflict)
	n.Handle(wire.SubmitTask, fakenode.AcceptAll)
	_, err = c.SubmitMany(within(t), []task.Spec{NewSpec("t", nil), NewSpec("", nil)})
	mustBe(t, err, nil)
	list := spans.GetSpans()
	for i, want := range []string{"conflict", "invalid"} {
		if got := attributes(list[i]); list[i].Status.Code != codes.Error || got["error.type"] != want ||
			list[i].Status.Description == "" {
			t.Errorf("span %d: %+v, %v", i, list[i].Status, got)
		}
	}
	if got := attributes(list[1]); got["haiku.batch.refused_count"] != "1" {
		t.Errorf("%v", got)
	}
}

// TestHeadersWithoutRoom: a task with as many headers as are allowed is submitted with those.
func TestHeadersWithoutRoom(t *testing.T) {
	n := fakenode.Start(t)
	c, _, _ := traced(t, n)
	var full, long []task.Header
	for i := range task.MaxHeaderCount {
		full = append(full, task.Header{Name: fmt.Sprint(i), Value: "v"})
	}
	long = []task.Header{{Name: "a", Value: strings.Repeat("v", task.MaxHeaders-1-60)}}
	for _, headers := range [][]task.Header{full, long} {
		done := later(func() error { _, err := c.SubmitSpec(within(t), task.Spec{Type: "t", Headers: headers}); return err })
		r := n.Next(wire.SubmitTask)
		if got := r.Submitted()[0].Headers; len(got) != len(headers) {
			t.Errorf("%d headers instead of %d", len(got), len(headers))
		}
		r.Accept(false)
		mustBe(t, <-done, nil)
	}
}

// TestNoSDK: headers stay as they are, also where the caller's context belongs to a trace.
func TestNoSDK(t *testing.T) {
	n := fakenode.Start(t)
	for name, provider := range map[string]api.TracerProvider{"global": nil, "noop": noop.NewTracerProvider()} {
		c := newClient(t, func(cfg *Config) { cfg.TracerProvider = provider }, n)
		remote := api.NewSpanContext(api.SpanContextConfig{TraceID: api.TraceID{1}, SpanID: api.SpanID{2}, TraceFlags: 1})
		for _, ctx := range []context.Context{within(t), api.ContextWithRemoteSpanContext(within(t), remote)} {
			for _, spec := range []task.Spec{NewSpec("t", nil), NewSpec("t", nil, Header("a", "1"))} {
				done := later(func() error { _, err := c.SubmitSpec(ctx, spec); return err })
				r := n.Next(wire.SubmitTask)
				if got := r.Submitted()[0].Headers; len(got) != len(spec.Headers) {
					t.Errorf("%s: headers %v, want %v", name, got, spec.Headers)
				}
				r.Accept(false)
				mustBe(t, <-done, nil)
			}
		}
		ctx, specs, failed := context.Background(), []task.Spec{{Type: "t"}}, errors.New("x")
		if extra := testing.AllocsPerRun(100, func() {
			span := c.spans.Send(ctx, specs)
			specs[0].Headers = span.Headers(specs[0].Headers)
			c.sent(&span, nil, failed)
		}); extra != 0 {
			t.Errorf("%s: a submit that nobody records allocates %v objects more", name, extra)
		}
	}
}

// BenchmarkSubmit is one submit to a node in this process, with no SDK and with one that records everything.
func BenchmarkSubmit(b *testing.B) {
	for name, provider := range map[string]api.TracerProvider{"without SDK": nil, "with SDK": trace.NewTracerProvider()} {
		b.Run(name, func(b *testing.B) {
			n := fakenode.Start(b)
			n.Handle(wire.SubmitTask, fakenode.AcceptAll)
			c, err := New(Config{Addrs: []string{n.Addr()}, TracerProvider: provider})
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Submit(ctx, "t", nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
