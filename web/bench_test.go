package web

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

const (
	benchTasks  = 1_000_000
	benchQueues = 100
	benchTypes  = 100 // of each queue
	benchLimit  = 100 * time.Millisecond
)

// BenchmarkMillion measures what the dashboard asks for, on one node with a million tasks of ten thousand pairs of queue
// and type, over HTTP: the time from the request to the end of the answer. `make bench-web` runs it.
func BenchmarkMillion(b *testing.B) {
	n := startNode(b, nil)
	n.fill(benchTasks)
	for _, r := range []struct{ name, path string }{
		{"overview", "/v1/overview?consistency=linearizable"},
		{"overview, stale", "/v1/overview?consistency=stale"},
		{"queues without types", "/v1/queues?types=false"},
		{"queues with types", "/v1/queues"},
		{"one queue", "/v1/queues/queue-042"},
		{"stats", "/v1/stats"},
		{"list, first page", "/v1/tasks"},
		{"list, newest first", "/v1/tasks?order=newest&limit=50"},
		{"list of a queue", "/v1/tasks?queue=queue-042"},
		{"list of a queue, newest first", "/v1/tasks?order=newest&queue=queue-042&limit=50"},
		{"list of a pair", "/v1/tasks?queue=queue-042&type=type-042"},
		{"list by status", "/v1/tasks?status=pending&limit=100"},
		{"list by priority", "/v1/tasks?order=priority&queue=queue-042"},
	} {
		b.Run(r.name, func(b *testing.B) { n.measure(b, r.path) })
	}
}

// fill submits tasks, evenly over all pairs.
func (n *testNode) fill(count int) {
	n.t.Helper()
	c, err := client.New(client.Config{Addrs: []string{n.port.Addr().String()}, Name: "bench"})
	n.must(err)
	defer c.Close()
	specs := make([]task.Spec, 0, task.MaxItems)
	for i := range count {
		pair := i % (benchQueues * benchTypes)
		specs = append(specs, task.Spec{
			Type: fmt.Sprintf("type-%03d", pair%benchTypes), Queue: fmt.Sprintf("queue-%03d", pair/benchTypes), Payload: []byte(`{"n":1}`),
		})
		if len(specs) == cap(specs) || i == count-1 {
			_, err := c.SubmitMany(context.Background(), specs)
			n.must(err)
			specs = specs[:0]
		}
	}
}

func (n *testNode) measure(b *testing.B, path string) {
	var took []time.Duration
	for b.Loop() {
		begun := time.Now()
		res, err := n.http.Get(n.url + path)
		n.must(err)
		size, err := io.Copy(io.Discard, res.Body)
		res.Body.Close()
		n.must(err)
		took = append(took, time.Since(begun))
		if res.StatusCode != http.StatusOK || size == 0 {
			b.Fatalf("%s: %d, %d bytes", path, res.StatusCode, size)
		}
	}
	slices.Sort(took)
	at := func(part float64) time.Duration { return took[int(part*float64(len(took)-1))] }
	b.ReportMetric(float64(at(0.5).Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(at(0.99).Microseconds())/1000, "p99-ms")
	if at(0.5) > benchLimit {
		b.Errorf("%s takes %s, it has to stay below %s", path, at(0.5), benchLimit)
	}
}
