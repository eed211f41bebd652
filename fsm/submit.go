package fsm

import (
	"fmt"
	"slices"

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
// tasks may depend on each other in any order, but not in a circle. Limits of queues hold only if limited.
func (m *machine) addAll(c *Submit, limited bool) (Result, error) {
	r := Result{Receipts: make([]task.Receipt, len(c.Specs))}
	g := &group{limited: limited, fresh: make(map[task.ID]*task.Task, len(c.Specs))}
	tasks := make([]*task.Task, len(c.Specs))
	for i := range c.Specs {
		t, receipt, err := m.admit(c, i)
		if err != nil {
			return r, err
		}
		if t != nil && g.fresh[t.ID] != nil {
			receipt.Err = fmt.Errorf("%w: task %s stands twice in the batch", task.ErrInvalid, t.ID)
		} else if t != nil {
			if t, err = m.takeKey(t, &c.Specs[i], g, &receipt); err != nil {
				return r, err
			}
		}
		if receipt.Err != nil {
			return aborted(c, i, receipt.Err), nil
		}
		if t != nil {
			g.fresh[t.ID], tasks[i] = t, t
		}
		r.Receipts[i] = receipt
	}
	for _, t := range tasks {
		if t != nil {
			g.redirect(t)
		}
	}
	if i, circular := findCycle(tasks, g.fresh); circular {
		return aborted(c, i, fmt.Errorf("%w: task %s depends on itself through others of the batch", task.ErrInvalid, c.Specs[i].ID)), nil
	}
	for i, t := range tasks {
		if t == nil {
			continue
		}
		refused, err := m.insert(t, g)
		if err != nil {
			return r, err
		}
		if refused != nil {
			return aborted(c, i, refused), nil
		}
	}
	return r, nil
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
		receipt.Err = fmt.Errorf("%w: task %s", task.ErrConflict, spec.ID)
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

// findCycle looks for tasks of one batch that wait for each other and names one of them by its place.
func findCycle(tasks []*task.Task, fresh map[task.ID]*task.Task) (int, bool) {
	waiting := make(map[task.ID]int, len(fresh))
	children := make(map[task.ID][]task.ID)
	var free []task.ID
	for _, t := range tasks {
		if t == nil {
			continue
		}
		for _, parent := range t.Dependencies {
			if fresh[parent] != nil {
				waiting[t.ID]++
				children[parent] = append(children[parent], t.ID)
			}
		}
		if waiting[t.ID] == 0 {
			free = append(free, t.ID)
		}
	}
	for len(free) > 0 {
		id := free[len(free)-1]
		free = free[:len(free)-1]
		for _, child := range children[id] {
			if waiting[child]--; waiting[child] == 0 {
				free = append(free, child)
			}
		}
	}
	stuck := slices.IndexFunc(tasks, func(t *task.Task) bool { return t != nil && waiting[t.ID] > 0 })
	if stuck < 0 {
		return 0, false
	}
	// It is in a circle, or waits for one: from parent to parent one comes into the circle, and there to where one was.
	at := tasks[stuck]
	for seen := make(map[task.ID]bool); !seen[at.ID]; {
		seen[at.ID] = true
		parent := slices.IndexFunc(at.Dependencies, func(id task.ID) bool { return waiting[id] > 0 })
		at = fresh[at.Dependencies[parent]]
	}
	return slices.Index(tasks, at), true
}
