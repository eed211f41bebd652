package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/haiku-queue/haiku/task"
)

// Keys. Numbers are big-endian; a time is its microseconds since 1970 as int64 with the sign bit flipped, so that keys
// sort by time; a name is followed by 0x00, which no name contains. Every value begins with valueVersion.
//
//	status families, by task   | id 16 |                                            -> record (record.go)
//	blobs                      | id 16 | part 1 |                                   -> bytes
//	index_task_id              | id 16 |                                            -> kind 1 | status 1 | hash 16
//	index_task_type            | type | 00 | group 1 | id 16 |                      -> nothing
//	index_priority             | queue | 00 | type | 00 | order 8 | scheduled 8 | seq 8 | id 16 | -> payload size 4, see head.go
//	index_scheduled_time       | kind 1 | time 8 | id 16 |                          -> nothing
//	index_dependents           | parent 16 | child 16 |                             -> nothing
//	index_unique               | 16 bytes of SHA-256(queue, type, key) | scope 1 |  -> id 16
//	meta                       name, see meta.go                                    -> bytes
//
// order is 255 - priority or, of a task that ages, its scheduled time less priority times the interval, with the sign bit
// flipped, which is always the greater number. kind of index_task_id is 1 for a task, 2 for the tombstone of a removed one; its status is
// the terminal one, or Pending for every task that has not ended: so it is written twice in a task's life, not at each
// move. group of index_task_type is 0, under which each task stands once and for all, or a status that few tasks have
// (rareStatus), under which a task stands besides while it has it: again no key changes on the way of most tasks.
// Kinds of index_scheduled_time: 1 due, 2 retry, 3 expires (a waiting task that was never started), 4 retention (when an
// ended task is to be deleted), 5 tombstone (the time that its id carries).
//
// To change an encoding: keys and values are the same on every node and are hashed, so all nodes must change at one
// index. Give the value a new version byte, let readers know both, write the new one only behind a command version
// (see package fsm), and change the golden bytes in keys_test.go in the same commit. A changed key needs a new family.
const valueVersion = 1

const (
	idTask      = 1 // kinds of index_task_id
	idTombstone = 2

	partPayload = 1 // parts of blobs
	partResult  = 2
)

// ScheduleKind is why a task stands in the time index.
type ScheduleKind uint8

// The kinds.
const (
	DueKind   ScheduleKind = 1 // pending, its time has not come
	RetryKind ScheduleKind = 2 // failed, waits for its retry

	ExpiresKind   ScheduleKind = 3 // pending, was never started and ends at ExpiresAt if that stays so
	RetentionKind ScheduleKind = 4 // ended, to be deleted
	TombstoneKind ScheduleKind = 5 // removed; the time is that of the id

	scheduleKinds = 6 // all numbers are below
)

// place is a task's position in the ready order of its (queue, type): the end of its key in index_priority.
type place [40]byte

func (p *place) id() task.ID { return task.ID(p[24:]) }

func (p *place) before(o *place) bool { return bytes.Compare(p[:], o[:]) < 0 }

func (p *place) scheduled() int64 { return unsortable(binary.BigEndian.Uint64(p[8:])) }

// strictOrders is above the order of every task that does not age, and not above that of any that does.
const strictOrders = 256

// placeOf returns the place of t, whether it is claimable or not.
func placeOf(t *task.Task) (p place) {
	order := uint64(255 - t.Priority)
	if t.Aging > 0 {
		order = sortable(micros(t.ScheduledAt) - int64(t.Priority)*t.Aging.Microseconds())
	}
	binary.BigEndian.PutUint64(p[0:], order)
	binary.BigEndian.PutUint64(p[8:], sortable(micros(t.ScheduledAt)))
	binary.BigEndian.PutUint64(p[16:], t.Seq)
	copy(p[24:], t.ID[:])
	return p
}

// sortable maps times to numbers of the same order.
func sortable(us int64) uint64 { return uint64(us) ^ 1<<63 }

func unsortable(n uint64) int64 { return int64(n ^ 1<<63) }

func appendPair(dst []byte, queue, typ string) []byte {
	dst = append(append(dst, queue...), 0)
	return append(append(dst, typ...), 0)
}

func appendPriorityKey(dst []byte, queue, typ string, p *place) []byte {
	return append(appendPair(dst, queue, typ), p[:]...)
}

// anyStatus is the group of index_task_type that has each task of a type.
const anyStatus task.Status = 0

// rareStatus reports whether index_task_type has a group for s.
func rareStatus(s task.Status) bool {
	return s == task.Failed || s == task.DeadLetter || s == task.Cancelled
}

func appendTypeKey(dst []byte, typ string, group task.Status, id task.ID) []byte {
	return append(append(append(append(dst, typ...), 0), byte(group)), id[:]...)
}

// indexedStatus is what index_task_id says of a task in status s.
func indexedStatus(s task.Status) task.Status {
	if s.IsTerminal() {
		return s
	}
	return task.Pending
}

func appendScheduleKey(dst []byte, kind ScheduleKind, us int64, id task.ID) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, byte(kind)), sortable(us))
	return append(dst, id[:]...)
}

func readScheduleKey(key []byte) (kind ScheduleKind, us int64, id task.ID, err error) {
	if len(key) != 25 {
		return 0, 0, id, fmt.Errorf("%w: bad key in %s: %x", errCorrupt, famSchedule, key)
	}
	return ScheduleKind(key[0]), unsortable(binary.BigEndian.Uint64(key[1:])), task.ID(key[9:]), nil
}

// scheduleOf returns where t stands in the time index; kind 0 for nowhere.
func scheduleOf(t *task.Task) (kind ScheduleKind, us int64) {
	switch {
	case t.Status == task.Failed:
		return RetryKind, micros(t.ScheduledAt)
	case t.Phase() == task.Scheduled:
		return DueKind, micros(t.ScheduledAt)
	case t.Status.IsTerminal() && !t.DeleteAt.IsZero():
		return RetentionKind, micros(t.DeleteAt)
	}
	return 0, 0
}

// appendTombstoneKey appends the key under which the tombstone of a removed task stands in the time index.
func appendTombstoneKey(dst []byte, id task.ID) []byte {
	return appendScheduleKey(dst, TombstoneKind, micros(id.Time()), id)
}

// entry is one derived key of a task with its value.
type entry struct {
	family family
	key    []byte
	value  []byte // nil in blobs: the bytes are not part of the record
}

// keyList collects derived keys in memory that it uses again.
type keyList struct {
	entries []entry
	bytes   []byte
}

func (l *keyList) reset() { l.entries, l.bytes = l.entries[:0], l.bytes[:0] }

// end closes the entry whose key begins at keyFrom and whose value, after the version byte, begins at valueFrom.
func (l *keyList) end(f family, keyFrom, valueFrom int) {
	b := l.bytes
	l.entries = append(l.entries, entry{f, b[keyFrom:valueFrom:valueFrom], b[valueFrom:len(b):len(b)]})
}

// addKeys appends the derived keys of t but for its dependencies' and its unique one, in the order of families and keys.
// The keys are a pure function of the task.
func (l *keyList) addKeys(t *task.Task) {
	if t.PayloadSize > task.InlineBytes {
		l.addBlob(t.ID, partPayload)
	}
	if t.ResultSize > task.InlineBytes {
		l.addBlob(t.ID, partResult)
	}
	from := len(l.bytes)
	l.bytes = append(l.bytes, t.ID[:]...)
	mid := len(l.bytes)
	l.bytes = append(append(l.bytes, valueVersion, idTask, byte(indexedStatus(t.Status))), t.Hash[:]...)
	l.end(famID, from, mid)

	l.addTypeKey(t, anyStatus)
	if rareStatus(t.Status) {
		l.addTypeKey(t, t.Status)
	}
	if t.Claimable() {
		from, p := len(l.bytes), placeOf(t)
		l.bytes = appendPriorityKey(l.bytes, t.Queue, t.Type, &p)
		mid = len(l.bytes)
		r := readyOf(t, p)
		l.bytes = r.appendValue(append(l.bytes, valueVersion))
		l.end(famPriority, from, mid)
	}
	if kind, us := scheduleOf(t); kind != 0 {
		l.addScheduleKey(t, kind, us)
	}
	if t.CanExpire() {
		l.addScheduleKey(t, ExpiresKind, micros(t.ExpiresAt))
	}
}

func (l *keyList) addScheduleKey(t *task.Task, kind ScheduleKind, us int64) {
	from := len(l.bytes)
	l.bytes = appendScheduleKey(l.bytes, kind, us, t.ID)
	mid := len(l.bytes)
	l.bytes = append(l.bytes, valueVersion)
	l.end(famSchedule, from, mid)
}

func (l *keyList) addTypeKey(t *task.Task, group task.Status) {
	from := len(l.bytes)
	l.bytes = appendTypeKey(l.bytes, t.Type, group, t.ID)
	mid := len(l.bytes)
	l.bytes = append(l.bytes, valueVersion)
	l.end(famType, from, mid)
}

func (l *keyList) addBlob(id task.ID, part byte) {
	from := len(l.bytes)
	l.bytes = append(append(l.bytes, id[:]...), part)
	l.entries = append(l.entries, entry{famBlobs, l.bytes[from:len(l.bytes):len(l.bytes)], nil})
}

// addDependencyKeys appends the keys that let a parent find t. They stand as long as t does.
func (l *keyList) addDependencyKeys(t *task.Task) {
	parents := t.Dependencies
	if !slices.IsSortedFunc(parents, compareIDs) {
		parents = slices.Clone(parents)
		slices.SortFunc(parents, compareIDs)
	}
	for _, parent := range parents {
		from := len(l.bytes)
		l.bytes = append(append(l.bytes, parent[:]...), t.ID[:]...)
		mid := len(l.bytes)
		l.bytes = append(l.bytes, valueVersion)
		l.end(famDependents, from, mid)
	}
}

func compareIDs(a, b task.ID) int { return bytes.Compare(a[:], b[:]) }

// compareEntries orders entries by family and key.
func compareEntries(a, b *entry) int {
	if a.family != b.family {
		return int(a.family) - int(b.family)
	}
	return bytes.Compare(a.key, b.key)
}

// readVersion checks and removes the version byte of a value.
func readVersion(f family, value []byte) ([]byte, error) {
	if len(value) == 0 || value[0] != valueVersion {
		return nil, fmt.Errorf("%w: value in %s does not begin with version %d", errCorrupt, f, valueVersion)
	}
	return value[1:], nil
}

// readID reads a value of index_task_id. status is as indexedStatus has it.
func readID(value []byte) (status task.Status, hash [16]byte, removed bool, err error) {
	v, err := readVersion(famID, value)
	if err != nil {
		return 0, hash, false, err
	}
	if len(v) != 18 || (v[0] != idTask && v[0] != idTombstone) || indexedStatus(task.Status(v[1])) != task.Status(v[1]) {
		return 0, hash, false, fmt.Errorf("%w: bad value in %s: %x", errCorrupt, famID, value)
	}
	return task.Status(v[1]), [16]byte(v[2:]), v[0] == idTombstone, nil
}
