package store

import (
	"testing"

	"github.com/haiku-queue/haiku/task"
)

// TestReadAhead claims a queue whose records are on disk, with urgent tasks, gaps and runs of claimed ones between them.
// Each claim gets the record that is committed, and most find it read already.
func TestReadAhead(t *testing.T) {
	cfg := testConfig(t)
	s := mustOpen(t, cfg)
	const n = 1000
	var tasks []*task.Task
	for i := 1; i <= n; i++ {
		x := newTask(i, func(s *task.Spec) {
			priority := task.Priority(100 + i%3)
			s.Priority, s.Payload = &priority, []byte{byte(i), byte(i >> 8)}
		})
		if i%10 == 0 || i > 300 && i < 500 {
			x.Status = task.Cancelled
		}
		tasks = append(tasks, x)
	}
	submit(t, s, tasks...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, cfg)
	want := wantList(&task.Filter{Order: task.OrderByPriority}, tasks)
	cached := 0
	for len(want) > 0 {
		b := s.Begin()
		for _, id := range want[:min(7, len(want))] {
			got, _, ok, err := b.FirstReady(emailPair)
			if err != nil || !ok || got != id {
				t.Fatalf("first ready is %s %v %v, want %s", got, ok, err, id)
			}
			if s.d.cache.has(id) {
				cached++
			}
			x, err := b.Task(id)
			if number := int(id[15]) | int(id[14])<<8; err != nil || len(x.Payload) != 2 || int(x.Payload[0])|int(x.Payload[1])<<8 != number {
				t.Fatalf("task %s is read as %+v, %v", id, x, err)
			}
			b.Put(claimed(x, 1))
		}
		commit(t, s, b)
		want = want[min(7, len(want)):]
	}
	if cached < 700 {
		t.Fatalf("only %d records were read ahead", cached)
	}
	mustCheck(t, s)
}
