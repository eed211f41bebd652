package haikutest

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/haiku-queue/haiku/task"
)

// name is that of a queue, with an empty type, or of a type in it.
type name struct{ queue, typ string }

// levels are the names whose settings limit a task.
func levels(t *task.Task) [2]name { return [2]name{{queue: t.Queue}, {t.Queue, t.Type}} }

func (n name) has(t *task.Task) bool { return n.queue == t.Queue && (n.typ == "" || n.typ == t.Type) }

func (n name) String() string {
	if n.typ == "" {
		return fmt.Sprintf("queue %q", n.queue)
	}
	return fmt.Sprintf("type %q of queue %q", n.typ, n.queue)
}

// bucket is what a rate has left, in units: a task takes as many as the rate's period has microseconds, and each
// microsecond brings as many as its count.
type bucket struct{ level, at int64 }

// fill brings the bucket of a rate up to now. One that is new is full.
func (q *queue) fill(n name, r task.Rate) *bucket {
	now, full := q.now.UnixMicro(), int64(r.Burst)*r.Per.Microseconds()
	b := q.buckets[n]
	if b == nil {
		b = &bucket{level: full}
		q.buckets[n] = b
	}
	if elapsed := now - b.at; elapsed > (full-b.level)/int64(r.Count) {
		b.level = full
	} else {
		b.level += elapsed * int64(r.Count)
	}
	b.at = now
	return b
}

// occupied counts the tasks that run, those that wait, and the bytes of their payloads.
func (q *queue) occupied(n name) (running, waiting, bytes uint64) {
	for _, t := range q.tasks {
		switch {
		case !n.has(t) || t.Status.IsTerminal():
		case t.Status == task.InProgress:
			running++
		default:
			waiting++
			bytes += uint64(t.PayloadSize)
		}
	}
	return running, waiting, bytes
}

// open reports whether the settings let a task be claimed now.
func (q *queue) open(t *task.Task) bool {
	for _, n := range levels(t) {
		s := q.settings[n]
		if s.Paused || !s.Rate.IsZero() && q.fill(n, s.Rate).level < s.Rate.Per.Microseconds() {
			return false
		}
		if s.Concurrency > 0 {
			if running, _, _ := q.occupied(n); running >= uint64(s.Concurrency) {
				return false
			}
		}
	}
	return true
}

// pass takes from the rates what a claimed task needs.
func (q *queue) pass(t *task.Task) {
	for _, n := range levels(t) {
		if r := q.settings[n].Rate; !r.IsZero() {
			q.fill(n, r).level -= r.Per.Microseconds()
		}
	}
}

// full says why the queue of a new task takes none: first of all that it never will; or why it does not take its payload
// instead of that of a waiting one. nil if it does.
func (q *queue) full(t, instead *task.Task) (why error) {
	if t.Status != task.Pending {
		return nil
	}
	for _, n := range levels(t) {
		s := q.settings[n]
		if s.Depth == 0 && s.Bytes == 0 {
			continue
		}
		_, waiting, bytes := q.occupied(n)
		if instead != nil {
			bytes -= uint64(instead.PayloadSize)
		}
		refuse := func(format string, have, limit uint64) {
			why = &task.RetryLater{Err: fmt.Errorf(format, task.ErrQueueFull, have, n, limit), After: task.QueueFullPause}
		}
		switch {
		case s.Bytes > 0 && uint64(t.PayloadSize) > s.Bytes:
			return fmt.Errorf("%w: payload has %d bytes, %s may hold %d", task.ErrTooLarge, t.PayloadSize, n, s.Bytes)
		case why != nil:
		case s.Depth > 0 && instead == nil && waiting >= s.Depth:
			refuse("%w: %d tasks wait in %s, which may hold %d", waiting, s.Depth)
		case s.Bytes > 0 && bytes+uint64(t.PayloadSize) > s.Bytes:
			refuse("%w: tasks with %d bytes wait in %s, which may hold %d", bytes, s.Bytes)
		}
	}
	return why
}

// SetQueue is transport.Admin's.
func (c *cluster) SetQueue(_ context.Context, change task.QueueChange) error {
	if err := change.Validate(); err != nil {
		return err
	}
	q := c.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if change.Match != "" {
		var list []task.QueueSettings
		for n, s := range q.settings {
			if n.queue == change.Queue {
				list = append(list, s)
			}
		}
		if task.SettingsTag(list) != change.Match {
			return fmt.Errorf("%w: the settings of queue %q", task.ErrPrecondition, change.Queue)
		}
	}
	n := name{change.Queue, change.Type}
	old, known := q.settings[n]
	next := old
	next.Queue, next.Type = change.Queue, change.Type
	change.Apply(&next)
	if !known && !next.IsUnset() && len(q.settings) >= task.MaxQueueSettings {
		return fmt.Errorf("%w: %d queues and types have settings, no more are allowed", task.ErrTooLarge, len(q.settings))
	}
	if next.Rate != old.Rate {
		q.changeRate(n, old.Rate, next.Rate)
	}
	if delete(q.settings, n); !next.IsUnset() {
		q.settings[n] = next
	}
	q.settle()
	return nil
}

// changeRate keeps the tasks that the rate has left, as far as the new one holds them.
func (q *queue) changeRate(n name, from, to task.Rate) {
	if from.IsZero() || to.IsZero() {
		delete(q.buckets, n)
		return
	}
	b := q.fill(n, from)
	b.level = min(b.level/from.Per.Microseconds(), int64(to.Burst)) * to.Per.Microseconds()
}

// Queues is transport.Admin's.
func (c *cluster) Queues(_ context.Context, query task.QueuesQuery) ([]task.QueueState, error) {
	if err := query.Validate(); err != nil {
		return nil, err
	}
	q := c.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	states := make(map[name]*task.QueueState)
	at := func(n name) *task.QueueState {
		s := states[n]
		if s == nil {
			s = &task.QueueState{QueueSettings: q.settings[n], Counts: task.QueueCounts{Queue: n.queue, Type: n.typ}}
			s.Queue, s.Type = n.queue, n.typ
			_, _, s.WaitingBytes = q.occupied(n)
			states[n] = s
		}
		return s
	}
	for n := range q.settings {
		if query.Queue == "" || query.Queue == n.queue {
			at(name{queue: n.queue})
			at(n)
		}
	}
	first := make(map[name]*task.Task)
	for _, t := range q.tasks {
		if query.Queue != "" && query.Queue != t.Queue {
			continue
		}
		for _, n := range levels(t) {
			count(&at(n).Counts, t)
		}
		if n := levels(t)[1]; t.Claimable() && (first[n] == nil || task.Compare(t, first[n]) < 0) {
			first[n], at(n).NextSince = t, t.ScheduledAt
		}
	}
	list := make([]task.QueueState, 0, len(states))
	for _, s := range states {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b task.QueueState) int {
		return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Type, b.Type))
	})
	return list, nil
}
