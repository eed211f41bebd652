package store

import (
	"bytes"
	"strings"

	"github.com/haiku-queue/haiku/task"
)

// records goes over the records of all statuses in the order of ids, so that one id in two families is seen at once.
func (v *verifier) records() error {
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
		if err := v.record(key, holders, first.value()); err != nil {
			return err
		}
		for _, i := range holders {
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

// record checks that the one record of an id has all its entries. holders are the statuses that have one, by their
// places in task.Statuses, and value is the record of the first.
func (v *verifier) record(key []byte, holders []int, value []byte) error {
	v.found.Records += uint64(len(holders))
	for range holders {
		if err := v.step(); err != nil {
			return err
		}
	}
	status := task.Statuses[holders[0]]
	id, err := task.IDFromBytes(key)
	switch {
	case err != nil:
		v.undecided++
		v.damage("key in %s: %v", statusFamily(status), err)
		return nil
	case len(holders) > 1:
		v.undecided++
		v.damage("task %s has records in %s", id, statusNames(holders))
		return nil
	}
	t, err := decodeRecord(id, status, value)
	if err != nil {
		v.undecided++
		v.damage("%s: %v", statusFamily(status), err)
		return nil
	}
	pair := Pair{t.Queue, t.Type}
	if v.counted[pair] == nil {
		v.counted[pair] = &counts{}
	}
	v.counted[pair][slotOf(t)]++
	if t.Seq > v.seq || t.LeaseID > v.seq {
		v.damage("task %s has seq %d and lease %d above the counter %d", id, t.Seq, t.LeaseID, v.seq)
	}
	v.keys.of(t)
	for i := range v.keys.entries {
		if err := v.entry(t, &v.keys.entries[i]); err != nil {
			return err
		}
	}
	return nil
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
}

// entry compares one entry that a record calls for with what is there.
func (v *verifier) entry(t *task.Task, e *entry) error {
	wrong := false
	found, err := v.d.view(v.at.opts, e.family, e.key, func(value []byte) error {
		if e.family == famBlobs {
			size := t.PayloadSize
			if e.key[len(e.key)-1] == partResult {
				size = t.ResultSize
			}
			wrong = len(value) != int(size)+1 || value[0] != valueVersion
		} else {
			wrong = !bytes.Equal(value, e.value)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if found {
		v.called[e.family]++
	}
	switch {
	case found && !wrong:
		return nil
	case e.family == famBlobs && found:
		v.damage("%s has a wrong value at %x of task %s", e.family, e.key, t.ID)
		return nil
	case e.family == famBlobs:
		v.damage("%s has no entry %x of task %s", e.family, e.key, t.ID)
		return nil
	case found:
		v.suspect[e.family] = true // the value may have kept it from being counted
		v.note(&v.found.Rewritten, "%s has a wrong value at %x of task %s", e.family, e.key, t.ID)
	default:
		v.note(&v.found.Added, "%s has no entry %x of task %s", e.family, e.key, t.ID)
	}
	return v.repair.put(e.family, e.key, e.value)
}
