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

// modelOffer is what is found out about the tasks of a submit before anything of it happens.
type modelOffer struct {
	answers []task.Receipt         // to each
	fresh   []*modelTask           // those to be added; nil for the others
	batch   map[task.ID]*modelTask // the same by id
	changed map[task.ID]*modelTask // others that take what was sent, as they are then
	faults  [][]error              // of each: what it is refused for
}

func (o *modelOffer) bad() bool {
	return slices.ContainsFunc(o.faults, func(f []error) bool { return len(f) > 0 })
}

// submitEach takes each task of a submit by itself. Those answered with another one are known to those that come later.
func (m *model) submitEach(c *Submit) (answers []task.Receipt, faults [][]error) {
	instead := make(map[task.ID]task.ID)
	for i := range c.Specs {
		one := m.offer(&Submit{Specs: c.Specs[i : i+1], Hashes: c.Hashes[i : i+1], DedupWindow: c.DedupWindow}, true, instead)
		if !one.bad() {
			m.accept(one)
		}
		answers, faults = append(answers, one.answers[0]), append(faults, one.faults[0])
	}
	return answers, faults
}

// offer looks at a batch that is taken whole or not at all.
func (m *model) offer(c *Submit, limited bool, instead map[task.ID]task.ID) *modelOffer {
	o := &modelOffer{
		answers: make([]task.Receipt, len(c.Specs)), fresh: make([]*modelTask, len(c.Specs)), faults: make([][]error, len(c.Specs)),
		batch: make(map[task.ID]*modelTask), changed: make(map[task.ID]*modelTask),
	}
	for i := range c.Specs {
		s := &c.Specs[i]
		o.answers[i].ID = s.ID
		_, hash, known := m.fate(s.ID)
		switch age := m.now.Sub(s.ID.Time()); {
		case known && hash != c.Hashes[i]:
			o.refuse(i, task.ErrConflict)
		case known:
			o.answers[i].Duplicate = true
		case age > c.DedupWindow:
			o.refuse(i, task.ErrIDExpired)
		case -age > c.DedupWindow, o.batch[s.ID] != nil:
			o.refuse(i, task.ErrInvalid)
		default:
			m.offerKey(o, i, m.make(s, c.Hashes[i]), limited, instead)
		}
	}
	for _, t := range o.fresh {
		if t != nil {
			t.redirect(instead)
		}
	}
	more := make(map[store.Pair][]*modelTask) // what waits, by queue and by type in it
	for i, t := range o.fresh {
		if t == nil {
			continue
		}
		for _, parent := range t.Dependencies {
			status, _, known := m.fate(parent)
			named := slices.ContainsFunc(c.Specs, func(s task.Spec) bool { return s.ID == parent }) // be it refused for itself
			if o.batch[parent] == nil && !known && !named {
				o.refuse(i, task.ErrUnknownDependency)
			}
			gone := t.OnDependencyFailure == task.PolicyBlock && o.batch[parent] == nil && m.lost(parent)
			if known && status.IsTerminal() && status != task.Completed && (gone || t.OnDependencyFailure == task.PolicyCancel) {
				t.status = task.Cancelled
			}
		}
		if reaches(o.batch, t.ID, t.ID, make(map[task.ID]bool)) {
			o.refuse(i, task.ErrInvalid)
		}
		if limited && t.waits() {
			o.refuse(i, m.full(t, nil, o, more)...)
			p := t.pair()
			more[p], more[store.Pair{Queue: p.Queue}] = append(more[p], t), append(more[store.Pair{Queue: p.Queue}], t)
		}
	}
	return o
}

func (o *modelOffer) refuse(i int, why ...error) { o.faults[i] = append(o.faults[i], why...) }

// reaches tells whether the task depends on target through tasks of the batch.
func reaches(batch map[task.ID]*modelTask, from, target task.ID, seen map[task.ID]bool) bool {
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
	t := &modelTask{Spec: *s, hash: hash, created: m.now, at: m.now, startBy: s.ExpiresAt, keyUntil: m.now.Add(s.UniqueTTL)}
	if s.ExpiresIn > 0 {
		t.startBy = m.now.Add(s.ExpiresIn)
	}
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

// accept takes a batch without faults. Who stands in it tells its dependants itself.
func (m *model) accept(o *modelOffer) {
	maps.Copy(m.tasks, o.changed)
	for _, t := range o.fresh {
		if t == nil {
			continue
		}
		t.status, t.place, t.parents = task.Pending, m.submitted, make(map[task.ID]bool)
		m.submitted++
		m.tasks[t.ID] = t
		for _, parent := range t.Dependencies {
			t.parents[parent] = true
		}
	}
	for _, t := range o.fresh {
		if t == nil {
			continue
		}
		for _, parent := range t.Dependencies {
			if status, _, _ := m.fate(parent); o.batch[parent] == nil && status.IsTerminal() {
				m.hear(t, parent, status)
			}
		}
	}
}

// full is what the limits of depth and bytes say to a new task, or to what a waiting one is to take, when more waits
// already and others will have changed.
func (m *model) full(t, instead *modelTask, offered *modelOffer, more map[store.Pair][]*modelTask) (refused []error) {
	p := t.pair()
	for _, name := range []store.Pair{{Queue: p.Queue}, p} {
		q := m.queues[name]
		if q == nil || q.Depth == 0 && q.Bytes == 0 {
			continue
		}
		depth, size := uint64(0), uint64(len(t.Payload))
		waiting := m.pick(func(o *modelTask) bool { return o.waits() && o.isOf(name) }, nil)
		for _, o := range append(waiting, more[name]...) {
			if depth++; instead == nil || o.ID != instead.ID {
				size += uint64(len(cmp.Or(offered.changed[o.ID], o).Payload))
			}
		}
		if q.Bytes > 0 && uint64(len(t.Payload)) > q.Bytes {
			return []error{task.ErrTooLarge} // it will never fit
		}
		if q.Depth > 0 && depth >= q.Depth && instead == nil || q.Bytes > 0 && size > q.Bytes {
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
		running := func() int {
			return len(m.pick(func(t *modelTask) bool { return t.status == task.InProgress && t.isOf(name) }, nil))
		}
		if q.Paused || q.Concurrency > 0 && running() >= int(q.Concurrency) ||
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
