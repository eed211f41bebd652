package store

import "github.com/haiku-queue/haiku/task"

// Front is the first claimable task of each of many pairs, in order: a heap, so that the next task of a claim costs little
// more with many pairs than with few. While it is used nothing becomes claimable but at the end of its pair, and time
// stands still.
type Front struct {
	b    *Batch
	heap []frontPair
}

type frontPair struct {
	p     *pairState
	first ready
}

// Front looks at the pairs. What is returned is good until the batch is committed.
func (b *Batch) Front(pairs []Pair) (*Front, error) {
	if b.err != nil {
		return nil, b.err
	}
	f := &Front{b: b, heap: make([]frontPair, 0, len(pairs))}
	for i := range pairs {
		p := b.d.pairs.byPair[pairs[i]]
		if p == nil || p.counts[slotReady]+p.delta[slotReady] <= 0 {
			continue
		}
		r, err := b.first(p)
		if err != nil {
			b.fail(err)
			return nil, err
		}
		if r != nil {
			f.heap = append(f.heap, frontPair{p, *r})
		}
	}
	for i := len(f.heap)/2 - 1; i >= 0; i-- {
		f.down(i)
	}
	return f, nil
}

// First returns the task that comes first over all pairs (goesBefore), the size of its payload and its pair; ok is false
// if there is none. Put the task in another status, or leave its pair out, before asking for the next.
func (f *Front) First() (id task.ID, size uint32, pair Pair, ok bool, err error) {
	b := f.b
	if b.err != nil {
		return id, 0, pair, false, b.err
	}
	for len(f.heap) > 0 {
		top := &f.heap[0]
		r, err := b.first(top.p)
		switch {
		case err != nil:
			b.fail(err)
			return id, 0, pair, false, err
		case r == nil:
			f.LeaveOut()
			continue
		case *r != top.first: // the one that stood there is gone
			top.first = *r
			f.down(0)
			continue
		}
		id = r.place.id()
		if c := &b.list[b.touch(id)]; !c.loaded {
			c.status = task.Pending // saves a read when the task is loaded
			if h := top.p.head.entries; top.p.skipped < len(h) && r == &h[top.p.skipped] && !b.d.cache.has(id) {
				b.d.readAhead(h[top.p.skipped:])
			}
		}
		return id, top.first.size, top.p.pair, true, nil
	}
	return id, 0, pair, false, nil
}

// LeaveOut has the pair of the task that First returned passed over from now on.
func (f *Front) LeaveOut() {
	last := len(f.heap) - 1
	f.heap[0] = f.heap[last]
	f.heap = f.heap[:last]
	f.down(0)
}

// down moves pair i of the heap to its place, which is further back.
func (f *Front) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(f.heap); child++ {
			if f.heap[child].first.goesBefore(&f.heap[least].first, f.b.time) {
				least = child
			}
		}
		if least == i {
			return
		}
		f.heap[i], f.heap[least] = f.heap[least], f.heap[i]
		i = least
	}
}
