package store

import (
	"fmt"
	"math"
	"slices"

	"github.com/haiku-queue/haiku/task"
)

const (
	minTime = math.MinInt64
	maxTime = math.MaxInt64
)

// Due lists the tasks of a kind whose time is not after until (microseconds), earliest first, at most limit.
func (b *Batch) Due(kind ScheduleKind, until int64, limit int) ([]task.ID, error) {
	if b.err != nil {
		return nil, b.err
	}
	type due struct {
		us int64
		id task.ID
	}
	var found []due
	for i := range b.list {
		if c := &b.list[i]; c.dirty {
			if us, ok := c.timeOf(kind); ok && us <= until {
				found = append(found, due{us, c.id})
			}
		}
	}
	committed, first := 0, true
	err := b.d.eachScheduled(kind, until, func(us int64, id task.ID) bool {
		if first {
			b.d.setFloor(kind, us)
			first = false
		}
		if i, ok := b.at[id]; ok && b.list[i].dirty {
			return true
		}
		found = append(found, due{us, id})
		committed++
		return committed < limit
	})
	if err != nil {
		b.fail(err)
		return nil, err
	}
	if first {
		b.d.setFloor(kind, max(b.d.floors[kind], until))
	}
	slices.SortFunc(found, func(a, b due) int {
		if a.us != b.us {
			if a.us < b.us {
				return -1
			}
			return 1
		}
		return compareIDs(a.id, b.id)
	})
	ids := make([]task.ID, 0, min(limit, len(found)))
	for _, f := range found[:min(limit, len(found))] {
		ids = append(ids, f.id)
	}
	return ids, nil
}

// eachScheduled calls fn for the committed entries of a kind up to until, in order, while it returns true.
func (d *database) eachScheduled(kind ScheduleKind, until int64, fn func(us int64, id task.ID) bool) error {
	d.mu.RLock()
	floor := d.floors[kind]
	d.mu.RUnlock()
	if floor > until {
		return nil
	}
	var end []byte
	if until == maxTime {
		end = prefixEnd([]byte{byte(kind)})
	} else {
		end = appendScheduleKey(nil, kind, until+1, task.ID{})
	}
	s := d.scan(famSchedule, appendScheduleKey(nil, kind, floor, task.ID{}), end, nil)
	defer s.close()
	for ; s.valid(); s.next() {
		_, us, id, err := readScheduleKey(s.key())
		if err != nil {
			return err
		}
		if !fn(us, id) {
			return nil
		}
	}
	return s.err()
}

// setFloor remembers that no committed key of kind lies before us, so that the tombstones there are not walked again.
func (d *database) setFloor(kind ScheduleKind, us int64) {
	d.mu.Lock()
	d.floors[kind] = us
	d.mu.Unlock()
}

// NextDue returns the earliest time in microseconds at which a task of kind is due.
func (s *Store) NextDue(kind ScheduleKind) (us int64, ok bool, err error) {
	d, err := s.acquire()
	if err != nil {
		return 0, false, err
	}
	defer d.users.Done()
	err = d.eachScheduled(kind, maxTime, func(at int64, _ task.ID) bool {
		us, ok = at, true
		return false
	})
	return us, ok, err
}

// InProgress lists the running tasks in the order of their ids, only those after a given one (zero for all), at most
// limit.
func (b *Batch) InProgress(after task.ID, limit int) ([]task.ID, error) {
	if b.err != nil {
		return nil, b.err
	}
	var out []task.ID
	for i := range b.list {
		if c := &b.list[i]; c.dirty && c.now != nil && c.now.Status == task.InProgress && compareIDs(c.id, after) > 0 {
			out = append(out, c.id)
		}
	}
	s := b.d.scan(famInProgress, append(after[:len(after):len(after)], 0), nil, nil)
	defer s.close()
	for committed := 0; s.valid() && committed < limit; s.next() {
		id, err := task.IDFromBytes(s.key())
		if err != nil {
			b.fail(fmt.Errorf("%w: bad key in %s: %x", errCorrupt, famInProgress, s.key()))
			return nil, b.err
		}
		if i, ok := b.at[id]; ok && b.list[i].dirty {
			continue
		}
		out = append(out, id)
		committed++
	}
	if err := s.err(); err != nil {
		b.fail(err)
		return nil, err
	}
	slices.SortFunc(out, compareIDs)
	return out[:min(limit, len(out))], nil
}

// Dependents lists the tasks that depend on parent, in the order of their ids and only those after a given one (zero
// for all), at most limit.
func (b *Batch) Dependents(parent, after task.ID, limit int) ([]task.ID, error) {
	if b.err != nil {
		return nil, b.err
	}
	var out []task.ID
	for _, child := range b.children[parent] {
		if compareIDs(child, after) > 0 && b.hasParent(child, parent) {
			out = append(out, child)
		}
	}
	if b.d.dependents {
		committed := 0
		from := append(append(make([]byte, 0, 33), parent[:]...), after[:]...)
		s := b.d.scan(famDependents, append(from, 0), prefixEnd(parent[:]), nil)
		defer s.close()
		for ; s.valid() && committed < limit; s.next() {
			key := s.key()
			if len(key) != 32 {
				err := fmt.Errorf("%w: bad key in %s: %x", errCorrupt, famDependents, key)
				b.fail(err)
				return nil, err
			}
			child := task.ID(key[16:])
			if i, ok := b.at[child]; ok && b.list[i].replaced() {
				continue
			}
			out = append(out, child)
			committed++
		}
		if err := s.err(); err != nil {
			b.fail(err)
			return nil, err
		}
	}
	slices.SortFunc(out, compareIDs)
	out = slices.Compact(out)
	return out[:min(limit, len(out))], nil
}

// hasParent reports whether a task that the batch put as the parent's child still is that.
func (b *Batch) hasParent(child, parent task.ID) bool {
	c := &b.list[b.at[child]]
	return c.now != nil && (c.gone == nil || slices.Contains(c.now.Dependencies, parent))
}
