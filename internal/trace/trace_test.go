package trace

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/haiku-queue/haiku/task"
)

const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func carrying(parent string) []task.Header {
	return []task.Header{{Name: "traceparent", Value: parent}, {Name: "tracestate", Value: "a=b"}}
}

// TestHostileContexts: what is malformed is no context.
func TestHostileContexts(t *testing.T) {
	if at := Of(carrying(good)); !at.IsSampled() || !at.IsRemote() || at.TraceState().String() != "a=b" {
		t.Fatalf("a good one is %v", at)
	}
	for _, bad := range []string{
		"", "00", good[:54], good + "x", good + "-00", " " + good, strings.ToUpper(good), "ff" + good[2:], "0x" + good[2:],
		"00-" + strings.Repeat("0", 32) + "-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
		strings.ReplaceAll(good, "-", "_"), good[:53] + "zz", "<script>alert(1)</script>", "00-\u202e" + good[3:], strings.Repeat("0-", 8000),
		"00\x00" + good[3:],
	} {
		if at := Of(carrying(bad)); at.IsValid() {
			t.Errorf("%q is %v", bad, at)
		}
		if q := NewRecorder(1, nil).Receive([]task.Spec{{Headers: carrying(bad)}}, time.Now()); q != nil {
			t.Errorf("%q is recorded", bad)
		}
	}
	for _, state := range []string{"=", strings.Repeat("a=b,", 4000), "\x00", "a=\u202e"} {
		headers := carrying(good)
		headers[1].Value = state
		if at := Of(headers); !at.IsValid() || at.TraceState().Len() != 0 {
			t.Errorf("with the state %.10q it is %v", state, at)
		}
	}
}

// TestRecorderShare chooses the same traces as OpenTelemetry's sampler, of the sampled ones alone.
func TestRecorderShare(t *testing.T) {
	for _, share := range []float64{0, 0.001, 0.3, 1} {
		r, sampler := NewRecorder(share, nil), sdk.TraceIDRatioBased(share)
		for i := range uint64(2000) {
			var id trace.TraceID
			binary.BigEndian.PutUint64(id[:], i+1)
			binary.BigEndian.PutUint64(id[8:], i*0x9e3779b97f4a7c15)
			want := sampler.ShouldSample(sdk.SamplingParameters{TraceID: id}).Decision == sdk.RecordAndSample
			header := fmt.Sprintf("00-%s-b7ad6b7169203331-01", id)
			if got := r.of(carrying(header)) != nil; got != want {
				t.Fatalf("of the share %v %s is recorded: %t", share, id, got)
			}
			if r.of(carrying(header[:54]+"0")) != nil {
				t.Fatal("a trace that is not sampled is recorded")
			}
		}
	}
}

// TestRequest: one span within the first trace, linked to the others, with its steps below it.
func TestRequest(t *testing.T) {
	var got []Span
	r := NewRecorder(1, func(s Span) { got = append(got, s) })
	other := strings.Replace(good, "b7", "c8", 1)
	q := r.Receive([]task.Spec{{}, {Headers: carrying(good)}, {Headers: carrying(other)}, {Headers: carrying(good)},
		{Headers: carrying(other)}}, time.Now())
	q.Step("propose", time.Now(), time.Now(), nil)
	q.End([]task.Receipt{{}, {Err: errors.New("why")}}, nil)
	if len(got) != 2 {
		t.Fatalf("%d spans", len(got))
	}
	step, request := got[0], got[1]
	if len(request.Links) != 1 || request.Links[0].SpanID().String() != "c8ad6b7169203331" || request.Error != "why" ||
		request.Parent.SpanID().String() != "b7ad6b7169203331" {
		t.Errorf("the request is %+v", request)
	}
	if step.Parent.SpanID() != request.Context.SpanID() || step.Context.SpanID() == request.Context.SpanID() ||
		step.Context.TraceID() != request.Context.TraceID() {
		t.Errorf("the step is %+v", step)
	}
	r.Task(&task.Task{Queue: "q", Headers: carrying(good)}).Step("claim", time.Now(), nil)
	if s := got[2]; s.Name != "claim" || s.Parent.SpanID().String() != "b7ad6b7169203331" {
		t.Errorf("the claim is %+v", s)
	}
}
