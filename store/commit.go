package store

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/haiku-queue/haiku/task"
)

// Commit writes everything as one atomic write, together with how far the log is applied and the chained hash of it,
// and then takes it over into memory. It reports how many tasks stand ready that did not before, by pair. The batch
// has ended, whatever Commit returns. An error is final: nothing may be done with the store any more but Close.
func (b *Batch) Commit(a Applied, logHash [32]byte) ([]Claimable, error) {
	if b.ended {
		return nil, b.err
	}
	defer b.end()
	d := b.d
	d.writing.Lock()
	defer d.writing.Unlock()
	if b.err == nil {
		b.err = d.failure()
	}
	if b.err != nil {
		return nil, fmt.Errorf("commit: %w", b.err)
	}
	applied, err := b.encode(a, logHash)
	if err == nil {
		err = d.put(&d.writer)
	}
	if err != nil {
		b.err = fmt.Errorf("commit: %w", err)
		return nil, b.err
	}
	return b.takeOver(applied, logHash), nil
}

// encode puts the whole batch into the writer.
func (b *Batch) encode(a Applied, logHash [32]byte) (Applied, error) {
	d, w := b.d, &b.d.writer
	w.reset()
	for _, i := range b.changed() {
		c := &b.list[i]
		if err := b.encodeTask(w, c); err != nil {
			return a, err
		}
	}
	if err := b.encodeCounts(w); err != nil {
		return a, err
	}
	for _, key := range slices.Sorted(maps.Keys(b.meta)) {
		if value := b.meta[key].value; value != nil {
			w.putVersioned(famMeta, []byte(key), value)
		} else {
			w.delete(famMeta, []byte(key))
		}
	}
	var n [8]byte
	if b.time != d.time {
		w.putVersioned(famMeta, []byte(keyTime), binary.BigEndian.AppendUint64(n[:0], uint64(b.time)))
	}
	if b.seq != d.seq {
		w.putVersioned(famMeta, []byte(keySeq), binary.BigEndian.AppendUint64(n[:0], b.seq))
	}
	if logHash != d.logHash {
		w.putVersioned(famMeta, []byte(keyLogHash), logHash[:])
	}
	if a.Index < d.applied.Index {
		return a, fmt.Errorf("%w: applied index %d is below %d", task.ErrInternal, a.Index, d.applied.Index)
	}
	applied := d.applied
	applied.raise(&a)
	w.putVersioned(famMeta, []byte(keyApplied), applied.encode())
	return applied, nil
}

// changed lists the places of the changed tasks in the order of their ids, which is cheapest to write.
func (b *Batch) changed() []int32 {
	b.dirty = b.dirty[:0]
	for i := range b.list {
		if b.list[i].dirty {
			b.dirty = append(b.dirty, int32(i))
		}
	}
	slices.SortFunc(b.dirty, func(x, y int32) int { return compareIDs(b.list[x].id, b.list[y].id) })
	return b.dirty
}

// encodeTask writes the difference between a task's committed and its final form.
func (b *Batch) encodeTask(w *writer, c *change) error {
	b.encodeTombstone(w, c)
	if c.now == nil {
		b.encodeRemoval(w, c)
		return nil
	}
	if err := checkBytes(c); err != nil {
		return err
	}
	before, after := &b.oldKeys, &b.newKeys
	before.reset()
	after.reset()
	if c.old != nil {
		before.addKeys(c.old)
	}
	after.addKeys(c.now)
	if c.old == nil {
		after.addDependencyKeys(c.now)
	} else if !slices.Equal(c.old.Dependencies, c.now.Dependencies) {
		before.addDependencyKeys(c.old)
		after.addDependencyKeys(c.now)
	}
	if c.old != nil {
		before.addUniqueKey(c.old)
	}
	after.addUniqueKey(c.now)
	x, y := before.entries, after.entries
	for len(x) > 0 || len(y) > 0 {
		order := -1
		if len(x) == 0 {
			order = 1
		} else if len(y) > 0 {
			order = compareEntries(&x[0], &y[0])
		}
		switch {
		case order < 0:
			if !b.passedOn(&x[0]) {
				w.delete(x[0].family, x[0].key)
			}
			x = x[1:]
		case order > 0:
			putEntry(w, &y[0], c, true)
			y = y[1:]
		default:
			if y[0].family == famBlobs || !slices.Equal(x[0].value, y[0].value) {
				putEntry(w, &y[0], c, c.replaced())
			}
			x, y = x[1:], y[1:]
		}
	}
	if c.old != nil && c.old.Status != c.now.Status {
		w.delete(statusFamily(c.old.Status), c.id[:])
	}
	return w.putRecord(c.now)
}

// putEntry writes one derived key. fresh says that it was not there: the payload of a task that took no other's content
// never changes, so it is written once; else it and the result only when the batch brings one.
func putEntry(w *writer, e *entry, c *change, fresh bool) {
	switch {
	case e.family != famBlobs:
		w.put(e.family, e.key, e.value)
	case e.key[len(e.key)-1] == partPayload:
		if fresh || c.now.Payload != nil && c.now.ReplacedBy != (task.ID{}) {
			w.putVersioned(e.family, e.key, c.now.Payload)
		}
	case c.now.Result != nil:
		w.putVersioned(e.family, e.key, c.now.Result)
	}
}

// checkBytes makes sure that a task's bytes and sizes agree and that nothing gets lost: bytes may only be missing where
// they are in blobs already.
func checkBytes(c *change) error {
	t := c.now
	var oldPayload, oldResult uint32
	if c.old != nil && !c.replaced() {
		oldPayload, oldResult = c.old.PayloadSize, c.old.ResultSize
	}
	for _, part := range [...]struct {
		name      string
		bytes     []byte
		size, old uint32
	}{{"payload", t.Payload, t.PayloadSize, oldPayload}, {"result", t.Result, t.ResultSize, oldResult}} {
		stays := len(part.bytes) == 0 && part.size > task.InlineBytes && part.size == part.old
		if uint32(len(part.bytes)) != part.size && !stays {
			return fmt.Errorf("%w: task %s has %d bytes of %s but says %d", task.ErrInternal, c.id, len(part.bytes), part.name, part.size)
		}
	}
	return nil
}

// encodeCounts writes the rows of the touched pairs that change.
func (b *Batch) encodeCounts(w *writer) error {
	var key []byte
	for _, p := range b.pairs {
		if p.delta == (counts{}) {
			continue
		}
		sum := p.counts
		sum.add(&p.delta)
		key = appendCountKey(key[:0], p.pair)
		switch {
		case sum.negative():
			return fmt.Errorf("%w: counts of queue %q type %q would be %v", errCorrupt, p.pair.Queue, p.pair.Type, sum)
		case sum == (counts{}):
			w.delete(famMeta, key)
		default:
			value, err := sum.value()
			if err != nil {
				return err
			}
			w.put(famMeta, key, value)
		}
	}
	return nil
}

// takeOver brings memory to what was written.
func (b *Batch) takeOver(a Applied, logHash [32]byte) []Claimable {
	d := b.d
	became := make(map[*pairState]int)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, i := range b.dirty {
		if c := &b.list[i]; d.takeOverTask(c) {
			became[c.pair]++
		}
	}
	for _, p := range b.pairs {
		d.pairs.fold(p, &p.delta)
	}
	d.applied, d.time, d.seq, d.logHash = a, b.time, b.seq, logHash
	if len(became) == 0 {
		return nil
	}
	out := make([]Claimable, 0, len(became))
	for p, n := range became {
		out = append(out, Claimable{p.pair, n})
	}
	slices.SortFunc(out, func(x, y Claimable) int {
		return cmp.Or(cmp.Compare(x.Pair.Queue, y.Pair.Queue), cmp.Compare(x.Pair.Type, y.Pair.Type))
	})
	return out
}

// takeOverTask updates heads, record cache and time floors for one written task, and reports whether it became ready.
func (d *database) takeOverTask(c *change) (became bool) {
	wasReady, from := c.old != nil && c.old.Claimable(), c.pair
	var was ready
	if wasReady {
		was, from = readyOf(c.old, placeOf(c.old)), d.pairs.byPair[pairOf(c.old)]
	}
	moved := wasReady && (!c.ready || was != readyOf(c.now, c.place))
	if moved {
		from.head.remove(&was.place)
	}
	if c.old == nil {
		d.recent.add(c.id)
	}
	if c.ready && (!wasReady || moved) {
		r := readyOf(c.now, c.place)
		c.pair.head.insert(&r, d.headLimit)
		if c.place.before(&c.pair.floor) {
			c.pair.floor = c.place
		}
	}
	if c.now != nil && (c.now.Status == task.Pending || c.now.Status == task.InProgress) {
		d.cache.put(withoutLarge(c.now))
	} else {
		d.cache.remove(c.id)
	}
	if kind, us := c.schedule(); kind != 0 {
		d.floors[kind] = min(d.floors[kind], us)
	}
	if c.now != nil && c.now.CanExpire() {
		d.floors[ExpiresKind] = min(d.floors[ExpiresKind], micros(c.now.ExpiresAt))
	}
	d.dependents = d.dependents || c.now != nil && len(c.now.Dependencies) > 0
	return c.ready && (!wasReady || from != c.pair)
}

// settle ends a pair's part in a batch, and forgets the pair if it has no tasks.
func (d *database) settle(p *pairState) {
	p.touched, p.skipped, p.delta, p.queue.delta = false, 0, counts{}, counts{}
	clear(p.added)
	if cap(p.added) > d.headLimit {
		p.added = nil
	}
	p.added = p.added[:0]
	if p.first = 0; len(p.head.entries) > 0 {
		p.floor = p.head.entries[0].place
		p.first = p.floor.scheduled()
	} else {
		p.head.cut(0)
		p.floor = p.head.bound
	}
	d.headEntries += len(p.head.entries) - p.counted
	p.counted = len(p.head.entries)
	d.batches++
	p.head.used = d.batches
	if p.counts == (counts{}) {
		d.pairs.remove(p)
		d.headEntries -= p.counted
	}
}
