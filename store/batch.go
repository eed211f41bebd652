package store

import (
	"fmt"

	"github.com/haiku-queue/haiku/task"
)

// Batch is an overlay of changes over the committed database. It belongs to one goroutine. It ends with Commit or
// Discard; the store cannot close before. An error of any method makes Commit fail too.
type Batch struct {
	d     *database
	err   error
	ended bool
	time  int64
	seq   uint64
	*batchSpace
}

// batchSpace is memory that one batch leaves to the next.
type batchSpace struct {
	at       map[task.ID]int32 // places in list
	list     []change          // every task that the batch has looked at, in that order
	undo     []undo
	saves    []savepoint
	meta     map[string]metaChange
	children map[task.ID][]task.ID // by parent: new tasks of this batch
	holders  map[uniqueKey]task.ID // who holds a unique key, zero for nobody, where that is not as committed
	pairs    []*pairState          // touched
	dirty    []int32               // scratch of Commit
	oldKeys  keyList
	newKeys  keyList
}

// change is one task as it is committed and as the batch has it.
type change struct {
	id     task.ID
	old    *task.Task // committed, once loaded; nil if there is none
	now    *task.Task // as the batch has it; the same pointer as old until it is put
	loaded bool
	dirty  bool // to be written

	asked  bool // status, hash and known hold what index_task_id says
	known  bool // with asked: the id is in use, or was
	status task.Status
	hash   [16]byte
	marked bool       // with asked: a tombstone is committed
	gone   *removal   // while now is nil: what the batch left of the task when it removed it
	pair   *pairState // set once the task was put or removed
	ready  bool       // once put: now is claimable, at place
	place  place
}

// keepChanges bounds the memory that a batch leaves to the next.
const keepChanges = 8192

// Begin opens a batch. One may be open at a time: a second one panics.
func (s *Store) Begin() *Batch {
	d, err := s.acquire()
	if err != nil {
		return &Batch{err: err, ended: true, batchSpace: &batchSpace{}}
	}
	if !d.batchOpen.CompareAndSwap(false, true) {
		d.users.Done()
		panic("store: a batch is open already")
	}
	if d.space == nil {
		d.space = newBatchSpace()
	}
	return &Batch{d: d, time: d.time, seq: d.seq, batchSpace: d.space}
}

func newBatchSpace() *batchSpace {
	return &batchSpace{
		at: make(map[task.ID]int32), meta: make(map[string]metaChange), children: make(map[task.ID][]task.ID),
		holders: make(map[uniqueKey]task.ID),
	}
}

// Discard ends the batch without effect. After Commit it does nothing.
func (b *Batch) Discard() {
	if !b.ended {
		b.end()
	}
}

// end gives the batch's memory and its reference back.
func (b *Batch) end() {
	b.ended = true
	d := b.d
	d.mu.Lock()
	for _, p := range b.pairs {
		d.settle(p)
	}
	d.mu.Unlock()
	d.trimHeads(d.headsTotal)
	if len(b.list) > keepChanges {
		d.space = nil
	} else {
		b.clear()
	}
	if b.err == nil {
		b.err = errBatchEnded
	}
	b.batchSpace = &batchSpace{}
	d.batchOpen.Store(false)
	d.users.Done()
}

func (s *batchSpace) clear() {
	clear(s.at)
	clear(s.list)
	clear(s.undo)
	clear(s.meta)
	clear(s.children)
	clear(s.holders)
	clear(s.pairs)
	s.list, s.undo, s.saves, s.pairs = s.list[:0], s.undo[:0], s.saves[:0], s.pairs[:0]
}

// fail makes the batch unusable; the first error stays.
func (b *Batch) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// touch returns the place of a task in list.
func (b *Batch) touch(id task.ID) int32 {
	i, ok := b.at[id]
	if !ok {
		i = int32(len(b.list))
		b.list = append(b.list, change{id: id})
		b.at[id] = i
	}
	return i
}

// Task returns the task as the batch has it; nil if there is none. It is shared: Clone it before changing it. A payload
// or result above task.InlineBytes is nil unless this batch put it; the sizes tell.
func (b *Batch) Task(id task.ID) (*task.Task, error) {
	if b.err != nil {
		return nil, b.err
	}
	i := b.touch(id)
	if err := b.load(i); err != nil {
		return nil, err
	}
	return b.list[i].now, nil
}

func (b *Batch) load(i int32) (err error) {
	c := &b.list[i]
	if c.loaded {
		return nil
	}
	t := b.d.cache.get(c.id)
	if t == nil {
		if t, err = b.d.find(c.id, c.status); err != nil {
			b.fail(err)
			return err
		}
	}
	c.old, c.now, c.loaded = t, t, true
	return nil
}

// find reads a committed task; nil if there is none. hint is a terminal status that it has, Pending if it has not ended and
// probably waits, 0 for unknown: then running is tried first, for those are asked for most.
func (d *database) find(id task.ID, hint task.Status) (*task.Task, error) {
	likely := [...]task.Status{task.InProgress, task.Pending}
	switch {
	case hint.IsTerminal():
		return d.record(d.read, hint, id)
	case hint == task.Pending:
		likely = [...]task.Status{task.Pending, task.InProgress}
	}
	for _, status := range likely {
		if t, err := d.record(d.read, status, id); t != nil || err != nil {
			return t, err
		}
	}
	return d.current(d.read, id)
}

// Ended returns the terminal status of a task, or Pending if it has not ended, and its content hash, without loading it;
// ok is false if the id was never used or is forgotten. A removed task still answers while its tombstone stands.
func (b *Batch) Ended(id task.ID) (status task.Status, hash [16]byte, ok bool, err error) {
	if b.err != nil {
		return 0, hash, false, b.err
	}
	c := &b.list[b.touch(id)]
	if c.now == nil && !c.asked {
		if t := b.d.cache.get(id); t != nil && !c.loaded {
			c.old, c.now, c.loaded = t, t, true
		}
	}
	if c.now != nil {
		return indexedStatus(c.now.Status), c.now.Hash, true, nil
	}
	if c.gone != nil {
		return c.gone.status, c.gone.hash, c.gone.tombstone, nil
	}
	if !c.asked && b.d.recent.absent(id) {
		c.asked, c.loaded = true, true
	}
	if !c.asked {
		if c.status, c.hash, c.marked, c.known, err = b.d.indexed(b.d.read, id); err != nil {
			b.fail(err)
			return 0, hash, false, err
		}
		c.asked = true
		c.loaded = c.loaded || !c.known || c.marked // there is no record
	}
	return c.status, c.hash, c.known, nil
}

// Put writes a new or changed task. The batch keeps t, which nobody may change from now on. A payload or result above
// task.InlineBytes goes to blobs; nil means that the one there stays. Queue, type and
// unique key of a task never change. It returns the task as it was before, nil if there was none.
func (b *Batch) Put(t *task.Task) (before *task.Task) {
	if b.err != nil {
		return nil
	}
	i := b.touch(t.ID)
	if err := b.load(i); err != nil {
		return nil
	}
	c := &b.list[i]
	before = c.now
	if before != nil && (before.Queue != t.Queue || before.Type != t.Type) {
		b.fail(fmt.Errorf("%w: task %s moved from queue %q type %q to %q %q", task.ErrInternal, t.ID,
			before.Queue, before.Type, t.Queue, t.Type))
		return before
	}
	if c.now == nil {
		for _, parent := range t.Dependencies {
			b.children[parent] = append(b.children[parent], t.ID)
		}
	}
	b.remember(i)
	if first := c.pair == nil; first || before == nil { // an id rolled back or removed may come again with another type
		c.pair = b.pair(pairOf(t))
		if first && c.old != nil && c.old.Claimable() {
			c.ready, c.place = true, placeOf(c.old)
		}
	}
	b.set(c, t, true)
	return before
}

// remember notes what a task is before it is changed.
func (b *Batch) remember(i int32) {
	c := &b.list[i]
	b.undo = append(b.undo, undo{kind: undoTask, at: i, task: c.now, dirty: c.dirty, gone: c.gone})
}

// set makes t what the batch has of a task, forwards and in a rollback.
func (b *Batch) set(c *change, t *task.Task, dirty bool) {
	wasReady, was := c.ready, ready{place: c.place}
	if wasReady && c.now != nil {
		was = readyOf(c.now, c.place)
	}
	b.passKey(c.now, t)
	if c.now != nil {
		c.pair.add(c.now, -1)
	}
	c.now, c.dirty = t, dirty
	if t != nil {
		c.pair.add(t, 1)
	}
	c.ready = t != nil && t.Claimable()
	if !c.ready {
		return
	}
	c.place = placeOf(t)
	switch {
	case wasReady && was == readyOf(t, c.place): // it stands where it stood
	case dirty:
		c.pair.added = push(c.pair.added, readyOf(t, c.place))
	default:
		c.pair.skipped = 0 // it is back in the head, perhaps before the place reached there
	}
}

// pair returns the state of a pair, new or not, and counts it among the batch's.
func (b *Batch) pair(pair Pair) *pairState {
	p := b.d.pairs.byPair[pair]
	if p == nil {
		p = &pairState{pair: pair}
		p.head.whole = true // it has no tasks yet
		b.d.mu.Lock()
		b.d.pairs.insert(p)
		b.d.mu.Unlock()
	}
	b.touchPair(p)
	return p
}

func (b *Batch) touchPair(p *pairState) {
	if !p.touched {
		p.touched = true
		b.pairs = append(b.pairs, p)
	}
}

// Seq returns the last number given.
func (b *Batch) Seq() uint64 { return b.seq }

// NextSeq raises the replicated counter and returns it.
func (b *Batch) NextSeq() uint64 {
	b.seq++
	return b.seq
}

// Time returns the replicated leader time in microseconds.
func (b *Batch) Time() int64 { return b.time }

// SetTime sets the replicated leader time.
func (b *Batch) SetTime(us int64) { b.time = us }

// LogHash returns the chained hash of the log as committed before this batch.
func (b *Batch) LogHash() [32]byte {
	if b.d == nil {
		return [32]byte{}
	}
	return b.d.logHash
}
