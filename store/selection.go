package store

import "github.com/haiku-queue/haiku/task"

// Candidates are tasks that a selection selects, in the order of their ids, and how far that looked.
type Candidates struct {
	IDs      []task.ID
	Examined int
	Last     task.ID // looked at last, selected or not
	More     bool    // there may be others after Last
}

// Select looks for the committed tasks of a selection after one (zero for all), until there are limit of them or
// maxExamined were looked at.
func (s *Store) Select(sel *task.Selection, after task.ID, limit int) (c Candidates, err error) {
	c.Last = after
	d, err := s.acquire()
	if err != nil {
		return c, err
	}
	defer d.users.Done()
	at := d.freeze()
	defer at.release()
	l := newLister(at, sel.Type, sel.Statuses, after, false)
	defer l.close()
	for len(c.IDs) < limit && c.Examined < maxExamined {
		t, ended, err := l.next()
		if err != nil || ended {
			return c, err
		}
		c.Examined++
		c.Last = l.last
		if t != nil && sel.Matches(t) {
			c.IDs = append(c.IDs, t.ID)
		}
	}
	c.More, err = l.more()
	return c, err
}
