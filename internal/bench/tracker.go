package bench

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// tracker follows the tasks of one part from submit to acknowledgement.
type tracker struct {
	payloads payloads
	begin    time.Time
	tasks    []moments // by number; empty if the tasks that are there are drained, whoever submitted them
	want     int64     // tasks to be acknowledged

	submitted atomic.Int64
	acked     atomic.Int64
	again     atomic.Int64 // tasks that came to a worker more than once
	twice     atomic.Int64 // outcomes that had been reported before
	refused   atomic.Int64 // outcomes that were refused
	strange   atomic.Int64 // tasks of others
	lastAck   atomic.Int64 // nanoseconds after begin
	complete  chan struct{}

	mu   sync.Mutex
	seen map[task.ID]bool // of tasks that are not known by number
}

// moments are nanoseconds after the tracker's begin, 0 for not yet.
type moments struct{ submit, claim atomic.Int64 }

// newTracker follows tasks that are submitted in this part.
func newTracker(size, tasks int) *tracker {
	t := begin(tasks)
	t.payloads, t.tasks = newPayloads(size), make([]moments, tasks)
	return t
}

// newDrainTracker follows tasks that are there already.
func newDrainTracker(tasks int) *tracker {
	t := begin(tasks)
	t.seen = make(map[task.ID]bool, tasks)
	return t
}

func begin(tasks int) *tracker {
	t := &tracker{begin: time.Now(), want: int64(tasks), complete: make(chan struct{})}
	if tasks == 0 {
		close(t.complete)
	}
	return t
}

func (t *tracker) now() int64 { return max(1, int64(time.Since(t.begin))) }

// claimed takes a task that a worker has got, and returns how long ago its submit began; 0 if that is not known.
func (t *tracker) claimed(got *task.Task, now int64) time.Duration {
	if t.seen != nil {
		t.mu.Lock()
		if t.seen[got.ID] {
			t.again.Add(1)
		}
		t.seen[got.ID] = true
		t.mu.Unlock()
		return 0
	}
	number, ours := t.payloads.number(got.Payload)
	if !ours || number >= len(t.tasks) {
		t.strange.Add(1)
		return 0
	}
	if !t.tasks[number].claim.CompareAndSwap(0, now) {
		t.again.Add(1)
		return 0
	}
	return time.Duration(now - t.tasks[number].submit.Load())
}

// reported takes the broker's answer to one outcome.
func (t *tracker) reported(receipt *task.Receipt, now int64) {
	switch {
	case receipt.Err != nil:
		t.refused.Add(1)
		return
	case receipt.Duplicate:
		t.twice.Add(1)
	}
	for last := t.lastAck.Load(); last < now && !t.lastAck.CompareAndSwap(last, now); {
		last = t.lastAck.Load()
	}
	if t.acked.Add(1) == t.want {
		close(t.complete)
	}
}
