package fsm

import "github.com/haiku-queue/haiku/task"

// note keeps a change of status for Committed. Nothing that is applied depends on it; what a rollback takes back, its
// caller takes from changes too.
func (m *machine) note(before, now *task.Task) {
	c := task.Change{ID: now.ID, Queue: now.Queue, Type: now.Type, To: now.Status, At: m.now}
	if before != nil {
		c.From = before.Status
		switch {
		case c.From == c.To:
			return
		case c.From == task.InProgress:
			c.Took = m.now.Sub(before.StartedAt)
		case c.To == task.InProgress:
			c.Took = m.now.Sub(before.UpdatedAt)
		}
	}
	m.changes = append(m.changes, c)
}

// remove deletes a task that has ended. Those that wait for the retry of one that ended without success are to be told.
func (m *machine) remove(id task.ID, tombstone bool) {
	t := m.batch.Delete(id, tombstone)
	if t == nil {
		return
	}
	m.changes = append(m.changes, task.Change{ID: id, Queue: t.Queue, Type: t.Type, From: t.Status, At: m.now})
	if t.Status != task.Completed {
		m.ended = append(m.ended, work{Kind: orphan, Parent: id, Before: m.batch.Seq() + 1})
	}
}
