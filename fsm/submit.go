package fsm

import (
	"fmt"

	"github.com/haiku-queue/haiku/task"
)

// submit adds the tasks of one request: each by itself, or all or none.
func (m *machine) submit(c *Submit) (Result, error) {
	if c.Atomic {
		return m.submitAtomic(c)
	}
	r := Result{Receipts: make([]task.Receipt, len(c.Specs))}
	g := &group{limited: true}
	for i := range c.Specs {
		savepoint, changes := m.batch.Savepoint(), len(m.changes)
		t, receipt, err := m.admit(c, i)
		if err == nil && t != nil {
			t, err = m.takeKey(t, &c.Specs[i], g, &receipt)
		}
		if err == nil && t != nil {
			receipt.Err, err = m.insert(t, g)
		}
		if err != nil {
			return r, err
		}
		if receipt.Err != nil {
			m.batch.Rollback(savepoint)
			m.changes = m.changes[:changes]
		}
		r.Receipts[i] = receipt
	}
	return m.settled(r, len(r.Receipts))
}

// submitAtomic adds all tasks or none.
func (m *machine) submitAtomic(c *Submit) (Result, error) {
	r, err := m.addAll(c, true)
	if err != nil || r.Err != nil {
		return r, err
	}
	return m.settled(r, len(r.Receipts))
}

// addAll adds all tasks, or says in the Result why it did not; what it did until then is the caller's to roll back. The
// tasks may depend on each other in any order, but not in a circle. Limits of queues hold only if limited. Where several
// are refused it is the first one that is named, whatever it is refused for.
func (m *machine) addAll(c *Submit, limited bool) (Result, error) {
	r := Result{Receipts: make([]task.Receipt, len(c.Specs))}
	g := &group{limited: limited, fresh: make(map[task.ID]*task.Task, len(c.Specs))}
	tasks := make([]*task.Task, len(c.Specs))
	bad, why := len(c.Specs), error(nil)
	for i := range c.Specs {
		t, receipt, err := m.admitOfGroup(c, i, g)
		if err != nil {
			return r, err
		}
		if receipt.Err != nil && why == nil {
			bad, why = i, receipt.Err
		}
		tasks[i], r.Receipts[i] = t, receipt
	}
	for _, t := range tasks {
		if t != nil {
			g.redirect(t)
		}
	}
	if i, circular := findCycle(tasks, g.fresh); circular && i < bad {
		bad, why = i, fmt.Errorf("%w: task %s depends on itself through others of the batch", task.ErrInvalid, c.Specs[i].ID)
	}
	for i, t := range tasks[:bad] {
		if t == nil {
			continue
		}
		refused, err := m.insert(t, g)
		if err != nil {
			return r, err
		}
		if refused != nil {
			bad, why = i, refused
			break
		}
	}
	if why != nil {
		return aborted(c, bad, why), nil
	}
	return r, nil
}

// admitOfGroup decides whether item i of an atomic batch is new, and makes it known to the others: also when it is refused,
// for those that depend on it are not wrong because of that.
func (m *machine) admitOfGroup(c *Submit, i int, g *group) (*task.Task, task.Receipt, error) {
	t, receipt, err := m.admit(c, i)
	if err != nil {
		return nil, receipt, err
	}
	fresh := t
	switch id := c.Specs[i].ID; {
	case receipt.Err != nil:
		fresh = &task.Task{ID: id}
	case t != nil && g.fresh[id] != nil:
		t, receipt.Err = nil, fmt.Errorf("%w: task %s stands twice in the batch", task.ErrInvalid, id)
		return nil, receipt, nil
	case t != nil:
		if t, err = m.takeKey(t, &c.Specs[i], g, &receipt); err != nil {
			return nil, receipt, err
		}
		switch {
		case receipt.Err != nil:
			fresh = &task.Task{ID: id}
		case t == nil: // answered with another
			fresh = nil
		}
	}
	if fresh != nil {
		g.fresh[fresh.ID] = fresh
	}
	return t, receipt, nil
}

// aborted is the answer to an atomic batch whose item bad was refused: the command changes nothing.
func aborted(c *Submit, bad int, why error) Result {
	r := Result{Err: fmt.Errorf("%w: item %d", task.ErrAborted, bad), Receipts: make([]task.Receipt, len(c.Specs))}
	for i := range c.Specs {
		r.Receipts[i] = task.Receipt{ID: c.Specs[i].ID, Err: task.ErrAborted}
	}
	r.Receipts[bad].Err = why
	return r
}

// admit decides whether item i is new. It returns the task to insert, or nil when the receipt already says it all.
func (m *machine) admit(c *Submit, i int) (*task.Task, task.Receipt, error) {
	spec := &c.Specs[i]
	receipt := task.Receipt{ID: spec.ID}
	_, hash, known, err := m.batch.Ended(spec.ID)
	switch {
	case err != nil:
		return nil, receipt, err
	case known && hash == c.Hashes[i]:
		receipt.Duplicate = true
		return nil, receipt, nil
	case known:
		receipt.Err = fmt.Errorf("%w: task %s is there with other content", task.ErrConflict, spec.ID)
		return nil, receipt, nil
	case spec.ID.Time().Before(m.now.Add(-c.DedupWindow)):
		receipt.Err = fmt.Errorf("%w: task %s was made more than %s ago", task.ErrIDExpired, spec.ID, c.DedupWindow)
		return nil, receipt, nil
	case spec.ID.Time().After(m.now.Add(c.DedupWindow)): // it would be remembered for longer than the window
		receipt.Err = fmt.Errorf("%w: the id of task %s says that it was made more than %s from now", task.ErrInvalid, spec.ID, c.DedupWindow)
		return nil, receipt, nil
	}
	return task.New(spec, m.now, m.batch.NextSeq(), c.Hashes[i]), receipt, nil
}

// insert resolves the dependencies of a new task and puts it. A dependency that ended already counts as it ended; one
// that is new in the same atomic batch tells its dependants itself if it ends at once.
func (m *machine) insert(t *task.Task, g *group) (refused, err error) {
	if g.fresh == nil {
		g.redirect(t)
	}
	for _, id := range t.Dependencies {
		if g.fresh[id] != nil {
			continue
		}
		status, _, known, err := m.batch.Ended(id)
		if err != nil {
			return nil, err
		}
		if !known {
			return fmt.Errorf("%w: task %s depends on %s", task.ErrUnknownDependency, t.ID, id), nil
		}
		if status.IsTerminal() {
			if err := m.resolve(t, id, status); err != nil {
				return nil, err
			}
		}
	}
	if g.limited {
		if why := m.full(t, nil); why != nil {
			return why, nil
		}
	}
	m.age(t)
	m.put(t)
	return nil, nil
}
