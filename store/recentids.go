package store

import (
	"encoding/binary"

	"github.com/haiku-queue/haiku/task"
)

// recentGeneration is how many ids one generation of recentIDs holds; each takes about 40 bytes.
const recentGeneration = 32 << 10

// recentIDs knows which new ids are in no family without asking the database, which costs a submit more than all else
// that it reads: ids begin with the time at which they were made, so nearly all that come are newer than nearly all that
// are there. Every id of the database that was made after floor is in one of the two generations. It belongs to the open
// batch. An id from the future raises floor when it is forgotten, and then it takes until then to be of use again.
type recentIDs struct {
	floor      uint64 // milliseconds since 1970
	young, old idSet
}

type idSet struct {
	ids  map[task.ID]struct{}
	last uint64 // when the newest of them was made
}

// newRecentIDs begins with a database whose newest id was made at floor.
func newRecentIDs(floor uint64) recentIDs {
	return recentIDs{floor: floor, young: newIDSet()}
}

func newIDSet() idSet { return idSet{ids: make(map[task.ID]struct{})} }

// absent reports whether an id is surely not in the database.
func (r *recentIDs) absent(id task.ID) bool {
	if madeAt(id) <= r.floor {
		return false
	}
	_, young := r.young.ids[id]
	_, old := r.old.ids[id]
	return !young && !old
}

// add notes an id that the database has from now on.
func (r *recentIDs) add(id task.ID) {
	at := madeAt(id)
	if at <= r.floor {
		return
	}
	r.young.ids[id] = struct{}{}
	r.young.last = max(r.young.last, at)
	if len(r.young.ids) >= recentGeneration {
		r.floor = max(r.floor, r.old.last)
		r.old, r.young = r.young, newIDSet()
	}
}

// madeAt is the time in a version 7 id.
func madeAt(id task.ID) uint64 { return binary.BigEndian.Uint64(id[:8]) >> 16 }

// loadRecentIDs begins anew with what the database holds.
func (d *database) loadRecentIDs() error {
	s := d.scan(famID, nil, nil, nil)
	defer s.close()
	s.it.SeekToLast()
	floor := uint64(0)
	if s.valid() && len(s.key()) == len(task.ID{}) {
		floor = madeAt(task.ID(s.key()))
	}
	d.recent = newRecentIDs(floor)
	return s.err()
}
