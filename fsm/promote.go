package fsm

import (
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// promote makes due tasks claimable, scheduled ones first: at most c.Max in all, and never more than task.MaxTouch.
func (m *machine) promote(c *Promote) (Result, error) {
	limit := min(c.Max, task.MaxTouch)
	var r Result
	for _, kind := range []store.ScheduleKind{store.DueKind, store.RetryKind} {
		ids, err := m.batch.Due(kind, m.now.UnixMicro(), limit-r.Count)
		if err != nil {
			return r, err
		}
		for _, id := range ids {
			t, err := m.batch.Task(id)
			if err != nil {
				return r, err
			}
			t = t.Clone()
			t.UpdatedAt = m.now
			if kind == store.RetryKind {
				m.move(t, task.EventDue)
			}
			m.put(t)
			r.Count++
		}
	}
	r.More = r.Count == limit
	return r, nil
}
