package outage

import (
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

const (
	sampled   = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	unsampled = "00-1bf7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
)

// collector takes spans as a real one does.
type collector struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*tracepb.Span
}

func startCollector(t *testing.T) *collector {
	c := new(collector)
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var m tracepb.TracesData
		if err == nil {
			err = proto.Unmarshal(body, &m)
		}
		if err != nil {
			t.Error(err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, of := range m.ResourceSpans {
			for _, list := range of.ScopeSpans {
				c.spans = append(c.spans, list.Spans...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// of returns the spans of a name.
func (c *collector) of(name string) (list []*tracepb.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.Name == name {
			list = append(list, s)
		}
	}
	return list
}

// work claims one task and reports an outcome.
func work(t *testing.T, c *client.Client, kind task.OutcomeKind) *task.Task {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	list, err := c.Claim(ctx, task.ClaimRequest{
		WorkerID: "w", Queues: []string{task.DefaultQueue}, Max: 1, Wait: patience, Lease: time.Minute,
	})
	if err != nil || len(list) != 1 {
		t.Fatalf("claimed %v, %v", list, err)
	}
	o := task.Outcome{ID: list[0].ID, LeaseID: list[0].LeaseID, Kind: kind}
	if kind == task.Failure {
		o.Error, o.RetryAfter = "why", time.Millisecond
	}
	receipts, _, err := c.Finish(ctx, []task.Outcome{o}, nil)
	if err != nil || receipts[0].Err != nil {
		t.Fatalf("finish: %v, %v", receipts, err)
	}
	return list[0]
}

// TestTraces: three nodes tell a collector what they do for a task, through whichever of them it was submitted, and for
// no task whose trace is not sampled. The context reaches the worker through retries, dependencies and schedules.
func TestTraces(t *testing.T) {
	t.Parallel()
	col := startCollector(t)
	n := startNodes(t, 3, []string{"HAIKU_TRACE_OTLP_ENDPOINT=" + col.URL})
	_, others := n.leader()
	c := dial(t, client.Config{Addrs: []string{others[0].address}, Stay: true})
	header := client.Header("traceparent", sampled)
	first, err := c.Submit(t.Context(), "t", nil, header, client.MaxRetries(1))
	if err != nil {
		t.Fatal(err)
	}
	carries := func(got *task.Task, what string) {
		t.Helper()
		for _, h := range got.Headers {
			if h.Name == "traceparent" && h.Value == sampled {
				return
			}
		}
		t.Errorf("%s carries %v", what, got.Headers)
	}
	carries(work(t, c, task.Failure), "the first attempt")
	again := work(t, c, task.Success)
	if carries(again, "the retry"); again.Attempt != 2 {
		t.Errorf("the retry is attempt %d", again.Attempt)
	}
	parent, err := c.Submit(t.Context(), "t", nil, client.Header("traceparent", unsampled))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Submit(t.Context(), "t", nil, header, client.DependsOn(parent.ID)); err != nil {
		t.Fatal(err)
	}
	work(t, c, task.Success)
	carries(work(t, c, task.Success), "the dependant")
	nightly := task.Schedule{Name: "nightly", Expression: "0 0 1 1 *", Task: client.NewSpec("t", nil, header)}
	if _, err := c.SetSchedule(t.Context(), nightly); err != nil {
		t.Fatal(err)
	}
	if _, err := c.TriggerSchedule(t.Context(), nightly.Name); err != nil {
		t.Fatal(err)
	}
	carries(work(t, c, task.Success), "the task of the schedule")
	eventually(t, "the spans of four attempts, two submits", func() bool {
		return len(col.of("finish")) >= 4 && len(col.of("claim")) >= 4 && len(col.of("receive")) >= 2 &&
			len(col.of("propose")) >= 2 && len(col.of("commit+apply")) >= 2
	})
	received := col.of("receive")[0]
	for _, name := range []string{"receive", "propose", "commit+apply", "claim", "finish"} {
		for _, s := range col.of(name) {
			if !strings.HasPrefix(sampled, "00-"+hex.EncodeToString(s.TraceId)) {
				t.Errorf("%s belongs to the trace %x", name, s.TraceId)
			}
			if s.EndTimeUnixNano < s.StartTimeUnixNano {
				t.Errorf("%s ends before it begins", name)
			}
		}
		s := col.of(name)[0]
		want := "b7ad6b7169203331"
		if name == "propose" || name == "commit+apply" {
			want = hex.EncodeToString(received.SpanId)
		}
		if hex.EncodeToString(s.ParentSpanId) != want {
			t.Errorf("%s has the parent %x, want %s", name, s.ParentSpanId, want)
		}
	}
	for _, a := range received.Attributes {
		if a.Key == "messaging.message.id" && a.Value.GetStringValue() != first.ID.String() {
			t.Errorf("the span is of %v", a.Value)
		}
	}
}

// TestCollectorHangsOrIsGone: the node works as ever and ends as ever.
func TestCollectorHangsOrIsGone(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(func() { close(release); hanging.Close() })
	for name, endpoint := range map[string]string{"hangs": hanging.URL, "gone": "http://" + freeAddress(t)} {
		t.Run(name, func(t *testing.T) {
			n := startNodes(t, 1, []string{"HAIKU_TRACE_OTLP_ENDPOINT=" + endpoint})
			var specs []task.Spec
			for range 10_000 {
				specs = append(specs, client.NewSpec("t", nil, client.Header("traceparent", sampled)))
			}
			receipts, err := n.c.SubmitMany(t.Context(), specs)
			if err != nil || receipts[len(receipts)-1].Err != nil {
				t.Fatalf("submit: %v", err)
			}
			for range 20 {
				work(t, n.c, task.Success)
			}
			begin := time.Now()
			n.list[0].signal(t, syscall.SIGTERM)
			if code := n.list[0].exit(t); code != 0 {
				t.Errorf("it ended with %d", code)
			}
			if took := time.Since(begin); took > patience/2 {
				t.Errorf("it took %s to end", took)
			}
		})
	}
}
