package fsm

import (
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// expire ends tasks that were not started in time: at most c.Max, and never more than task.MaxTouch.
func (m *machine) expire(c *Expire) (Result, error) {
	limit := min(c.Max, task.MaxTouch)
	var r Result
	ids, err := m.batch.Due(store.ExpiresKind, m.now.UnixMicro(), limit)
	if err != nil {
		return r, err
	}
	for _, id := range ids {
		t, err := m.batch.Task(id)
		if err != nil {
			return r, err
		}
		m.endOverdue(t)
		r.Count++
	}
	more := limit > 0 && r.Count == limit
	r, err = m.settled(r, r.Count)
	r.More = r.More || more
	return r, err
}

func (m *machine) endOverdue(t *task.Task) {
	t = t.Clone()
	m.end(t, task.EventBury, task.Expired)
	m.put(t)
}
