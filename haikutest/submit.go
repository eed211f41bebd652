package haikutest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/haiku-queue/haiku/task"
)

// Submit is transport.Broker's.
func (q *queue) Submit(_ context.Context, specs []task.Spec, atomic bool) ([]task.Receipt, error) {
	if err := checkCount("tasks", len(specs)); err != nil {
		return nil, err
	}
	parents := 0
	for i := range specs {
		parents += len(specs[i].Dependencies)
	}
	if parents > task.MaxBatchParents {
		return nil, fmt.Errorf("%w: %d dependencies in one request, at most %d are allowed", task.ErrTooLarge, parents,
			task.MaxBatchParents)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	defer q.settle()
	g := &group{instead: make(map[task.ID]task.ID)}
	if atomic {
		return q.addAll(specs, g), nil
	}
	receipts := make([]task.Receipt, len(specs))
	for i := range specs {
		receipts[i] = q.addAll(specs[i:i+1], g)[0]
	}
	return receipts, nil
}

// addAll adds all tasks, or none; then the receipts say why.
func (q *queue) addAll(specs []task.Spec, g *group) []task.Receipt {
	receipts := make([]task.Receipt, len(specs))
	fresh := make(map[task.ID]*task.Task, len(specs))
	g.fresh, g.before = fresh, nil
	var tasks []*task.Task
	seq := q.seq
	refuse := func(bad int, why error) []task.Receipt {
		q.seq = seq
		for _, t := range slices.Backward(g.before) {
			q.tasks[t.ID] = t
		}
		for i := range specs {
			receipts[i] = task.Receipt{ID: specs[i].ID, Err: task.ErrAborted}
		}
		receipts[bad].Err = why
		return receipts
	}
	for i := range specs {
		spec := &specs[i]
		receipts[i].ID = spec.ID
		if err := spec.Validate(); err != nil {
			return refuse(i, err)
		}
		hash := spec.ContentHash()
		_, oldHash, old := q.fate(spec.ID)
		switch {
		case fresh[spec.ID] != nil:
			return refuse(i, fmt.Errorf("%w: task %s stands twice in the batch", task.ErrInvalid, spec.ID))
		case old && oldHash == hash:
			receipts[i].Duplicate = true
			continue
		case old:
			return refuse(i, fmt.Errorf("%w: task %s", task.ErrConflict, spec.ID))
		}
		q.seq++
		t := task.New(spec, q.now, q.seq, hash)
		if !q.takeKey(t, spec, g, &receipts[i]) {
			if receipts[i].Err != nil {
				return refuse(i, receipts[i].Err)
			}
			continue
		}
		fresh[t.ID], tasks = t, append(tasks, t)
	}
	for _, t := range tasks {
		g.redirect(t)
	}
	for i := range specs {
		if t := fresh[specs[i].ID]; t != nil && reaches(t.ID, t.ID, fresh, make(map[task.ID]bool)) {
			return refuse(i, fmt.Errorf("%w: task %s depends on itself through others of the batch", task.ErrInvalid, t.ID))
		}
	}
	for i := range specs {
		if t := fresh[specs[i].ID]; t != nil {
			if err := q.resolveAll(t, fresh); err != nil {
				return refuse(i, err)
			}
		}
	}
	for _, t := range tasks {
		q.order = append(q.order, t.ID)
		for _, parent := range t.Dependencies {
			q.children[parent] = append(q.children[parent], t.ID)
		}
		q.put(t)
	}
	return receipts
}

// resolveAll counts the dependencies of a new task that have ended already.
func (q *queue) resolveAll(t *task.Task, fresh map[task.ID]*task.Task) error {
	for _, id := range t.Dependencies {
		if fresh[id] != nil {
			continue // it tells its children itself
		}
		status, _, known := q.fate(id)
		if !known {
			return fmt.Errorf("%w: task %s depends on %s", task.ErrUnknownDependency, t.ID, id)
		}
		if status.IsTerminal() {
			q.resolve(t, id)
		}
	}
	return nil
}

// reaches reports whether the dependencies of a new task lead to a task.
func reaches(from, to task.ID, fresh map[task.ID]*task.Task, seen map[task.ID]bool) bool {
	for _, id := range fresh[from].Dependencies {
		if id == to {
			return true
		}
		if fresh[id] != nil && !seen[id] {
			seen[id] = true
			if reaches(id, to, fresh, seen) {
				return true
			}
		}
	}
	return false
}

// firstRefusal is the error of the item for which a batch was refused, if it was.
func firstRefusal(receipts []task.Receipt) error {
	for i := range receipts {
		if err := receipts[i].Err; err != nil && !errors.Is(err, task.ErrAborted) {
			return fmt.Errorf("%w: submit, item %d: %w", task.ErrAborted, i, err)
		}
	}
	return nil
}

func checkCount(what string, count int) error {
	if count < 1 || count > task.MaxItems {
		return fmt.Errorf("%w: %d %s in one request; 1 to %d are allowed", task.ErrInvalid, count, what, task.MaxItems)
	}
	return nil
}
