package fsm

import (
	"fmt"

	"github.com/haiku-queue/haiku/task"
)

// cancel ends waiting tasks at once and asks running ones to stop, each item by itself.
func (m *machine) cancel(c *Cancel) (Result, error) {
	r := Result{Receipts: make([]task.Receipt, len(c.IDs))}
	for i, id := range c.IDs {
		var err error
		if r.Receipts[i], err = m.cancelOne(id); err != nil {
			return r, err
		}
	}
	return m.settled(r, len(r.Receipts))
}

func (m *machine) cancelOne(id task.ID) (task.Receipt, error) {
	receipt := task.Receipt{ID: id}
	t, err := m.batch.Task(id)
	switch {
	case err != nil:
		return receipt, err
	case t == nil:
		receipt.Err = fmt.Errorf("%w: task %s", task.ErrNotFound, id)
	case t.Status == task.Cancelled || t.CancelRequested && t.Status == task.InProgress:
		receipt.Duplicate = true
	case t.Status.IsTerminal():
		receipt.Err = fmt.Errorf("%w: task %s is %s already", task.ErrTransition, id, t.Status)
	case t.Status == task.InProgress:
		t = t.Clone()
		t.CancelRequested, t.UpdatedAt = true, m.now
		m.put(t)
	default:
		t = t.Clone()
		m.end(t, task.EventCancel, task.OnRequest)
		m.put(t)
	}
	return receipt, nil
}
