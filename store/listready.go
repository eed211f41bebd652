package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/haiku-queue/haiku/task"
)

const (
	// maxListedPairs bounds the (queue, type) pairs that one list in the order of priority merges.
	maxListedPairs = 4096

	firstChunk = 8    // places that are read of a pair at once, at first
	lastChunk  = 1024 // in the end
)

// readyWalk merges the parts of index_priority that belong to the pairs with ready tasks.
type readyWalk struct {
	at    *frozen
	pairs []*readyPair // those with places left, in the order of their first
	last  place
}

// readyPair reads the ready tasks of one pair, some at a time: so there is never more than one iterator, however many
// pairs there are.
type readyPair struct {
	pair   Pair
	from   []byte // key to read on from
	to     []byte
	floor  place
	places []place // read and not yet used
	prefix int     // bytes of from before the place
	aging  bool    // from and to are of tasks that age
	chunk  int
}

// walkReady freezes the state and begins after a place. Each pair is read from where its first ready task can be at the
// earliest, for before it may lie a run of tombstones.
func (d *database) walkReady(f *task.Filter, after []byte) (*frozen, walk, error) {
	d.writing.Lock() // so that pairs and floors are those of the frozen state
	at := d.freeze()
	pairs := d.readyPairs(f)
	d.writing.Unlock()
	w := &readyWalk{at: at, pairs: pairs}
	if err := w.begin(f, place(after)); err != nil {
		at.release()
		return nil, nil, err
	}
	return at, w, nil
}

// readyPairs lists the pairs of f that have ready tasks.
func (d *database) readyPairs(f *task.Filter) (out []*readyPair) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	add := func(p *pairState) {
		if p.counts[slotReady] > 0 && f.HasQueue(p.pair.Queue) && (f.Type == "" || f.Type == p.pair.Type) {
			out = append(out, &readyPair{pair: p.pair, floor: p.floor, chunk: firstChunk})
		}
	}
	if f.Queue == "" {
		for _, p := range d.pairs.byPair {
			add(p)
		}
	} else if q := d.pairs.queues[f.Queue]; q != nil {
		for _, p := range q.pairs {
			add(p)
		}
	}
	return out
}

func (w *readyWalk) begin(f *task.Filter, after place) error {
	if len(w.pairs) > maxListedPairs {
		return fmt.Errorf("%w: order priority would merge the ready tasks of %d queues and types, at most %d are allowed; "+
			"name a queue or a type", task.ErrInvalid, len(w.pairs), maxListedPairs)
	}
	var first place
	lowest := uint64(255 - f.MinPriority)
	if f.MaxPriority != nil {
		binary.BigEndian.PutUint64(first[:], uint64(255-*f.MaxPriority))
	}
	for _, p := range w.pairs {
		from := p.floor
		if from.before(&first) {
			from = first
		}
		prefix := appendPair(nil, p.pair.Queue, p.pair.Type)
		p.prefix = len(prefix)
		p.to = binary.BigEndian.AppendUint64(prefix[:p.prefix:p.prefix], lowest+1)
		if from.before(&after) || from == after {
			p.from = append(append(prefix, after[:]...), 0)
		} else {
			p.from = append(prefix, from[:]...)
		}
		if err := w.read(p); err != nil {
			return err
		}
	}
	w.pairs = slices.DeleteFunc(w.pairs, func(p *readyPair) bool { return len(p.places) == 0 })
	slices.SortFunc(w.pairs, comparePairs)
	return nil
}

// comparePairs orders pairs by their first place.
func comparePairs(a, b *readyPair) int {
	switch {
	case a.places[0].before(&b.places[0]):
		return -1
	case a.places[0] == b.places[0]:
		return 0
	}
	return 1
}

// read reads the next places of a pair, more each time: those of strict order first, then those of tasks that age.
func (w *readyWalk) read(p *readyPair) error {
	err := w.readRange(p)
	if err == nil && len(p.places) == 0 && !p.aging {
		prefix := p.to[:p.prefix]
		if from := binary.BigEndian.AppendUint64(prefix[:p.prefix:p.prefix], strictOrders); bytes.Compare(p.from, from) < 0 {
			p.from = from
		}
		p.to, p.aging = prefixEnd(prefix), true
		err = w.readRange(p)
	}
	return err
}

func (w *readyWalk) readRange(p *readyPair) error {
	p.places = p.places[:0]
	prefix := p.prefix
	if bytes.Compare(p.from, p.to) >= 0 {
		return nil
	}
	s := w.at.d.scan(famPriority, p.from, p.to, w.at.at)
	defer s.close()
	for ; s.valid() && len(p.places) < p.chunk; s.next() {
		key := s.key()
		if len(key) != prefix+len(place{}) {
			return fmt.Errorf("%w: bad key in %s: %x", errCorrupt, famPriority, key)
		}
		p.places = append(p.places, place(key[prefix:]))
	}
	if n := len(p.places); n > 0 {
		p.from = append(append(p.from[:prefix:prefix], p.places[n-1][:]...), 0)
	}
	p.chunk = min(4*p.chunk, lastChunk)
	return s.err()
}

func (w *readyWalk) next() (t *task.Task, ended bool, err error) {
	if len(w.pairs) == 0 {
		return nil, true, nil
	}
	p := w.pairs[0]
	w.last = p.places[0]
	t, err = w.at.d.record(w.at.opts, task.Pending, w.last.id())
	if t == nil && err == nil {
		err = fmt.Errorf("%w: task %s is in %s but not in %s", errCorrupt, w.last.id(), famPriority, famPending)
	}
	if err != nil {
		return nil, false, err
	}
	return t, false, w.pass(p)
}

// pass moves the first pair beyond its first place.
func (w *readyWalk) pass(p *readyPair) error {
	if p.places = p.places[1:]; len(p.places) == 0 {
		if err := w.read(p); err != nil {
			return err
		}
	}
	rest := w.pairs[1:]
	if len(p.places) == 0 {
		w.pairs = rest
		return nil
	}
	i, _ := slices.BinarySearchFunc(rest, p, comparePairs)
	copy(w.pairs, rest[:i])
	w.pairs[i] = p
	return nil
}

func (w *readyWalk) cursor() []byte { return appendCursor(task.OrderByPriority, w.last[:]...) }

func (w *readyWalk) more() (bool, error) { return len(w.pairs) > 0, nil }

func (w *readyWalk) close() {}
