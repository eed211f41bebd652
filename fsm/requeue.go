package fsm

import (
	"github.com/haiku-queue/haiku/task"
)

// requeue puts running tasks back to their old places, at most c.Max and never more than task.MaxTouch. Their leases
// end, which uses no retry and counts as no crash; those that were asked to stop are cancelled.
func (m *machine) requeue(c *Requeue) (Result, error) {
	limit := min(c.Max, task.MaxTouch)
	var r Result
	ids, err := m.batch.InProgress(c.After, limit)
	if err != nil {
		return r, err
	}
	for _, id := range ids {
		t, err := m.batch.Task(id)
		if err != nil {
			return r, err
		}
		r.Moved = append(r.Moved, Lease{t.ID, t.LeaseID})
		m.revoke(t.Clone(), &Ended{Kind: task.Requeued})
		r.Count++
	}
	more := limit > 0 && r.Count == limit
	r, err = m.settled(r, r.Count)
	r.More = r.More || more
	return r, err
}
