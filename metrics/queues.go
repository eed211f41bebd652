package metrics

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// otherQueues is the label of all queues that have no series of their own.
const otherQueues = "_other"

// event is something that happens to tasks and is counted.
type event uint8

const (
	submitted event = iota
	claimed
	completed
	failed
	released
	dead
	cancelled
	deleted
	eventCount
)

// tallies are counts of events.
type tallies [eventCount]atomic.Uint64

// totals are tallies at a moment.
type totals [eventCount]uint64

func (t *tallies) addTo(sum *totals) {
	for i := range sum {
		sum[i] += t[i].Load()
	}
}

// queues counts by queue. The first limit queues that are seen have counts of their own, for as long as the process runs:
// if one could lose its place, its counts would fall.
type queues struct {
	limit int
	other *tallies

	mu     sync.RWMutex
	byName map[string]*tallies
}

func newQueues(limit int) *queues {
	return &queues{limit: limit, other: &tallies{}, byName: make(map[string]*tallies)}
}

// of returns where to count for a queue.
func (q *queues) of(name string) *tallies {
	q.mu.RLock()
	t, full := q.byName[name], len(q.byName) >= q.limit
	q.mu.RUnlock()
	switch {
	case t != nil:
		return t
	case full, name == otherQueues: // a queue may be called so
		return q.other
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if t = q.byName[name]; t != nil {
		return t
	}
	if len(q.byName) >= q.limit {
		return q.other
	}
	t = &tallies{}
	q.byName[name] = t
	return t
}

// label is the name under which a queue is shown.
func (q *queues) label(name string) string {
	if q.of(name) == q.other {
		return otherQueues
	}
	return name
}

// seed gives places to queues that are there already, those with most tasks first.
func (q *queues) seed(depths []store.Depth) {
	slices.SortFunc(depths, func(a, b store.Depth) int {
		return cmp.Or(cmp.Compare(total(&b.Counts), total(&a.Counts)), cmp.Compare(a.Counts.Queue, b.Counts.Queue))
	})
	for i := range depths {
		q.of(depths[i].Counts.Queue)
	}
}

func total(c *task.QueueCounts) uint64 {
	return c.Pending + c.InProgress + c.Completed + c.Failed + c.DeadLetter + c.Cancelled
}

// each calls fn for every queue with counts of its own, by name, and for all others together.
func (q *queues) each(fn func(name string, t *tallies)) {
	q.mu.RLock()
	names := make([]string, 0, len(q.byName))
	for name := range q.byName {
		names = append(names, name)
	}
	q.mu.RUnlock()
	slices.Sort(names)
	for _, name := range names {
		fn(name, q.of(name))
	}
	fn(otherQueues, q.other)
}

// sum adds up all queues.
func (q *queues) sum() (sum totals) {
	q.each(func(_ string, t *tallies) { t.addTo(&sum) })
	return sum
}
