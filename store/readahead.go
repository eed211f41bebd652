package store

import (
	"bytes"
	"slices"

	"github.com/haiku-queue/haiku/task"
)

const (
	// readAheadTasks is how many records are read at once when the first of a head is about to be claimed. They mostly lie
	// together, for tasks are claimed about in the order of their ids, and one iterator passes over them in a fraction of
	// the time that a lookup of each takes.
	readAheadTasks = 64

	// The iterator passes at most so many other records, or tombstones, on its way to the next; then it seeks.
	readAheadSteps      = 4
	readAheadTombstones = 32
)

// readAhead brings the records of ready tasks into the cache. What it leaves out, for whatever reason, is read when it
// is asked for, and an error is found then.
func (d *database) readAhead(from []ready) {
	if d.cache.limit == 0 {
		return
	}
	ids := make([]task.ID, 0, readAheadTasks)
	for i := range from[:min(readAheadTasks, len(from))] {
		if id := from[i].place.id(); !d.cache.has(id) {
			ids = append(ids, id)
		}
	}
	if len(ids) < 2 {
		return
	}
	slices.SortFunc(ids, compareIDs)
	s := &scan{d: d, f: famPending, opts: d.readOptions()}
	s.opts.SetTotalOrderSeek(true)
	s.opts.SetIterateUpperBound(prefixEnd(ids[len(ids)-1][:]))
	s.opts.SetMaxSkippableInternalKeys(readAheadTombstones)
	s.it = d.iterator(famPending, s.opts)
	defer s.close()
	for steps := 0; len(ids) > 0; {
		if steps > readAheadSteps || !s.valid() {
			steps = 0
			if s.it.Seek(ids[0][:]); !s.valid() {
				ids = ids[1:]
				continue
			}
		}
		switch order := bytes.Compare(s.key(), ids[0][:]); {
		case order < 0:
			steps++
			s.next()
		case order == 0:
			if t, err := decodeRecord(ids[0], task.Pending, s.value()); err == nil {
				d.cache.put(t)
			}
			steps, ids = 0, ids[1:]
			s.next()
		default:
			ids = ids[1:]
		}
	}
}
