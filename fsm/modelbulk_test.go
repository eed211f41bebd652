package fsm

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// This part of the model is retries of tasks that have ended, deletion, and operations on many tasks.

// retryEnded has a task run again, and lets those wait again that were cancelled because of it.
func (m *model) retryEnded(id task.ID) (duplicate bool, refused []error) {
	t := m.tasks[id]
	switch {
	case t == nil:
		return false, []error{task.ErrNotFound}
	case t.status == task.Pending || t.status == task.InProgress:
		return true, nil
	case t.status == task.Completed:
		return false, []error{task.ErrTransition}
	}
	ended := t.status.IsTerminal()
	if refused := m.revive(t); refused != nil {
		return false, refused
	}
	t.retries, t.crashes, t.at = 0, 0, m.now
	if !t.startBy.After(m.now) {
		t.startBy = time.Time{}
	}
	m.wait(t)
	if ended {
		m.note(modelNews{of: t, retried: true})
	}
	return false, nil
}

// revive has a task wait, unless another task stands against it, or holds its key.
func (m *model) revive(t *modelTask) (refused []error) {
	if t.reason == task.DependencyGone {
		return []error{task.ErrTransition}
	}
	parents := t.parents
	if len(parents) > 0 {
		var dead bool
		if parents, dead = m.awaited(t); dead {
			return []error{task.ErrTransition}
		}
	}
	if m.holder(t, nil) != nil {
		return []error{task.ErrUniqueConflict}
	}
	t.parents, t.anew, t.keyed = parents, true, t.UniqueKey != ""
	t.reason, t.goes = "", time.Time{}
	m.wait(t)
	return nil
}

// awaited is what a task has to wait for as things are now, and whether one of it is dead for it. What nobody remembers
// is not waited for.
func (m *model) awaited(t *modelTask) (parents map[task.ID]bool, dead bool) {
	parents = make(map[task.ID]bool)
	for _, parent := range t.Dependencies {
		status, _, known := m.fate(parent)
		switch {
		case !known || status == task.Completed:
		case !status.IsTerminal():
			parents[parent] = true
		case t.OnDependencyFailure != task.PolicyIgnore:
			parents[parent] = true
			dead = dead || t.OnDependencyFailure == task.PolicyCancel || m.lost(parent)
		}
	}
	return parents, dead
}

// lookUp has a blocked task wait for what it has to wait for now.
func (m *model) lookUp(t *modelTask) {
	var dead bool
	t.parents, dead = m.awaited(t)
	t.anew = true
	switch {
	case dead && t.OnDependencyFailure == task.PolicyBlock:
		m.end(t, task.Cancelled, task.DependencyGone)
		return
	case dead:
		m.end(t, task.Cancelled, task.DependencyFailed)
		return
	}
	m.wait(t)
}

// rearm takes the retry of a parent.
func (m *model) rearm(t *modelTask) {
	switch {
	case t.status == task.Pending && len(t.parents) > 0:
		m.lookUp(t)
	case t.status == task.Cancelled && t.reason == task.DependencyFailed:
		if m.revive(t) == nil {
			m.note(modelNews{of: t, retried: true})
		}
	}
}

// remove deletes a task that does not run.
func (m *model) remove(id task.ID, window time.Duration) (duplicate bool, refused []error) {
	t := m.tasks[id]
	if t == nil {
		if _, _, known := m.fate(id); known {
			return true, nil
		}
		return false, []error{task.ErrNotFound}
	}
	if t.status == task.InProgress {
		return false, []error{task.ErrTransition}
	}
	if t.waits() {
		m.end(t, task.Cancelled, task.OnRequest)
		window = 1 << 62 // those that depend on it are still to be told
	}
	delete(m.tasks, id)
	if t.status != task.Completed {
		m.note(modelNews{of: t, deleted: true})
	}
	if !id.Time().Before(m.now.Add(-window)) {
		m.removed[id] = modelGhost{t.hash, t.status}
	}
	return false, nil
}

// startOperation begins an operation; the same order again is the same operation.
func (m *model) startOperation(c *task.OperationOrder) (duplicate bool, refused []error) {
	if o := m.operations[c.ID]; o != nil {
		if o.Action != c.Action || o.Selection.Type != c.Selection.Type || o.Rate != c.Rate {
			return false, []error{task.ErrConflict}
		}
		return true, nil
	}
	running := 0
	for _, o := range m.operations {
		if o.State == task.OperationRunning {
			running++
		}
	}
	if running >= task.MaxRunningOperations {
		return false, []error{task.ErrTooLarge}
	}
	m.operations[c.ID] = &task.Operation{OperationOrder: *c, State: task.OperationRunning, StartedAt: m.now}
	return false, nil
}

func (m *model) endOperation(id task.ID) (duplicate bool, refused []error) {
	o := m.operations[id]
	switch {
	case o == nil:
		return false, []error{task.ErrNotFound}
	case o.State == task.OperationDone:
		return false, []error{task.ErrTransition}
	case o.State == task.OperationCancelled:
		return true, nil
	}
	o.State, o.EndedAt = task.OperationCancelled, m.now
	return false, nil
}

// selects tells whether a task is in a selection.
func (m *model) selects(s *task.Selection, t *modelTask) bool {
	return (s.Queue == "" || s.Queue == t.pair().Queue) && (s.Type == "" || s.Type == t.Type) && slices.Contains(s.Statuses, t.status) &&
		t.priority() >= s.MinPriority && (s.MaxPriority == nil || t.priority() <= *s.MaxPriority) &&
		(s.UpdatedBefore.IsZero() || t.changed.Before(s.UpdatedBefore)) && strings.Contains(t.err, s.ErrorContains)
}

// next lists the tasks after the operation's place that it is to change.
func (m *model) next(o *task.Operation) []*modelTask {
	return m.pick(func(t *modelTask) bool {
		return slices.Compare(t.ID[:], o.Cursor[:]) > 0 && m.selects(&o.Selection, t)
	}, byID)
}

// stepOperation changes the tasks that a step names and the selection still selects. It returns what became of each.
func (m *model) stepOperation(c *StepOperation) (ids []task.ID, duplicates []bool, faults [][]error, refused []error) {
	o := m.operations[c.ID]
	if o == nil || o.State != task.OperationRunning || o.Cursor != c.From || o.Action != c.Action {
		return nil, nil, nil, []error{task.ErrTransition}
	}
	o.Cursor = c.To
	o.Examined += uint64(c.Examined)
	for _, id := range c.IDs {
		t := m.tasks[id]
		if t == nil || !m.selects(&o.Selection, t) {
			continue
		}
		var duplicate bool
		var fault []error
		switch o.Action {
		case task.ActionRetry:
			duplicate, fault = m.retryEnded(id)
		case task.ActionCancel:
			duplicate, fault = m.cancel(id)
		case task.ActionDelete:
			duplicate, fault = m.remove(id, c.DedupWindow)
		}
		if fault != nil {
			o.Refused(errors.Join(fault...))
		} else if !duplicate {
			o.Changed++
		}
		ids, duplicates, faults = append(ids, id), append(duplicates, duplicate), append(faults, fault)
	}
	if c.Last {
		o.State, o.EndedAt = task.OperationDone, m.now
	}
	return ids, duplicates, faults, nil
}
