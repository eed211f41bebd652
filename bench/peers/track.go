package main

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A Tracker follows the tasks of one phase from submit to acknowledgement.
// Tasks are numbered from base, so that tasks of an earlier phase don't count.
type Tracker struct {
	base    int
	filler  []byte
	tasks   []taskTimes
	start   time.Time
	acked   atomic.Int64
	again   atomic.Int64 // tasks received more than once
	strange atomic.Int64 // payloads that are no task of this phase
	done    chan struct{}
	failed  chan error

	mu     sync.Mutex
	submit []time.Duration // one per submit call
}

// taskTimes holds a task's moments in nanoseconds after the phase's start, zero
// for not yet.
type taskTimes struct {
	submit, claim, ack atomic.Int64
}

const payloadSize = 200

func newTracker(base, n int) *Tracker {
	return &Tracker{
		base: base, filler: filler(), tasks: make([]taskTimes, n), start: time.Now(), done: make(chan struct{}),
		failed: make(chan error, 1),
	}
}

func (t *Tracker) now() int64 { return int64(time.Since(t.start)) + 1 }

// filler is printable and hardly compresses; it is the same in every run.
func filler() []byte {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"
	b := make([]byte, payloadSize)
	x := uint64(88172645463325252)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = digits[x%64]
	}
	return b
}

const idDigits = 12

// payload makes the payload of the i-th task of the phase.
func (t *Tracker) payload(i int) []byte {
	b := slices.Clone(t.filler)
	copy(b, fmt.Appendf(nil, "%0*d", idDigits, t.base+i))
	return b
}

// taskID returns the number that a payload starts with.
func taskID(payload []byte) int {
	if len(payload) < idDigits {
		return -1
	}
	n, err := strconv.Atoi(string(payload[:idDigits]))
	if err != nil {
		return -1
	}
	return n
}

// Claimed says that a worker has just received a task, and returns the task's
// number for Acked.
func (t *Tracker) Claimed(payload []byte) int {
	id := taskID(payload)
	i := id - t.base
	if i < 0 || i >= len(t.tasks) || len(payload) != payloadSize {
		t.strange.Add(1)
		return id
	}
	if !t.tasks[i].claim.CompareAndSwap(0, t.now()) {
		t.again.Add(1)
	}
	return id
}

// Acked says that a task's acknowledgement is known to have been taken.
func (t *Tracker) Acked(id int) {
	i := id - t.base
	if i < 0 || i >= len(t.tasks) {
		return
	}
	if t.tasks[i].ack.CompareAndSwap(0, t.now()) && t.acked.Add(1) == int64(len(t.tasks)) {
		close(t.done)
	}
}

// Fail says that a worker can't go on.
func (t *Tracker) Fail(err error) {
	select {
	case t.failed <- err:
	default:
	}
}

// submitted records the duration of one submit call.
func (t *Tracker) submitted(d time.Duration) {
	t.mu.Lock()
	t.submit = append(t.submit, d)
	t.mu.Unlock()
}

// ackLatencies returns the sorted times from claim to ack, and endToEnd those
// from the start of the submit call to the claim.
func (t *Tracker) ackLatencies() []time.Duration {
	var out []time.Duration
	for i := range t.tasks {
		if c, a := t.tasks[i].claim.Load(), t.tasks[i].ack.Load(); c > 0 && a >= c {
			out = append(out, time.Duration(a-c))
		}
	}
	slices.Sort(out)
	return out
}

func (t *Tracker) endToEnd() []time.Duration {
	var out []time.Duration
	for i := range t.tasks {
		if s, c := t.tasks[i].submit.Load(), t.tasks[i].claim.Load(); s > 0 && c > 0 {
			out = append(out, time.Duration(c-s))
		}
	}
	slices.Sort(out)
	return out
}

// quantile returns the q-quantile of sorted durations in microseconds, 0 for
// none.
func quantile(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	i := min(int(q*float64(len(sorted))), len(sorted)-1)
	return round(float64(sorted[i])/1e3, 1)
}
