package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/haiku-queue/haiku/task"
)

// ready is one claimable task.
type ready struct {
	place place
	size  uint32 // of its payload
	aging uint32 // seconds; 0 if its order is strict
}

func readyOf(t *task.Task, at place) ready { return ready{at, t.PayloadSize, agingSeconds(t)} }

// value is that of the task's key in index_priority, without the version: | size 4 | and, if it ages, | aging 4 |.
func (r *ready) appendValue(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, r.size)
	if r.aging != 0 {
		dst = binary.BigEndian.AppendUint32(dst, r.aging)
	}
	return dst
}

// readReady is the inverse.
func readReady(at place, value []byte) (ready, error) {
	r := ready{place: at}
	v, err := readVersion(famPriority, value)
	switch {
	case err != nil:
		return r, err
	case len(v) == 8:
		r.aging = binary.BigEndian.Uint32(v[4:])
	case len(v) != 4:
		return r, fmt.Errorf("%w: value of %d bytes in %s", errCorrupt, len(v), famPriority)
	}
	r.size = binary.BigEndian.Uint32(v)
	return r, nil
}

// goesBefore reports whether r, the first of its pair, is claimed before o, the first of another, at a time in
// microseconds: it has the higher priority, where one that ages has gained one for each interval since it was scheduled;
// else as their places say. Among strict pairs that is the order of places.
func (r *ready) goesBefore(o *ready, now int64) bool {
	if r.aging == 0 && o.aging == 0 {
		return r.place.before(&o.place)
	}
	a, b := r.urgency(now), o.urgency(now)
	return a > b || a == b && bytes.Compare(r.place[8:], o.place[8:]) < 0
}

// urgency is the priority in millionths.
func (r *ready) urgency(now int64) int64 {
	order := binary.BigEndian.Uint64(r.place[:])
	if r.aging == 0 {
		return (255 - int64(order)) * 1_000_000
	}
	return (now - unsortable(order)) / int64(r.aging)
}

// head is the front of one pair's committed ready order, so that claiming never walks over the tombstones of tasks
// claimed before: a run of those is what the front of a queue on an LSM tree is.
//
// Every committed place below bound is in entries, in order. It is a cache: what it holds changes no answer.
type head struct {
	entries []ready
	bound   place
	whole   bool // there is no bound: entries are all there is
	used    uint64
}

// insert takes a place that a commit made ready, and forgets the last one when there are more than limit.
func (h *head) insert(r *ready, limit int) {
	if !h.whole && !r.place.before(&h.bound) {
		return
	}
	i, found := h.find(&r.place)
	if found {
		h.entries[i] = *r
		return
	}
	h.entries = slices.Insert(h.entries, i, *r)
	if len(h.entries) > limit {
		h.cut(len(h.entries) - 1)
	}
}

// remove takes away a place that a commit made unready.
func (h *head) remove(p *place) {
	switch i, found := h.find(p); {
	case !found:
	case i == 0:
		h.entries = h.entries[1:]
	default:
		h.entries = slices.Delete(h.entries, i, i+1)
	}
}

// cut forgets the entries from n on.
func (h *head) cut(n int) {
	if n < len(h.entries) {
		h.bound, h.whole = h.entries[n].place, false
		h.entries = h.entries[:n]
	}
	if n == 0 {
		h.entries = nil
	}
}

func (h *head) find(p *place) (int, bool) {
	if n := len(h.entries); n == 0 || h.entries[n-1].place.before(p) {
		return n, false // the usual case: a new task goes to the end
	}
	return slices.BinarySearchFunc(h.entries, p, func(r ready, p *place) int {
		switch {
		case r.place.before(p):
			return -1
		case r.place == *p:
			return 0
		}
		return 1
	})
}

// refill appends up to limit committed places from the bound on.
func (d *database) refill(p *pairState, limit int) error {
	h := &p.head
	from := appendPriorityKey(nil, p.pair.Queue, p.pair.Type, &h.bound)
	prefix := len(from) - len(place{})
	s := d.scan(famPriority, from, prefixEnd(from[:prefix]), nil)
	defer s.close()
	for n := 0; s.valid(); s.next() {
		key, value := s.key(), s.value()
		if len(key) != prefix+len(place{}) {
			return fmt.Errorf("%w: bad key in %s: %x", errCorrupt, famPriority, key)
		}
		at := place(key[prefix:])
		if n == limit {
			h.bound = at
			return s.err()
		}
		r, err := readReady(at, value)
		if err != nil {
			return fmt.Errorf("%x: %w", key, err)
		}
		h.entries = append(h.entries, r)
		n++
	}
	if err := s.err(); err != nil {
		return err
	}
	h.whole = true
	return nil
}

// trimHeads forgets the heads that were not used for longest while all together hold too much.
func (d *database) trimHeads(limit int) {
	if d.headEntries <= limit {
		return
	}
	var all []*pairState
	for _, p := range d.pairs.byPair {
		if len(p.head.entries) > 0 {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b *pairState) int { return int(int64(a.head.used) - int64(b.head.used)) })
	for _, p := range all {
		if d.headEntries <= limit/2 {
			return
		}
		p.head.cut(0)
		d.headEntries -= p.counted
		p.counted = 0
	}
}

// heap operations on ready tasks, first in order on top.

func push(h []ready, r ready) []ready {
	h = append(h, r)
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h[i].place.before(&h[parent].place) {
			break
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
	return h
}

func pop(h []ready) []ready {
	n := len(h) - 1
	h[0] = h[n]
	h = h[:n]
	for i := 0; ; {
		least := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < n && h[child].place.before(&h[least].place) {
				least = child
			}
		}
		if least == i {
			return h
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}
