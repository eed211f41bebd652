package store

import (
	"fmt"

	"github.com/haiku-queue/haiku/task"
)

// removal is what a batch leaves of a task that it removed.
type removal struct {
	tombstone bool // the id still answers with status and hash
	status    task.Status
	hash      [16]byte
}

// Delete removes a task that has ended: its record, all its keys, its payload and result. With tombstone its id still
// answers Ended until Forget. The keys under which its children stand are theirs and stay. It returns the task as it was.
func (b *Batch) Delete(id task.ID, tombstone bool) (before *task.Task) {
	if _, _, _, err := b.Ended(id); err != nil { // says where the record is
		return nil
	}
	i := b.touch(id)
	if err := b.load(i); err != nil {
		return nil
	}
	c := &b.list[i]
	if c.now == nil || !c.now.Status.IsTerminal() {
		b.fail(fmt.Errorf("%w: task %s is deleted but has not ended", task.ErrInternal, id))
		return nil
	}
	before = c.now
	b.remember(i)
	if c.pair == nil {
		c.pair = b.pair(pairOf(c.now))
	}
	c.gone = &removal{tombstone: tombstone, status: c.now.Status, hash: c.now.Hash}
	b.set(c, nil, true)
	return before
}

// Forget removes the tombstone of a task: its id answers nothing any more.
func (b *Batch) Forget(id task.ID) {
	_, _, known, err := b.Ended(id)
	if err != nil {
		return
	}
	i := b.touch(id)
	c := &b.list[i]
	if !known || c.now != nil || c.gone == nil && !c.marked {
		b.fail(fmt.Errorf("%w: id %s is forgotten but has no tombstone", task.ErrInternal, id))
		return
	}
	b.remember(i)
	c.gone = &removal{}
	b.set(c, nil, true)
}

// replaced reports whether the committed task is not the one that the batch has: it was removed, and perhaps its id was
// given to a new task.
func (c *change) replaced() bool {
	return c.dirty && c.old != nil && (c.now == nil || c.now.Seq != c.old.Seq)
}

// timeOf returns when the id is due for a kind of the time index as the batch has it; ok is false if it does not stand
// there.
func (c *change) timeOf(kind ScheduleKind) (us int64, ok bool) {
	if kind == ExpiresKind {
		if c.now == nil || !c.now.CanExpire() {
			return 0, false
		}
		return micros(c.now.ExpiresAt), true
	}
	k, us := c.schedule()
	return us, k == kind
}

// schedule returns where the id stands in the time index as the batch has it, but for ExpiresKind, which a task may have
// besides; kind 0 for nowhere.
func (c *change) schedule() (kind ScheduleKind, us int64) {
	switch {
	case c.now != nil:
		return scheduleOf(c.now)
	case c.gone != nil && c.gone.tombstone:
		return TombstoneKind, micros(c.id.Time())
	}
	return 0, 0
}

// encodeTombstone brings the tombstone of an id in line with the batch, but for what a task's own keys overwrite.
func (b *Batch) encodeTombstone(w *writer, c *change) {
	if c.now != nil && !c.marked {
		return
	}
	wanted := c.now == nil && c.gone.tombstone
	if wanted {
		value := append(make([]byte, 0, 19), valueVersion, idTombstone, byte(c.gone.status))
		w.put(famID, c.id[:], append(value, c.gone.hash[:]...))
	}
	if c.now == nil && !wanted && (c.old != nil || c.marked) {
		w.delete(famID, c.id[:])
	}
	switch key := appendTombstoneKey(nil, c.id); {
	case wanted && !c.marked:
		w.put(famSchedule, key, []byte{valueVersion})
	case c.marked && !wanted:
		w.delete(famSchedule, key)
	}
}

// encodeRemoval deletes a committed task but for its entry in index_task_id.
func (b *Batch) encodeRemoval(w *writer, c *change) {
	if c.old == nil {
		return
	}
	keys := &b.oldKeys
	keys.of(c.old)
	for i := range keys.entries {
		if e := &keys.entries[i]; e.family != famID && !b.passedOn(e) {
			w.delete(e.family, e.key)
		}
	}
	w.delete(statusFamily(c.old.Status), c.id[:])
}
