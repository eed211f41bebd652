package store

import "github.com/haiku-queue/haiku/task"

// Depth is what the tasks of one queue, of all types, come to.
type Depth struct {
	Counts task.QueueCounts // without a type
	// OldestReady is since when, in microseconds, the first ready task waits that memory knows of; 0 for none.
	OldestReady int64
}

// EachQueue calls fn for every queue that has tasks, in no order. It reads memory, and holds up commits as long as it
// takes: fn must not block and must not call the store.
func (s *Store) EachQueue(fn func(Depth)) {
	d, err := s.acquire()
	if err != nil {
		return
	}
	defer d.users.Done()
	d.mu.RLock()
	defer d.mu.RUnlock()
	for name, q := range d.pairs.queues {
		one := Depth{Counts: q.counts.queueCounts(Pair{Queue: name})}
		for _, p := range q.pairs {
			if p.counts[slotReady] > 0 && p.first > 0 && (one.OldestReady == 0 || p.first < one.OldestReady) {
				one.OldestReady = p.first
			}
		}
		if q.counts != (counts{}) {
			fn(one)
		}
	}
}
