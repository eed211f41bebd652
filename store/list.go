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

// List returns one page of the tasks that f selects. It reads the status families or, with a type, index_task_type;
// queue and priority are compared task by task. A page with payloads ends after task.MaxClaimBytes of them, or one task.
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
		t, err := l.next()
		if err != nil || t == nil {
			return page, err
		}
		after = t.ID
		if !selects(&f, t) {
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
	return (f.Queue == "" || f.Queue == t.Queue) && (f.Type == "" || f.Type == t.Type) &&
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

// lister merges one scan for each status into the order of ids.
type lister struct {
	at    *frozen
	scans []statusScan
}

// statusScan goes over the tasks of one status: over their records, or over one type's entries in index_task_type.
type statusScan struct {
	*scan
	status  task.Status
	prefix  int  // bytes of key before the id
	records bool // values are records
	id      task.ID
	ended   bool
}

func newLister(at *frozen, f *task.Filter, after task.ID) *lister {
	l := &lister{at: at}
	for _, status := range task.Statuses {
		if f.Status != 0 && f.Status != status {
			continue
		}
		s := statusScan{status: status, records: f.Type == ""}
		fam, from := statusFamily(status), append([]byte(nil), after[:]...)
		var to []byte
		if !s.records {
			fam, from = famType, appendTypeKey(nil, f.Type, status, after)
			s.prefix = len(from) - len(after)
			to = prefixEnd(from[:s.prefix])
		}
		if after != (task.ID{}) {
			from = append(from, 0)
		}
		s.scan = at.d.scan(fam, from, to, at.at)
		l.scans = append(l.scans, s)
		l.scans[len(l.scans)-1].settle()
	}
	return l
}

// settle reads the id that the scan stands at.
func (s *statusScan) settle() {
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
func (l *lister) first() (first *statusScan, err error) {
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

// next returns the task with the smallest id that was not returned yet; nil at the end.
func (l *lister) next() (t *task.Task, err error) {
	first, err := l.first()
	if first == nil {
		return nil, err
	}
	if first.records {
		t, err = decodeRecord(first.id, first.status, first.value())
	} else if t, err = l.at.d.record(l.at.opts, first.status, first.id); t == nil && err == nil {
		err = fmt.Errorf("%w: task %s is in %s but has no record in %s", errCorrupt, first.id, famType, statusFamily(first.status))
	}
	if err != nil {
		return nil, err
	}
	first.scan.next()
	first.settle()
	return t, nil
}

func (l *lister) close() {
	for i := range l.scans {
		l.scans[i].close()
	}
}
