package store

import (
	"fmt"
	"slices"

	"github.com/haiku-queue/haiku/task"
)

// lister merges its scans into the order of ids, or into that order back from the newest. It reads the status families or, with a type, index_task_type,
// whichever has fewer tasks to look at.
type lister struct {
	at    *frozen
	scans []idScan
	back  bool
	last  task.ID // that next returned
}

// idScan goes over tasks in the order of their ids: over the records of one status, or over one group of
// index_task_type.
type idScan struct {
	*scan
	status  task.Status // of the tasks that are wanted; 0 for any
	prefix  int         // bytes of key before the id
	records bool        // values are records
	id      task.ID
	ended   bool
}

// statusesOf is the list of one status, or none for any.
func statusesOf(s task.Status) []task.Status {
	if s == 0 {
		return nil
	}
	return []task.Status{s}
}

// newLister lists the tasks of a type, any if it is empty, and of so many statuses, any if there are none. With a type
// and several statuses others may be among them. It begins after a task in its order, or at its beginning after none.
func newLister(at *frozen, typ string, statuses []task.Status, after task.ID, back bool) *lister {
	l := &lister{at: at, back: back}
	if groups, wanted := at.d.typeGroups(typ, statuses); groups != nil {
		for _, group := range groups {
			prefix := appendTypeKey(nil, typ, group, task.ID{})
			prefix = prefix[:len(prefix)-len(after)]
			l.add(famType, prefix, after, idScan{status: max(wanted, group), prefix: len(prefix)})
		}
		return l
	}
	for _, status := range task.Statuses {
		if len(statuses) == 0 || slices.Contains(statuses, status) {
			l.add(statusFamily(status), nil, after, idScan{status: status, records: true})
		}
	}
	return l
}

// newChildLister lists the tasks that depend on one, whether that one is still there or not.
func newChildLister(at *frozen, parent, after task.ID, back bool) *lister {
	l := &lister{at: at, back: back}
	l.add(famDependents, parent[:], after, idScan{prefix: len(parent)})
	return l
}

// typeGroups returns the groups of index_task_type to go over, and the status of all tasks that are wanted of them, 0 for
// any; none if the status families are the better way: they have fewer tasks of other types than the index has of other
// statuses.
func (d *database) typeGroups(typ string, statuses []task.Status) (groups []task.Status, wanted task.Status) {
	if typ == "" {
		return nil, 0
	}
	if len(statuses) == 0 {
		return []task.Status{anyStatus}, 0
	}
	if !slices.ContainsFunc(statuses, func(s task.Status) bool { return !rareStatus(s) }) {
		return statuses, 0
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	var sameType, sameStatus int64
	for pair, p := range d.pairs.byPair {
		for s, n := range p.counts[:slotCount] {
			if pair.Type == typ {
				sameType += n
			}
			if slices.Contains(statuses, slot(s).status()) {
				sameStatus += n
			}
		}
	}
	if sameType >= sameStatus {
		return nil, 0
	}
	if len(statuses) == 1 {
		wanted = statuses[0]
	}
	return []task.Status{anyStatus}, wanted
}

// add begins a scan of the keys of one prefix and an id.
func (l *lister) add(f family, prefix []byte, after task.ID, s idScan) {
	place := append(slices.Clone(prefix), after[:]...)
	switch {
	case l.back && after == (task.ID{}):
		s.scan = l.at.d.scanBack(f, prefix, prefixEnd(prefix), l.at.at)
	case l.back:
		s.scan = l.at.d.scanBack(f, prefix, place, l.at.at)
	case after == (task.ID{}):
		s.scan = l.at.d.scan(f, place, prefixEnd(prefix), l.at.at)
	default:
		s.scan = l.at.d.scan(f, append(place, 0), prefixEnd(prefix), l.at.at)
	}
	s.settle()
	l.scans = append(l.scans, s)
}

// settle reads the id that the scan stands at.
func (s *idScan) settle() {
	if s.ended = !s.valid(); s.ended {
		return
	}
	if key := s.key(); len(key) == s.prefix+len(s.id) {
		copy(s.id[:], key[s.prefix:])
	}
}

// more reports whether any task is left.
func (l *lister) more() (bool, error) {
	first, err := l.first()
	return first != nil, err
}

// first returns the scan whose id comes first; nil if all have ended.
func (l *lister) first() (first *idScan, err error) {
	for i := range l.scans {
		s := &l.scans[i]
		if s.ended {
			if err := s.err(); err != nil {
				return nil, err
			}
		} else if first == nil || compareIDs(s.id, first.id) < 0 != l.back {
			first = s
		}
	}
	return first, nil
}

// next returns the first task that was not returned yet; nil if its status is not the one that is wanted.
func (l *lister) next() (t *task.Task, ended bool, err error) {
	first, err := l.first()
	if first == nil {
		return nil, true, err
	}
	l.last = first.id
	switch {
	case first.records:
		t, err = decodeRecord(l.last, first.status, first.value())
	case first.status != 0:
		t, err = l.at.d.record(l.at.opts, first.status, l.last)
	default:
		t, err = l.at.d.current(l.at.opts, l.last)
	}
	if t == nil && err == nil && (first.status == 0 || rareStatus(first.status)) {
		err = fmt.Errorf("%w: task %s is in %s but has no record", errCorrupt, l.last, first.f)
	}
	if err != nil {
		return nil, false, err
	}
	first.scan.next()
	first.settle()
	return t, false, nil
}

func (l *lister) cursor() []byte {
	order := task.OrderByID
	if l.back {
		order = task.OrderByNewest
	}
	return appendCursor(order, l.last[:]...)
}

func (l *lister) close() {
	for i := range l.scans {
		l.scans[i].close()
	}
}
