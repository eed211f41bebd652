package store

import (
	"fmt"

	"github.com/haiku-queue/haiku/task"
)

// index looks for entries of a family that no record calls for. All that are called for were counted, so equal numbers
// mean equal sets; only if they differ is each entry traced back to its record.
func (v *verifier) index(f family) error {
	n := uint64(0)
	err := v.each(f, func(_, value []byte) error {
		v.found.Checked++
		if f == famID {
			if _, _, removed, err := readID(value); err == nil && removed {
				return nil
			}
		}
		n++
		return nil
	})
	if err != nil || n == v.called[f] && !v.suspect[f] {
		return err
	}
	return v.each(f, func(key, value []byte) error { return v.trace(f, key, value) })
}

// trace removes an entry unless its task calls for it or nobody can tell.
func (v *verifier) trace(f family, key, value []byte) error {
	id, ok := taskOfEntry(f, key, value)
	if ok {
		t, decided, err := v.owner(id)
		switch {
		case err != nil:
			return err
		case t != nil && v.callsFor(t, f, key):
			return nil
		case t == nil && decided && f == famID && len(key) == len(id):
			return v.orphan(id, key, value)
		case t == nil && (!decided || v.lost(id)):
			return nil // reported elsewhere
		}
	}
	return v.remove(f, key)
}

// remove takes an entry away. Bytes in blobs cannot be derived again: they stay if anything is damaged.
func (v *verifier) remove(f family, key []byte) error {
	if f == famBlobs && v.found.Damaged > 0 {
		v.damage("%s has the entry %x, which no record calls for; it stays, for something is damaged", f, key)
		return nil
	}
	v.note(&v.found.Removed, "%s has the entry %x, which no record calls for", f, key)
	return v.repair.delete(f, key)
}

// orphan judges an entry of index_task_id whose task has no record: a tombstone stands for itself. Else it is the entry
// that is wrong, unless the counters miss tasks too: then it is the record that was lost.
func (v *verifier) orphan(id task.ID, key, value []byte) error {
	_, _, removed, err := readID(value)
	switch {
	case err != nil:
		v.damage("task %s has no record: %v", id, err)
	case removed:
	case v.short:
		v.undecided++
		v.damage("%s knows task %s, but it has no record", famID, id)
	default:
		return v.remove(famID, key)
	}
	return nil
}

// lost reports whether the record of a task that has none may be missing: orphan reports it then.
func (v *verifier) lost(id task.ID) bool {
	_, _, removed, known, err := v.d.indexed(v.at.opts, id)
	return err != nil || v.short && known && !removed
}

// taskOfEntry reads which task an index entry belongs to; ok is false if it names none.
func taskOfEntry(f family, key, value []byte) (id task.ID, ok bool) {
	at := key
	switch f {
	case famBlobs:
		at = key[:max(0, len(key)-1)]
	case famUnique:
		at = value
	}
	if len(at) < len(id) {
		return id, false
	}
	return task.ID(at[len(at)-len(id):]), true
}

// owner finds the one task of an id; nil if there is none. decided is false where nobody can tell, for it has several
// records or one that cannot be read.
func (v *verifier) owner(id task.ID) (t *task.Task, decided bool, err error) {
	records := 0
	for _, status := range task.Statuses {
		found, err := v.d.view(v.at.opts, statusFamily(status), id[:], func(value []byte) error {
			t, _ = decodeRecord(id, status, value)
			return nil
		})
		if err != nil {
			return nil, false, fmt.Errorf("task %s: %w", id, err)
		}
		if found {
			records++
		}
	}
	switch {
	case records == 1:
		return t, t != nil, nil
	case records > 1:
		return nil, false, nil
	}
	return nil, true, nil
}
