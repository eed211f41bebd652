package fsm

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// In meta the settings of a queue stand under "queue/" | queue, those of a type in it under "queue/" | queue | 00 | type
// (encodeSettings), and so does what their rates have left, under "rate/" (bucket).
const (
	settingsPrefix = "queue/"
	bucketPrefix   = "rate/"
)

func queueKey(prefix string, name store.Pair) string {
	if name.Type == "" {
		return prefix + name.Queue
	}
	return prefix + name.Queue + "\x00" + name.Type
}

func nameOf(s *task.QueueSettings) store.Pair { return store.Pair{Queue: s.Queue, Type: s.Type} }

// gate decides which pairs are open to claims, and which queues to submits. It holds in memory what meta says of
// settings and rates, by queue, with an empty type, and by type in it.
type gate struct {
	mu       sync.RWMutex // whoever applies, the only writer, reads without
	settings map[store.Pair]*task.QueueSettings
	buckets  map[store.Pair]bucket
}

// loadGate reads what is committed.
func loadGate(st *store.Store) (*gate, error) {
	g := &gate{settings: make(map[store.Pair]*task.QueueSettings), buckets: make(map[store.Pair]bucket)}
	all, err := Queues(st)
	if err != nil {
		return nil, err
	}
	for i := range all {
		g.settings[nameOf(&all[i])] = &all[i]
	}
	kvs, err := st.ScanMeta(bucketPrefix)
	if err != nil {
		return nil, err
	}
	for _, kv := range kvs {
		queue, typ, _ := strings.Cut(strings.TrimPrefix(kv.Key, bucketPrefix), "\x00")
		if g.buckets[store.Pair{Queue: queue, Type: typ}], err = decodeBucket(kv.Key, kv.Value); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// Queues lists the committed settings, of a queue before those of the types in it.
func Queues(st *store.Store) ([]task.QueueSettings, error) {
	kvs, err := st.ScanMeta(settingsPrefix)
	if err != nil {
		return nil, err
	}
	all := make([]task.QueueSettings, len(kvs))
	for i, kv := range kvs {
		if all[i], err = decodeSettings(kv.Key, kv.Value); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// levels are the names of the settings that limit a pair; of those of a queue if the type is empty.
func levels(p store.Pair) []store.Pair {
	if p.Type == "" {
		return []store.Pair{p}
	}
	return []store.Pair{{Queue: p.Queue}, p}
}

// room returns how many tasks of a pair, or of a queue if the type is empty, may be claimed at a moment in
// microseconds. If a rate allows none, next is when it allows the next.
func (g *gate) room(p store.Pair, usage func(store.Pair) store.Occupancy, now int64) (n, next int64) {
	n = math.MaxInt64
	for _, name := range levels(p) {
		s := g.settings[name]
		if s == nil {
			continue
		}
		if s.Paused {
			return 0, 0
		}
		if s.Concurrency > 0 {
			n = min(n, int64(s.Concurrency)-usage(name).Running)
		}
		if !s.Rate.IsZero() {
			left, at := g.left(name, s, now)
			n, next = min(n, left), max(next, at)
		}
	}
	return max(n, 0), next
}

func (g *gate) left(name store.Pair, s *task.QueueSettings, now int64) (n, next int64) {
	b, ok := g.buckets[name]
	if !ok {
		return int64(s.Rate.Burst), 0
	}
	return b.left(&s.Rate, now)
}

// isOpen reports whether a task of a pair may be claimed.
func (m *machine) isOpen(p store.Pair) bool {
	if len(m.gate.settings) == 0 {
		return true
	}
	n, _ := m.gate.room(p, m.batch.Occupancy, m.batch.Time())
	return n > 0
}

// pass takes from the rates of a pair what a claimed task needs.
func (m *machine) pass(p store.Pair) {
	if len(m.gate.settings) == 0 {
		return
	}
	for _, name := range levels(p) {
		if s := m.gate.settings[name]; s != nil && !s.Rate.IsZero() {
			m.setBucket(name, m.bucket(name, &s.Rate).take(&s.Rate, m.batch.Time()))
		}
	}
}

func (m *machine) bucket(name store.Pair, r *task.Rate) *bucket {
	b, ok := m.gate.buckets[name]
	if !ok {
		b = bucket{level: int64(r.Burst) * r.Per.Microseconds(), at: m.batch.Time()}
	}
	return &b
}

func (m *machine) setBucket(name store.Pair, b bucket) {
	m.batch.PutMeta(queueKey(bucketPrefix, name), b.encode())
	m.gate.mu.Lock()
	m.gate.buckets[name] = b
	m.gate.mu.Unlock()
}

// full says why the queue of a new task takes none, or nil if it does: first of all that it never will; or why it does
// not take its payload instead of that of a waiting one.
func (m *machine) full(t, instead *task.Task) (why error) {
	if len(m.gate.settings) == 0 || t.Status != task.Pending {
		return nil
	}
	for _, name := range levels(store.Pair{Queue: t.Queue, Type: t.Type}) {
		s := m.gate.settings[name]
		if s == nil || s.Depth == 0 && s.Bytes == 0 {
			continue
		}
		u := m.batch.Occupancy(name)
		if instead != nil {
			u.Bytes -= int64(instead.PayloadSize)
		}
		switch {
		case s.Bytes > 0 && uint64(t.PayloadSize) > s.Bytes:
			return fmt.Errorf("%w: payload has %d bytes, %s may hold %d", task.ErrTooLarge, t.PayloadSize, describe(s), s.Bytes)
		case why != nil:
		case s.Depth > 0 && instead == nil && u.Waiting >= int64(s.Depth):
			why = queueFull("%w: %d tasks wait in %s, which may hold %d", u.Waiting, s, s.Depth)
		case s.Bytes > 0 && u.Bytes+int64(t.PayloadSize) > int64(s.Bytes):
			why = queueFull("%w: tasks with %d bytes wait in %s, which may hold %d", u.Bytes, s, s.Bytes)
		}
	}
	return why
}

func queueFull(format string, have int64, s *task.QueueSettings, limit uint64) error {
	return &task.RetryLater{Err: fmt.Errorf(format, task.ErrQueueFull, have, describe(s), limit), After: task.QueueFullPause}
}

func describe(s *task.QueueSettings) string {
	if s.Type == "" {
		return fmt.Sprintf("queue %q", s.Queue)
	}
	return fmt.Sprintf("type %q of queue %q", s.Type, s.Queue)
}

// age gives a new task the order of its queue.
func (m *machine) age(t *task.Task) {
	if s := m.gate.settings[store.Pair{Queue: t.Queue}]; s != nil {
		t.Aging = s.Aging
	}
}

// freed names the queues and pairs with a limit of concurrency of which fewer tasks run than are committed.
func (m *machine) freed() (names []store.Pair) {
	if len(m.gate.settings) == 0 {
		return nil
	}
	for _, p := range m.batch.Freed() {
		for _, name := range levels(p) {
			if s := m.gate.settings[name]; s != nil && s.Concurrency > 0 {
				if !slices.Contains(names, name) {
					names = append(names, name)
				}
				break // waking for the queue wakes for its types
			}
		}
	}
	return names
}

// setQueue changes settings. A rate that is changed keeps the tasks it has left.
func (m *machine) setQueue(c *SetQueue) (Result, error) {
	g, now := m.gate, m.batch.Time()
	next := task.QueueSettings{Queue: c.Change.Queue, Type: c.Change.Type}
	name := nameOf(&next)
	old := g.settings[name]
	if old != nil {
		next = *old
	}
	c.Change.Apply(&next)
	if old == nil && !next.IsUnset() && len(g.settings) >= task.MaxQueueSettings {
		return Result{Err: fmt.Errorf("%w: %d queues and types have settings, no more are allowed", task.ErrTooLarge, len(g.settings))}, nil
	}
	if old != nil && !old.Rate.IsZero() && next.Rate != old.Rate {
		if next.Rate.IsZero() {
			m.batch.DeleteMeta(queueKey(bucketPrefix, name))
			g.mu.Lock()
			delete(g.buckets, name)
			g.mu.Unlock()
		} else {
			m.setBucket(name, m.bucket(name, &old.Rate).carry(&old.Rate, &next.Rate, now))
		}
	}
	return Result{}, m.putSettings(name, &next)
}

func (m *machine) putSettings(name store.Pair, s *task.QueueSettings) error {
	key := queueKey(settingsPrefix, name)
	m.gate.mu.Lock()
	defer m.gate.mu.Unlock()
	if s.IsUnset() {
		delete(m.gate.settings, name)
		m.batch.DeleteMeta(key)
		return nil
	}
	value, err := encodeSettings(s)
	if err != nil {
		return err
	}
	m.gate.settings[name] = s
	m.batch.PutMeta(key, value)
	return nil
}
