package metrics

import (
	"fmt"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// BenchmarkLifecycle is what a task costs that is submitted, claimed and finished, among others of ten queues.
func BenchmarkLifecycle(b *testing.B) {
	m := New(Config{Queues: 100})
	var changes []task.Change
	for i := range 300 {
		queue := fmt.Sprintf("q%d", i/30)
		changes = append(changes, task.Change{Queue: queue, To: task.Pending},
			task.Change{Queue: queue, From: task.Pending, To: task.InProgress, Took: time.Millisecond},
			task.Change{Queue: queue, From: task.InProgress, To: task.Completed, Took: time.Second})
	}
	b.ReportAllocs()
	for b.Loop() {
		m.Changed(changes)
		for range 300 {
			m.Submitted(2 * time.Millisecond)
			m.Proposed(2 * time.Millisecond)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/300, "ns/task")
}

// BenchmarkScrape is one scrape with a hundred queues.
func BenchmarkScrape(b *testing.B) {
	m := New(Config{Queues: 100})
	for i := range 100 {
		m.Changed([]task.Change{{Queue: fmt.Sprintf("q%d", i), To: task.Pending}})
	}
	for b.Loop() {
		if _, _, err := m.Expose(""); err != nil {
			b.Fatal(err)
		}
	}
}
