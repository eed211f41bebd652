package store

import (
	"fmt"
	"strings"

	"github.com/haiku-queue/haiku/task"
)

// A list goes over tasks in one order, and a cursor is the whole place of a task in that order, after which to go on. So
// a task that neither moves in the order nor is new is shown exactly once, whatever the others do between two pages. The
// order of ids, which is by age, is one that no change of a task disturbs.
//
//	order id:         | 1 | id 16 |
//	order priority:   | 2 | place 40 |, as in index_priority
//	order scheduled:  | 3 | time 8 | id 16 |, as in index_scheduled_time
//	order newest:     | 4 | id 16 |
const cursorVersion = 1 // of order 0

// cursorSizes has the length of each order's cursor.
var cursorSizes = [...]int{task.OrderByID: 1 + 16, task.OrderByPriority: 1 + len(place{}), task.OrderByScheduled: 1 + 8 + 16,
	task.OrderByNewest: 1 + 16}

// maxExamined bounds the tasks that one page looks at, so that it takes well below 100 ms. A page may be short, even empty,
// and still have a next one.
const maxExamined = 5000

// walk goes over tasks in the order of a list.
type walk interface {
	// next returns the next task; nil for one that turns out not to be wanted. ended says that there is none.
	next() (t *task.Task, ended bool, err error)
	// cursor is the place of what next returned last.
	cursor() []byte
	// more reports whether anything is left.
	more() (bool, error)
	close()
}

// List returns one page of the tasks that f selects, in f's order. What f says besides of tasks is compared one by one.
// A page with payloads ends after task.MaxClaimBytes of them, or one task.
func (s *Store) List(f task.Filter) (task.Page, error) {
	var page task.Page
	if err := f.Validate(); err != nil {
		return page, err
	}
	after, err := readCursor(&f)
	if err != nil {
		return page, err
	}
	d, err := s.acquire()
	if err != nil {
		return page, err
	}
	defer d.users.Done()
	at, w, err := d.walk(&f, after)
	if err != nil {
		return page, err
	}
	defer at.release()
	defer w.close()
	if page.AppliedIndex, err = at.appliedIndex(); err != nil {
		return page, err
	}
	return page, at.fillPage(&page, &f, w)
}

// walk freezes the state and begins at a cursor's place.
func (d *database) walk(f *task.Filter, after []byte) (*frozen, walk, error) {
	switch f.Order {
	case task.OrderByPriority:
		return d.walkReady(f, after)
	case task.OrderByScheduled:
		at, w := d.walkScheduled(f, after)
		return at, w, nil
	}
	at := d.freeze()
	back := f.Order == task.OrderByNewest
	if f.DependsOn != (task.ID{}) {
		return at, newChildLister(at, f.DependsOn, task.ID(after), back), nil
	}
	return at, newLister(at, f.Type, statusesOf(f.Status), task.ID(after), back), nil
}

func (at *frozen) fillPage(page *task.Page, f *task.Filter, w walk) error {
	bytes, after := 0, f.Cursor
	for n := 0; len(page.Tasks) < f.Limit && n < maxExamined; n++ {
		t, ended, err := w.next()
		if err != nil || ended {
			return err
		}
		before := after
		after = w.cursor()
		if t == nil || !selects(f, t) {
			continue
		}
		if !f.WithPayload {
			t.Payload, t.Result = nil, nil
		} else if bytes += int(t.PayloadSize) + int(t.ResultSize); bytes > task.MaxClaimBytes && len(page.Tasks) > 0 {
			page.Next = before
			return nil
		} else if err := at.d.fill(at.opts, t); err != nil {
			return err
		}
		page.Tasks = append(page.Tasks, t)
	}
	more, err := w.more()
	if more {
		page.Next = after
	}
	return err
}

func selects(f *task.Filter, t *task.Task) bool {
	return (f.Status == 0 || f.Status == t.Status) && f.HasQueue(t.Queue) && (f.Type == "" || f.Type == t.Type) &&
		t.Priority >= f.MinPriority && (f.MaxPriority == nil || t.Priority <= *f.MaxPriority) &&
		!t.ScheduledAt.Before(f.ScheduledFrom) && (f.ScheduledTo.IsZero() || t.ScheduledAt.Before(f.ScheduledTo)) &&
		(f.UpdatedBefore.IsZero() || t.UpdatedAt.Before(f.UpdatedBefore)) && strings.Contains(t.Error, f.ErrorContains)
}

func appendCursor(order task.Order, after ...byte) []byte {
	return append([]byte{cursorVersion + byte(order)}, after...)
}

// readCursor returns the place in f's cursor; the zero place, which no task has, without one.
func readCursor(f *task.Filter) (after []byte, err error) {
	size := cursorSizes[f.Order]
	switch {
	case len(f.Cursor) == 0:
		return make([]byte, size-1), nil
	case len(f.Cursor) != size || f.Cursor[0] != cursorVersion+byte(f.Order):
		return nil, fmt.Errorf("%w: cursor is not one that a page in the order %s gave", task.ErrInvalid, f.Order)
	}
	return f.Cursor[1:], nil
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
