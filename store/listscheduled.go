package store

import (
	"encoding/binary"
	"fmt"

	"github.com/haiku-queue/haiku/task"
)

// scheduledWalk merges the kinds of index_scheduled_time that wait for a time.
type scheduledWalk struct {
	at    *frozen
	scans []timeScan
	last  [24]byte // time and id
}

// timeScan goes over the tasks of one kind, all of the same status.
type timeScan struct {
	*scan
	status task.Status
	place  [24]byte
	ended  bool
}

// walkScheduled freezes the state and begins after a place. The remembered lower bounds spare it the tombstones of what
// was due before.
func (d *database) walkScheduled(f *task.Filter, after []byte) (*frozen, *scheduledWalk) {
	d.writing.Lock() // so that the floors are those of the frozen state
	at := d.freeze()
	d.mu.RLock()
	floors := d.floors
	d.mu.RUnlock()
	d.writing.Unlock()
	w := &scheduledWalk{at: at, scans: make([]timeScan, 0, 2)}
	for _, of := range [...]struct {
		kind   ScheduleKind
		status task.Status
	}{{DueKind, task.Pending}, {RetryKind, task.Failed}} {
		kind, status := of.kind, of.status
		if f.Status != 0 && f.Status != status {
			continue
		}
		us := floors[kind]
		if !f.ScheduledFrom.IsZero() {
			us = max(us, micros(f.ScheduledFrom))
		}
		from, to := appendScheduleKey(nil, kind, us, task.ID{}), prefixEnd([]byte{byte(kind)})
		if string(from[1:]) <= string(after) {
			from = append(append(from[:1], after...), 0)
		}
		if !f.ScheduledTo.IsZero() {
			to = appendScheduleKey(nil, kind, micros(f.ScheduledTo), task.ID{})
		}
		w.scans = append(w.scans, timeScan{scan: d.scan(famSchedule, from, to, at.at), status: status})
		w.scans[len(w.scans)-1].settle()
	}
	return at, w
}

// settle reads the place that the scan stands at.
func (s *timeScan) settle() {
	if s.ended = !s.valid(); !s.ended {
		copy(s.place[:], s.key()[1:])
	}
}

// first returns the scan that stands at the earliest place; nil if all have ended.
func (w *scheduledWalk) first() (first *timeScan, err error) {
	for i := range w.scans {
		s := &w.scans[i]
		if s.ended {
			if err := s.err(); err != nil {
				return nil, err
			}
		} else if first == nil || string(s.place[:]) < string(first.place[:]) {
			first = s
		}
	}
	return first, nil
}

func (w *scheduledWalk) next() (t *task.Task, ended bool, err error) {
	first, err := w.first()
	if first == nil {
		return nil, true, err
	}
	_, us, id, err := readScheduleKey(first.key())
	if err != nil {
		return nil, false, err
	}
	if t, err = w.at.d.record(w.at.opts, first.status, id); t == nil && err == nil {
		err = fmt.Errorf("%w: task %s is in %s but not in %s", errCorrupt, id, famSchedule, statusFamily(first.status))
	}
	if err != nil {
		return nil, false, err
	}
	binary.BigEndian.PutUint64(w.last[:], sortable(us))
	copy(w.last[8:], id[:])
	first.scan.next()
	first.settle()
	return t, false, nil
}

func (w *scheduledWalk) cursor() []byte { return appendCursor(task.OrderByScheduled, w.last[:]...) }

func (w *scheduledWalk) more() (bool, error) {
	first, err := w.first()
	return first != nil, err
}

func (w *scheduledWalk) close() {
	for i := range w.scans {
		w.scans[i].close()
	}
}
