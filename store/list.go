package store

import (
	"fmt"

	"github.com/haiku-queue/haiku/task"
)

// Lists are in the order of ids, which is by age and which no change of a task disturbs: a cursor is the id after which
// to go on, so a task that moves to another status between two pages is neither left out nor shown twice.
//
//	cursor: | version 1 | id 16 |
const cursorVersion = 1

// maxExamined bounds the records that one page reads. A page may be short, even empty, and still have a next one.
const maxExamined = 10_000

// List returns one page of the tasks that f selects. It reads the status families or, with a type, index_task_type,
// whichever has fewer tasks to look at; the rest of f is compared task by task. A page with payloads ends after
// task.MaxClaimBytes of them, or one task.
func (s *Store) List(f task.Filter) (task.Page, error) {
	var page task.Page
	if err := f.Validate(); err != nil {
		return page, err
	}
	after, err := readCursor(f.Cursor)
	if err != nil {
		return page, err
	}
	d, err := s.acquire()
	if err != nil {
		return page, err
	}
	defer d.users.Done()
	at := d.freeze()
	defer at.release()
	if page.AppliedIndex, err = at.appliedIndex(); err != nil {
		return page, err
	}
	l := newLister(at, &f, after)
	defer l.close()
	bytes := 0
	for n := 0; len(page.Tasks) < f.Limit && n < maxExamined; n++ {
		id, t, err := l.next()
		if err != nil || id == (task.ID{}) {
			return page, err
		}
		after = id
		if t == nil || !selects(&f, t) {
			continue
		}
		if !f.WithPayload {
			t.Payload, t.Result = nil, nil
		} else if bytes += int(t.PayloadSize) + int(t.ResultSize); bytes > task.MaxClaimBytes && len(page.Tasks) > 0 {
			page.Next = appendCursor(page.Tasks[len(page.Tasks)-1].ID)
			return page, nil
		} else if err := d.fill(at.opts, t); err != nil {
			return page, err
		}
		page.Tasks = append(page.Tasks, t)
	}
	more, err := l.more()
	if more {
		page.Next = appendCursor(after)
	}
	return page, err
}

func appendCursor(after task.ID) []byte { return append([]byte{cursorVersion}, after[:]...) }

func selects(f *task.Filter, t *task.Task) bool {
	return (f.Status == 0 || f.Status == t.Status) && (f.Queue == "" || f.Queue == t.Queue) && (f.Type == "" || f.Type == t.Type) &&
		t.Priority >= f.MinPriority && (f.MaxPriority == nil || t.Priority <= *f.MaxPriority)
}

func readCursor(cursor []byte) (after task.ID, err error) {
	if len(cursor) == 0 {
		return after, nil
	}
	if len(cursor) != 17 || cursor[0] != cursorVersion {
		return after, fmt.Errorf("%w: cursor is not one that a page gave", task.ErrInvalid)
	}
	return task.ID(cursor[1:]), nil
}

func (f *frozen) appliedIndex() (uint64, error) {
	var a Applied
	_, err := f.d.view(f.opts, famMeta, []byte(keyApplied), func(value []byte) error {
		v, err := readVersion(famMeta, value)
		if err == nil {
			a, err = decodeApplied(v)
		}
		return err
	})
	return a.Index, err
}

// lister merges its scans into the order of ids.
type lister struct {
	at    *frozen
	scans []idScan
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

func newLister(at *frozen, f *task.Filter, after task.ID) *lister {
	l := &lister{at: at}
	if group, ok := at.d.typeGroup(f); ok {
		from := appendTypeKey(nil, f.Type, group, after)
		prefix := from[:len(from)-len(after)]
		l.add(famType, from, prefixEnd(prefix), after, idScan{status: f.Status, prefix: len(prefix)})
		return l
	}
	for _, status := range task.Statuses {
		if f.Status == 0 || f.Status == status {
			l.add(statusFamily(status), append([]byte(nil), after[:]...), nil, after, idScan{status: status, records: true})
		}
	}
	return l
}

// typeGroup returns the group of index_task_type to go over; ok is false if the status family is the better way: it has
// fewer tasks of other types than the index has of other statuses.
func (d *database) typeGroup(f *task.Filter) (group task.Status, ok bool) {
	switch {
	case f.Type == "":
		return 0, false
	case f.Status == 0:
		return anyStatus, true
	case rareStatus(f.Status):
		return f.Status, true
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	var sameType, sameStatus int64
	for pair, p := range d.pairs.byPair {
		for s, n := range p.counts {
			if pair.Type == f.Type {
				sameType += n
			}
			if slot(s).status() == f.Status {
				sameStatus += n
			}
		}
	}
	return anyStatus, sameType < sameStatus
}

func (l *lister) add(f family, from, to []byte, after task.ID, s idScan) {
	if after != (task.ID{}) {
		from = append(from, 0)
	}
	s.scan = l.at.d.scan(f, from, to, l.at.at)
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

// first returns the scan that stands at the smallest id; nil if all have ended.
func (l *lister) first() (first *idScan, err error) {
	for i := range l.scans {
		s := &l.scans[i]
		if s.ended {
			if err := s.err(); err != nil {
				return nil, err
			}
		} else if first == nil || compareIDs(s.id, first.id) < 0 {
			first = s
		}
	}
	return first, nil
}

// next returns the smallest id that was not returned yet, the zero id at the end, and its task; nil if its status is not
// the one that is wanted.
func (l *lister) next() (id task.ID, t *task.Task, err error) {
	first, err := l.first()
	if first == nil {
		return id, nil, err
	}
	id = first.id
	switch {
	case first.records:
		t, err = decodeRecord(id, first.status, first.value())
	case first.status != 0:
		t, err = l.at.d.record(l.at.opts, first.status, id)
	default:
		t, err = l.at.d.current(l.at.opts, id)
	}
	if t == nil && err == nil && (first.status == 0 || rareStatus(first.status)) {
		err = fmt.Errorf("%w: task %s is in %s but has no record", errCorrupt, id, famType)
	}
	if err != nil {
		return id, nil, err
	}
	first.scan.next()
	first.settle()
	return id, t, nil
}

func (l *lister) close() {
	for i := range l.scans {
		l.scans[i].close()
	}
}
