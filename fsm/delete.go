package fsm

import (
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// deletion is what decides whether deleted tasks are remembered.
type deletion struct {
	forgotten time.Time        // ids made before are not
	telling   map[task.ID]bool // but those whose dependants are still to be told; nil for all
}

func (m *machine) deletion(window time.Duration) (deletion, error) {
	telling, err := m.telling()
	return deletion{forgotten: m.now.Add(-window), telling: telling}, err
}

// deleteAll deletes tasks, each item by itself.
func (m *machine) deleteAll(c *Delete) (Result, error) {
	r := Result{Receipts: make([]task.Receipt, len(c.IDs))}
	d, err := m.deletion(c.DedupWindow)
	if err != nil {
		return r, err
	}
	for i, id := range c.IDs {
		if r.Receipts[i], err = m.deleteOne(id, &d); err != nil {
			return r, err
		}
	}
	return m.settled(r, len(r.Receipts))
}

// deleteOne deletes a task that does not run. One that waits is cancelled first, so that its dependants learn of it; those
// that wait for the retry of one that is dead learn that there will be none.
func (m *machine) deleteOne(id task.ID, d *deletion) (task.Receipt, error) {
	receipt := task.Receipt{ID: id}
	t, err := m.batch.Task(id)
	if err != nil {
		return receipt, err
	}
	if t == nil {
		_, _, known, err := m.batch.Ended(id)
		if receipt.Duplicate = known; !known {
			receipt.Err = fmt.Errorf("%w: task %s", task.ErrNotFound, id)
		}
		return receipt, err
	}
	if t.Status == task.InProgress {
		receipt.Err = fmt.Errorf("%w: task %s runs; cancel it first", task.ErrTransition, id)
		return receipt, nil
	}
	remember := !id.Time().Before(d.forgotten) || d.telling == nil || d.telling[id]
	if !t.Status.IsTerminal() {
		t = t.Clone()
		m.end(t, task.EventCancel, task.OnRequest)
		m.put(t)
		remember = true
	}
	m.remove(id, remember)
	return receipt, nil
}
