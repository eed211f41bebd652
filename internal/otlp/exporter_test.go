package otlp

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	api "go.opentelemetry.io/otel/trace"
	commonpb "go.opentelemetry.io/proto/slim/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/haiku-queue/haiku/internal/trace"
)

// patience is how long a test waits for what has to come.
const patience = 30 * time.Second

// counting is an exporter whose counts the test sees.
type counting struct {
	*Exporter
	taken, lost atomic.Int64
}

// counts returns how many spans the collector took, and how many were dropped.
func (c *counting) counts() (sent, dropped int64) { return c.taken.Load(), c.lost.Load() }

func open(t *testing.T, endpoint string) *counting {
	t.Helper()
	e := new(counting)
	var err error
	e.Exporter, err = Open(Config{
		Endpoint: endpoint, Service: "haikud", Version: "1", Instance: "abc", Node: "n1", Logger: slog.New(slog.DiscardHandler),
		Counted: func(sent, dropped int) { e.taken.Add(int64(sent)); e.lost.Add(int64(dropped)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func example() trace.Span {
	state, _ := api.ParseTraceState("a=b")
	parent := api.NewSpanContext(api.SpanContextConfig{
		TraceID: api.TraceID{1, 15: 2}, SpanID: api.SpanID{3, 7: 4}, TraceFlags: 1, TraceState: state, Remote: true,
	})
	return trace.Span{
		Name: "receive", Server: true, Parent: parent, Context: parent.WithSpanID(api.SpanID{5}).WithRemote(false),
		Links: []api.SpanContext{parent.WithSpanID(api.SpanID{6})}, Start: time.Unix(1, 2), End: time.Unix(3, 4), Error: "why",
		Attributes: []attribute.KeyValue{
			attribute.String("s", "text"), attribute.Int("i", -5), attribute.Bool("b", true), attribute.String("empty", ""),
		},
	}
}

// TestEncoding reads with OpenTelemetry's own code what is sent to a collector.
func TestEncoding(t *testing.T) {
	bodies := make(chan []byte, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s of %s", r.URL, r.Header.Get("Content-Type"))
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		bodies <- body
	}))
	defer collector.Close()
	e := open(t, collector.URL)
	s := example()
	e.Add(s)
	e.Close() // sends the rest
	var got tracepb.TracesData
	if err := proto.Unmarshal(<-bodies, &got); err != nil {
		t.Fatal(err)
	}
	str := func(key, v string) *commonpb.KeyValue {
		return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: v}}}
	}
	link := s.Links[0].SpanID()
	traceID, id, parent := s.Context.TraceID(), s.Context.SpanID(), s.Parent.SpanID()
	want := &tracepb.Span{
		TraceId: traceID[:], SpanId: id[:], ParentSpanId: parent[:], TraceState: "a=b", Name: "receive",
		Kind: tracepb.Span_SPAN_KIND_SERVER, StartTimeUnixNano: 1e9 + 2, EndTimeUnixNano: 3e9 + 4, Flags: 0x301,
		Attributes: []*commonpb.KeyValue{
			str("s", "text"), {Key: "i", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: -5}}},
			{Key: "b", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: true}}}, str("empty", ""),
		},
		Links:  []*tracepb.Span_Link{{TraceId: traceID[:], SpanId: link[:], TraceState: "a=b", Flags: 0x301}},
		Status: &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: "why"},
	}
	resource := got.ResourceSpans[0]
	if spans := resource.ScopeSpans[0].Spans; len(spans) != 1 || !proto.Equal(spans[0], want) {
		t.Errorf("got %v\nwant %v", spans, want)
	}
	if a := resource.Resource.Attributes; len(a) != 4 || a[0].Key != "service.name" || a[0].Value.GetStringValue() != "haikud" {
		t.Errorf("the resource is %v", a)
	}
	if sent, dropped := e.counts(); sent != 1 || dropped != 0 {
		t.Errorf("%d sent, %d dropped", sent, dropped)
	}
}

// TestCollectorHangs: Add never waits, what has no room is counted, and Close does not wait for the collector.
func TestCollectorHangs(t *testing.T) {
	release, asked := make(chan struct{}), make(chan struct{}, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		select {
		case asked <- struct{}{}:
		default:
		}
		<-release
	}))
	defer collector.Close()
	defer close(release)
	e := open(t, collector.URL)
	for range maxBatch {
		e.Add(example())
	}
	<-asked
	const more = 1000
	for range maxQueue + more {
		e.Add(example())
	}
	if _, dropped := e.counts(); dropped != more {
		t.Errorf("%d dropped, want %d", dropped, more)
	}
	begin := time.Now()
	e.Close()
	if took := time.Since(begin); took > closeTimeout+patience/2 {
		t.Errorf("Close took %s", took)
	}
	if sent, dropped := e.counts(); sent != 0 || dropped != maxBatch+maxQueue+more {
		t.Errorf("%d sent, %d dropped", sent, dropped)
	}
}

// TestCollectorComesBack: a batch that is refused for now is sent again, one that is refused for good is not.
func TestCollectorComesBack(t *testing.T) {
	for name, tt := range map[string]struct {
		first         int
		tries         int32
		sent, dropped int64
	}{
		"busy":    {http.StatusServiceUnavailable, 2, 1, 0},
		"refused": {http.StatusBadRequest, 1, 0, 1},
		"moved":   {http.StatusMovedPermanently, 1, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var tries atomic.Int32
			collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if tries.Add(1) == 1 {
					w.WriteHeader(tt.first)
				}
			}))
			defer collector.Close()
			e := open(t, collector.URL)
			e.Add(example())
			for end := time.Now().Add(patience); ; {
				sent, dropped := e.counts()
				if sent == tt.sent && dropped == tt.dropped && tries.Load() == tt.tries {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("%d tries, %d sent, %d dropped", tries.Load(), sent, dropped)
				}
				<-time.After(time.Millisecond)
			}
		})
	}
}

// TestCollectorGone: nobody listens at the endpoint.
func TestCollectorGone(t *testing.T) {
	collector := httptest.NewServer(nil)
	collector.Close()
	e := open(t, collector.URL)
	e.Add(example())
	e.Close()
	if sent, dropped := e.counts(); sent != 0 || dropped != 1 {
		t.Errorf("%d sent, %d dropped", sent, dropped)
	}
}
