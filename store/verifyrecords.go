package store

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/haiku-queue/haiku/task"
)

// records calls fn for each task that has one record that can be read. It goes over the records of all statuses in the
// order of ids, so that one id in two families is seen at once.
func (v *verifier) records(fn func(t *task.Task) error) error {
	var scans [len(task.Statuses)]*scan
	for i, status := range task.Statuses {
		scans[i] = v.d.scan(statusFamily(status), nil, nil, v.at.at)
		defer scans[i].close()
	}
	var key []byte
	for {
		first := firstOf(scans[:])
		if first == nil {
			break
		}
		key = append(key[:0], first.key()...)
		var holders []int
		for i, s := range scans {
			if s.valid() && bytes.Equal(s.key(), key) {
				holders = append(holders, i)
			}
		}
		if t := v.record(key, holders, first.value()); t != nil {
			if err := fn(t); err != nil {
				return err
			}
		}
		for _, i := range holders {
			if err := v.step(); err != nil {
				return err
			}
			scans[i].next()
		}
	}
	for _, s := range scans {
		if err := s.err(); err != nil {
			return err
		}
	}
	return nil
}

// firstOf returns the scan that stands at the lowest key; nil if all are at their end.
func firstOf(scans []*scan) (first *scan) {
	for _, s := range scans {
		if s.valid() && (first == nil || bytes.Compare(s.key(), first.key()) < 0) {
			first = s
		}
	}
	return first
}

// record reads the one record of an id; nil if it cannot be known. holders are the statuses that have one, by their
// places in task.Statuses, and value is the record of the first.
func (v *verifier) record(key []byte, holders []int, value []byte) *task.Task {
	status := task.Statuses[holders[0]]
	id, err := task.IDFromBytes(key)
	if err == nil && len(holders) > 1 {
		err = fmt.Errorf("task %s has records in %s", id, statusNames(holders))
	}
	var t *task.Task
	if err == nil {
		t, err = decodeRecord(id, status, value)
	}
	if v.again {
		return t
	}
	v.found.Records += uint64(len(holders))
	if err != nil {
		v.undecided++
		v.damage("%s: %v", statusFamily(status), err)
	}
	return t
}

func statusNames(holders []int) string {
	var names []string
	for _, i := range holders {
		names = append(names, statusFamily(task.Statuses[i]).String())
	}
	return strings.Join(names, " and ")
}

// of makes the list that of all derived keys of a task.
func (l *keyList) of(t *task.Task) {
	l.reset()
	l.addKeys(t)
	l.addDependencyKeys(t)
	l.addUniqueKey(t)
}

// compareRecord looks up the entries that a task calls for.
func (v *verifier) compareRecord(t *task.Task) error {
	v.keys.of(t)
	for i := range v.keys.entries {
		e := &v.keys.entries[i]
		if !v.wrong(e.family) {
			continue
		}
		if err := v.entry(t, e); err != nil {
			return err
		}
	}
	return nil
}

// entry compares one entry that is called for with what is there.
func (v *verifier) entry(t *task.Task, e *entry) error {
	wrong := false
	found, err := v.d.view(v.at.opts, e.family, e.key, func(value []byte) error {
		if e.family == famBlobs {
			wrong = len(value) != int(blobSize(t, e.key))+1 || value[0] != valueVersion
		} else {
			wrong = !bytes.Equal(value, e.value)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case found && !wrong:
		return nil
	case e.family == famBlobs && found:
		v.damage("%s has a wrong value at %x of task %s", e.family, e.key, t.ID)
		return nil
	case e.family == famBlobs:
		v.damage("%s has no entry %x of task %s", e.family, e.key, t.ID)
		return nil
	case found:
		if e.family == famUnique {
			v.reclaimed[uniqueKey(e.key)] = true
		}
		v.note(&v.found.Rewritten, "%s has a wrong value at %x of task %s", e.family, e.key, t.ID)
	default:
		v.note(&v.found.Added, "%s has no entry %x of task %s", e.family, e.key, t.ID)
	}
	return v.repair.put(e.family, e.key, e.value)
}

// compareTombstone looks up the entry of a removed task in the time index, where it is found to be forgotten.
func (v *verifier) compareTombstone(id task.ID) error {
	if t, decided, err := v.owner(id); err != nil || t != nil || !decided {
		return err // the record says that it was not removed
	}
	return v.entry(&task.Task{ID: id}, &entry{famSchedule, appendTombstoneKey(nil, id), []byte{valueVersion}})
}
