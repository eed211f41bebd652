package store

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/haiku-queue/haiku/task"
)

// trace removes an entry unless its task calls for it or nobody can tell.
func (v *verifier) trace(f family, key, value []byte) error {
	if f == famUnique && len(key) == len(uniqueKey{}) && v.reclaimed[uniqueKey(key)] {
		return nil // its value says nothing of whose it is
	}
	id, ok := taskOfEntry(f, key, value)
	if !ok {
		return v.remove(f, key)
	}
	t, decided, err := v.owner(id)
	switch {
	case err != nil:
		return err
	case !decided:
		return nil // reported with the records
	case t != nil && v.callsFor(t, f, key):
		return nil
	case t != nil:
		return v.remove(f, key)
	case f == famID && len(key) == len(id):
		return v.orphan(id, key, value)
	case f == famSchedule && v.isTombstoneKey(key, id):
		return nil
	}
	if lost, err := v.lost(id); err != nil || lost {
		return err // reported by orphan
	}
	return v.remove(f, key)
}

// isTombstoneKey reports whether a key of index_scheduled_time is that of a tombstone.
func (v *verifier) isTombstoneKey(key []byte, id task.ID) bool {
	_, _, removed, _, err := v.d.indexed(v.at.opts, id)
	return err == nil && removed && bytes.Equal(key, appendTombstoneKey(nil, id))
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
// that is wrong, unless index_task_type has the task too: then it is the record that was lost.
func (v *verifier) orphan(id task.ID, key, value []byte) error {
	_, _, removed, err := readID(value)
	if err != nil {
		v.damage("task %s has no record: %v", id, err)
		return nil
	}
	if removed {
		return nil
	}
	lost, err := v.lost(id)
	switch {
	case err != nil:
		return err
	case lost:
		v.undecided++
		v.damage("%s knows task %s, but it has no record", famID, id)
	default:
		return v.remove(famID, key)
	}
	return nil
}

// lost reports whether the record of a task that has none was lost: both indexes that every task is in have it.
func (v *verifier) lost(id task.ID) (bool, error) {
	_, _, removed, known, err := v.d.indexed(v.at.opts, id)
	if errors.Is(err, errCorrupt) {
		return true, nil // orphan reports it
	}
	if err != nil || !known || removed {
		return false, err
	}
	for typ := range v.types {
		found, err := v.d.view(v.at.opts, famType, appendTypeKey(nil, typ, anyStatus, id), func([]byte) error { return nil })
		if err != nil || found {
			return found, err
		}
	}
	return false, nil
}

// listTypes collects the types under which index_task_type may have a task.
func (v *verifier) listTypes() {
	v.types = make(map[string]bool)
	for pair := range v.rows {
		v.types[pair.Type] = true
	}
	for pair := range v.counted {
		v.types[pair.Type] = true
	}
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
