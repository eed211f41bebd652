package store

import "github.com/haiku-queue/haiku/task"

// savepoint is where a rollback goes back to.
type savepoint struct {
	undo int // length of the undo log
	seq  uint64
	time int64
}

type undoKind uint8

const (
	undoTask undoKind = iota
	undoMeta
)

// undo is what one change replaced.
type undo struct {
	kind  undoKind
	at    int32      // undoTask: in list
	task  *task.Task // before; nil if there was none
	dirty bool
	gone  *removal
	key   string // undoMeta
	value []byte // before
	had   bool   // the batch had changed the key before
}

// Savepoint marks the batch's state. It costs next to nothing.
func (b *Batch) Savepoint() int {
	b.saves = append(b.saves, savepoint{len(b.undo), b.seq, b.time})
	return len(b.saves) - 1
}

// Rollback takes back everything since sp. Savepoints made after sp are gone, sp itself may be used again.
func (b *Batch) Rollback(sp int) {
	s := b.saves[sp]
	b.saves = b.saves[:sp+1]
	for len(b.undo) > s.undo {
		last := len(b.undo) - 1
		u := b.undo[last]
		b.undo[last] = undo{}
		b.undo = b.undo[:last]
		switch u.kind {
		case undoTask:
			b.takeBack(&u)
		case undoMeta:
			if u.had {
				b.meta[u.key] = metaChange{u.value}
			} else {
				delete(b.meta, u.key)
			}
		}
	}
	b.seq, b.time = s.seq, s.time
}

func (b *Batch) takeBack(u *undo) {
	c := &b.list[u.at]
	if u.task == nil && c.now != nil {
		for _, parent := range c.now.Dependencies {
			children := b.children[parent]
			b.children[parent] = children[:len(children)-1]
		}
	}
	if u.task != nil && c.pair.pair != pairOf(u.task) { // removed, and made again with another type
		c.pair = b.pair(pairOf(u.task))
	}
	c.gone = u.gone
	b.set(c, u.task, u.dirty)
}
