package store

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/haiku-queue/haiku/task"
)

// tally adds up entries in any order: equal tallies mean equal sets.
type tally struct{ count, low, high uint64 }

func (v *verifier) add(t *tally, key, value []byte) {
	v.buf = binary.AppendUvarint(v.buf[:0], uint64(len(key)))
	v.buf = append(append(v.buf, key...), value...)
	sum := sha256.Sum256(v.buf)
	t.count++
	t.low += binary.BigEndian.Uint64(sum[:])
	t.high += binary.BigEndian.Uint64(sum[8:])
}

// tallyRecord counts a task, and adds the entries that it calls for.
func (v *verifier) tallyRecord(t *task.Task) error {
	pair := Pair{t.Queue, t.Type}
	if v.counted[pair] == nil {
		v.counted[pair] = &counts{}
	}
	v.counted[pair].count(t, 1)
	if t.Seq > v.seq || t.LeaseID > v.seq {
		v.damage("task %s has seq %d and lease %d above the counter %d", t.ID, t.Seq, t.LeaseID, v.seq)
	}
	v.keys.of(t)
	for i := range v.keys.entries {
		e := &v.keys.entries[i]
		value := e.value
		if e.family == famBlobs {
			value = sizeMark(blobSize(t, e.key))
		}
		v.add(&v.called[e.family], e.key, value)
	}
	return nil
}

// tallyIndex adds the entries of a family that are there. Tombstones stand for themselves, and call for an entry in the
// time index.
func (v *verifier) tallyIndex(f family) error {
	var key25 []byte
	return v.each(f, func(key, value []byte) error {
		v.found.Checked++
		switch f {
		case famBlobs:
			if len(value) > 0 && value[0] == valueVersion {
				value = sizeMark(uint32(len(value) - 1))
			}
		case famID:
			if id, ok := tombstoneOf(key, value); ok {
				key25 = appendTombstoneKey(key25[:0], id)
				v.add(&v.called[famSchedule], key25, []byte{valueVersion})
				return nil
			}
		}
		v.add(&v.there[f], key, value)
		return nil
	})
}

// tombstones calls fn for each removed task that still answers.
func (v *verifier) tombstones(fn func(id task.ID) error) error {
	return v.each(famID, func(key, value []byte) error {
		if id, ok := tombstoneOf(key, value); ok {
			return fn(id)
		}
		return nil
	})
}

// tombstoneOf reads which removed task an entry of index_task_id stands for; ok is false if it is none's.
func tombstoneOf(key, value []byte) (id task.ID, ok bool) {
	if _, _, removed, err := readID(value); err != nil || !removed || len(key) != len(id) {
		return id, false
	}
	return task.ID(key), true
}

// blobSize is how many bytes a task says are under its key in blobs.
func blobSize(t *task.Task, key []byte) uint32 {
	if key[len(key)-1] == partResult {
		return t.ResultSize
	}
	return t.PayloadSize
}

// sizeMark stands for bytes in blobs of which only the number is known.
func sizeMark(size uint32) []byte { return binary.BigEndian.AppendUint32(nil, size) }
