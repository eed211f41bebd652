package store

import "github.com/haiku-queue/haiku/task"

// ReadyPairs lists the pairs of a queue that have ready tasks, by type.
func (b *Batch) ReadyPairs(queue string) []Pair {
	if b.err != nil {
		return nil
	}
	q := b.d.pairs.queues[queue]
	if q == nil {
		return nil
	}
	var out []Pair
	for _, p := range q.pairs {
		if p.counts[slotReady]+p.delta[slotReady] > 0 {
			out = append(out, p.pair)
		}
	}
	return out
}

// FirstReady returns the claimable task that comes first over all pairs (goesBefore), and the size of its payload; ok is
// false if there is none. Put the task in another status before asking for the next. Front does so for many in a row.
func (b *Batch) FirstReady(pairs []Pair) (id task.ID, size uint32, ok bool, err error) {
	f, err := b.Front(pairs)
	if err != nil {
		return id, 0, false, err
	}
	id, size, _, ok, err = f.First()
	return id, size, ok, err
}

// first returns the first ready task of a pair, good until the batch changes; nil if there is none.
func (b *Batch) first(p *pairState) (*ready, error) {
	b.touchPair(p)
	for len(p.added) > 0 && !b.standsAdded(p, &p.added[0]) {
		p.added = pop(p.added)
	}
	r, err := b.firstCommitted(p)
	if err != nil {
		return nil, err
	}
	if len(p.added) > 0 && (r == nil || p.added[0].place.before(&r.place)) {
		r = &p.added[0]
	}
	return r, nil
}

// firstCommitted returns the first task in the head that the batch has not moved.
func (b *Batch) firstCommitted(p *pairState) (*ready, error) {
	h := &p.head
	for {
		for ; p.skipped < len(h.entries); p.skipped++ {
			if r := &h.entries[p.skipped]; b.stands(r) {
				return r, nil
			}
		}
		if h.whole {
			return nil, nil
		}
		if err := b.d.refill(p, b.d.headLimit); err != nil {
			return nil, err
		}
	}
}

// stands reports whether a committed task is still ready as it was then.
func (b *Batch) stands(r *ready) bool {
	i, ok := b.at[r.place.id()]
	if !ok {
		return true
	}
	c := &b.list[i]
	return !c.dirty || c.ready && readyOf(c.now, c.place) == *r
}

// standsAdded reports whether a task that the batch put into p is still ready as it was then.
func (b *Batch) standsAdded(p *pairState, r *ready) bool {
	c := &b.list[b.at[r.place.id()]]
	return c.dirty && c.ready && c.pair == p && readyOf(c.now, c.place) == *r
}
