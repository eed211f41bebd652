package store

import (
	"crypto/sha256"
	"fmt"

	"github.com/haiku-queue/haiku/task"
)

// uniqueKey is a key of index_unique: 16 bytes of SHA-256(queue | 00 | type | 00 | key) | scope 1.
type uniqueKey [17]byte

func uniqueKeyOf(t *task.Task) (k uniqueKey) {
	sum := sha256.Sum256(append(appendPair(nil, t.Queue, t.Type), t.UniqueKey...))
	copy(k[:], sum[:16])
	k[16] = byte(t.UniqueScope)
	return k
}

// addUniqueKey appends the key under which t holds its unique key, if it does.
func (l *keyList) addUniqueKey(t *task.Task) {
	if !t.UniqueHeld {
		return
	}
	from, k := len(l.bytes), uniqueKeyOf(t)
	l.bytes = append(l.bytes, k[:]...)
	mid := len(l.bytes)
	l.bytes = append(append(l.bytes, valueVersion), t.ID[:]...)
	l.end(famUnique, from, mid)
}

// KeyHolder returns the task that holds the unique key and scope of t within its queue and type; ok is false if none
// does. Whoever puts tasks sees to it that there is never more than one.
func (b *Batch) KeyHolder(t *task.Task) (id task.ID, ok bool, err error) {
	if b.err != nil {
		return id, false, b.err
	}
	k := uniqueKeyOf(t)
	if id, ok := b.holders[k]; ok {
		return id, id != task.ID{}, nil
	}
	ok, err = b.d.view(b.d.read, famUnique, k[:], func(value []byte) error {
		v, err := readVersion(famUnique, value)
		if err == nil && len(v) != len(id) {
			err = fmt.Errorf("%w: bad value in %s: %x", errCorrupt, famUnique, value)
		}
		copy(id[:], v)
		return err
	})
	if err != nil {
		b.fail(err)
		return id, false, err
	}
	return id, ok, nil
}

// passKey notes what a change of one task, forwards or in a rollback, means for its unique key.
func (b *Batch) passKey(before, after *task.Task) {
	held, holds := before != nil && before.UniqueHeld, after != nil && after.UniqueHeld
	if held == holds {
		return // the key of a task never changes
	}
	if holds {
		b.holders[uniqueKeyOf(after)] = after.ID
		return
	}
	k := uniqueKeyOf(before)
	if id, ok := b.holders[k]; !ok || id == before.ID {
		b.holders[k] = task.ID{}
	}
}

// passedOn reports whether a derived key that a task no longer has is now another one's.
func (b *Batch) passedOn(e *entry) bool {
	return e.family == famUnique && b.holders[uniqueKey(e.key)] != task.ID{}
}
