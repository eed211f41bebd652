package fsm

import (
	"cmp"
	"maps"
	"math/big"
	"slices"
	"time"

	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// modelQueue is what is set for a queue, or for a type in it.
type modelQueue struct {
	task.QueueSettings
	tokens *big.Rat // that the rate has left; nil while none was taken, so it is full
	since  time.Time
}

// submitOne takes item i of a submit by itself.
func (m *model) submitOne(c *Submit, i int) (duplicate bool, refused []error) {
	one := &Submit{Specs: c.Specs[i : i+1], Hashes: c.Hashes[i : i+1], DedupWindow: c.DedupWindow}
	faults, any := m.faults(one, true)
	if any {
		return false, faults[0]
	}
	return m.addAll(one)[0], nil
}

// faults lists what is wrong with each item of a batch that is taken whole or not at all.
func (m *model) faults(c *Submit, limited bool) (faults [][]error, any bool) {
	faults = make([][]error, len(c.Specs))
	fresh := make(map[task.ID]*task.Spec)
	for i := range c.Specs {
		s := &c.Specs[i]
		_, hash, known := m.fate(s.ID)
		switch age := m.now.Sub(s.ID.Time()); {
		case known && hash != c.Hashes[i]:
			faults[i] = append(faults[i], task.ErrConflict)
		case known:
		case age > c.DedupWindow:
			faults[i] = append(faults[i], task.ErrIDExpired)
		case -age > c.DedupWindow, fresh[s.ID] != nil:
			faults[i] = append(faults[i], task.ErrInvalid)
		default:
			fresh[s.ID] = s
		}
	}
	more := make(map[store.Pair][]*modelTask) // what waits, by queue and by type in it
	for i := range c.Specs {
		s := &c.Specs[i]
		if fresh[s.ID] != s {
			continue
		}
		t := m.make(s, c.Hashes[i])
		for _, parent := range s.Dependencies {
			status, _, known := m.fate(parent)
			if fresh[parent] == nil && !known {
				faults[i] = append(faults[i], task.ErrUnknownDependency)
			}
			gone := s.OnDependencyFailure == task.PolicyBlock && fresh[parent] == nil && m.lost(parent)
			if known && status.IsTerminal() && status != task.Completed && (gone || s.OnDependencyFailure == task.PolicyCancel) {
				t.status = task.Cancelled
			}
		}
		if reaches(fresh, s.ID, s.ID, make(map[task.ID]bool)) {
			faults[i] = append(faults[i], task.ErrInvalid)
		}
		if limited && t.waits() {
			faults[i] = append(faults[i], m.full(t, more)...)
			p := t.pair()
			more[p], more[store.Pair{Queue: p.Queue}] = append(more[p], t), append(more[store.Pair{Queue: p.Queue}], t)
		}
	}
	return faults, slices.ContainsFunc(faults, func(f []error) bool { return len(f) > 0 })
}

// reaches tells whether the task depends on target through tasks of the batch.
func reaches(batch map[task.ID]*task.Spec, from, target task.ID, seen map[task.ID]bool) bool {
	for _, parent := range batch[from].Dependencies {
		if batch[parent] == nil || seen[parent] {
			continue
		}
		seen[parent] = true
		if parent == target || reaches(batch, parent, target, seen) {
			return true
		}
	}
	return false
}

// make is a new task that is not in the queue yet.
func (m *model) make(s *task.Spec, hash [16]byte) *modelTask {
	t := &modelTask{Spec: *s, hash: hash, place: m.submitted, created: m.now, at: m.now, parents: make(map[task.ID]bool)}
	if at := m.now.Add(s.Delay); s.Delay > 0 {
		t.at = at
	} else if s.ScheduledAt.After(m.now) {
		t.at = s.ScheduledAt
	}
	if q := m.queues[store.Pair{Queue: t.pair().Queue}]; q != nil {
		t.aging = q.Aging
	}
	m.wait(t)
	return t
}

// addAll adds a batch without faults. Who stands in it tells its dependants itself.
func (m *model) addAll(c *Submit) (duplicates []bool) {
	for i := range c.Specs {
		_, _, known := m.fate(c.Specs[i].ID)
		duplicates = append(duplicates, known)
	}
	fresh := make(map[task.ID]bool)
	for i := range c.Specs {
		fresh[c.Specs[i].ID] = !duplicates[i]
	}
	for i := range c.Specs {
		if !duplicates[i] {
			m.insert(&c.Specs[i], c.Hashes[i], fresh)
		}
	}
	return duplicates
}

func (m *model) insert(s *task.Spec, hash [16]byte, fresh map[task.ID]bool) {
	t := m.make(s, hash)
	m.submitted++
	m.tasks[t.ID] = t
	for _, parent := range s.Dependencies {
		t.parents[parent] = true
	}
	for _, parent := range s.Dependencies {
		if status, _, _ := m.fate(parent); !fresh[parent] && status.IsTerminal() {
			m.hear(t, parent, status)
		}
	}
}

// full is what the limits of depth and bytes say to a new task, when so many more wait already.
func (m *model) full(t *modelTask, more map[store.Pair][]*modelTask) (refused []error) {
	p := t.pair()
	for _, name := range []store.Pair{{Queue: p.Queue}, p} {
		q := m.queues[name]
		if q == nil {
			continue
		}
		depth, size := uint64(1), uint64(len(t.Payload))
		waiting := m.pick(func(o *modelTask) bool { return o.waits() && o.isOf(name) }, byID)
		for _, o := range append(waiting, more[name]...) {
			depth, size = depth+1, size+uint64(len(o.Payload))
		}
		if q.Bytes > 0 && uint64(len(t.Payload)) > q.Bytes {
			return []error{task.ErrTooLarge} // it will never fit
		}
		if q.Depth > 0 && depth > q.Depth || q.Bytes > 0 && size > q.Bytes {
			refused = []error{task.ErrQueueFull}
		}
	}
	return refused
}

func (t *modelTask) isOf(name store.Pair) bool {
	return t.pair().Queue == name.Queue && (name.Type == "" || name.Type == t.Type)
}

// open tells whether neither a type nor its queue is paused or at a limit.
func (m *model) open(p store.Pair) bool {
	for _, name := range []store.Pair{{Queue: p.Queue}, p} {
		q := m.queues[name]
		if q == nil {
			continue
		}
		running := m.pick(func(t *modelTask) bool { return t.status == task.InProgress && t.isOf(name) }, byID)
		if q.Paused || q.Concurrency > 0 && len(running) >= int(q.Concurrency) ||
			!q.Rate.IsZero() && q.left(m.now).Cmp(big.NewRat(1, 1)) < 0 {
			return false
		}
	}
	return true
}

// left is how many tasks the rate lets go now; a part of one as well.
func (q *modelQueue) left(now time.Time) *big.Rat {
	burst := big.NewRat(int64(q.Rate.Burst), 1)
	if q.tokens == nil {
		return burst
	}
	more := big.NewRat(now.Sub(q.since).Microseconds()*int64(q.Rate.Count), q.Rate.Per.Microseconds())
	if more.Add(more, q.tokens); more.Cmp(burst) < 0 {
		return more
	}
	return burst
}

// spend takes a claimed task from the rates.
func (m *model) spend(p store.Pair) {
	for _, name := range []store.Pair{{Queue: p.Queue}, p} {
		if q := m.queues[name]; q != nil && !q.Rate.IsZero() {
			q.tokens, q.since = q.left(m.now).Sub(q.left(m.now), big.NewRat(1, 1)), m.now
		}
	}
}

// setQueue makes a change. With another rate the whole tasks that the old one had left stay, as far as it has room.
func (m *model) setQueue(c *task.QueueChange) {
	name := store.Pair{Queue: c.Queue, Type: c.Type}
	q := m.queues[name]
	if q == nil {
		q = &modelQueue{QueueSettings: task.QueueSettings{Queue: c.Queue, Type: c.Type}}
		m.queues[name] = q
	}
	before, left := q.Rate, q.left(m.now)
	c.Apply(&q.QueueSettings)
	switch whole := new(big.Int).Quo(left.Num(), left.Denom()).Int64(); {
	case q.Rate == before:
	case before.IsZero() || q.Rate.IsZero():
		q.tokens = nil
	default:
		q.tokens, q.since = big.NewRat(min(whole, int64(q.Rate.Burst)), 1), m.now
	}
}

// compareInPair is the order within one type of a queue: the strict ones first, by priority; then those that age, by
// their time less priority times interval.
func compareInPair(a, b *modelTask) int {
	key := func(t *modelTask) int64 { return t.at.UnixMicro() - int64(t.priority())*t.aging.Microseconds() }
	switch {
	case a.aging == 0 && b.aging > 0:
		return -1
	case a.aging > 0 && b.aging == 0:
		return 1
	case a.aging > 0:
		return cmp.Or(cmp.Compare(key(a), key(b)), a.at.Compare(b.at), cmp.Compare(a.place, b.place))
	}
	return cmp.Or(-cmp.Compare(a.priority(), b.priority()), a.at.Compare(b.at), cmp.Compare(a.place, b.place))
}

// compareFirsts is the order among the first tasks of several types: by priority and what waiting has added to it, in
// millionths.
func (m *model) compareFirsts(a, b *modelTask) int {
	urgency := func(t *modelTask) int64 {
		n := int64(t.priority()) * 1_000_000
		if t.aging > 0 {
			n += m.now.Sub(t.at).Microseconds() / int64(t.aging/time.Second)
		}
		return n
	}
	return cmp.Or(-cmp.Compare(urgency(a), urgency(b)), a.at.Compare(b.at), cmp.Compare(a.place, b.place))
}

// counts are those of each queue and type, by counting.
func (m *model) counts() []task.QueueCounts {
	all := make(map[store.Pair]task.QueueCounts)
	for _, t := range m.tasks {
		p := t.pair()
		n := all[p]
		n.Queue, n.Type = p.Queue, p.Type
		switch t.status {
		case task.Pending:
			n.Pending++
			switch {
			case len(t.parents) > 0:
				n.Blocked++
			case t.due:
				n.Ready++
			default:
				n.Scheduled++
			}
		case task.InProgress:
			n.InProgress++
		case task.Completed:
			n.Completed++
		case task.Failed:
			n.Failed++
		case task.DeadLetter:
			n.DeadLetter++
		case task.Cancelled:
			n.Cancelled++
		}
		all[p] = n
	}
	return slices.SortedFunc(maps.Values(all), func(a, b task.QueueCounts) int {
		return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Type, b.Type))
	})
}
