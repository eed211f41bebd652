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
	g := newGroup(true)
	if atomic {
		return q.addAll(specs, g), nil
	}
	receipts := make([]task.Receipt, len(specs))
	for i := range specs {
		receipts[i] = q.addAll(specs[i:i+1], g)[0]
	}
	return receipts, nil
}

// addAll adds all tasks, or none; then the receipts say why. Where several are refused it is the first one that is named,
// but one that breaks a rule of its own goes before all.
func (q *queue) addAll(specs []task.Spec, g *group) []task.Receipt {
	g.fresh, g.before = make(map[task.ID]*task.Task, len(specs)), nil
	receipts := make([]task.Receipt, len(specs))
	for i := range specs {
		if err := specs[i].Validate(); err != nil {
			return aborted(specs, i, err)
		}
	}
	seq, ended := q.seq, len(q.ended)
	tasks := make([]*task.Task, len(specs))
	bad, why := len(specs), error(nil)
	for i := range specs {
		tasks[i], receipts[i] = q.admit(&specs[i], g)
		if receipts[i].Err != nil && why == nil {
			bad, why = i, receipts[i].Err
		}
	}
	for _, t := range tasks {
		if t != nil {
			g.redirect(t)
		}
	}
	for i, t := range tasks[:bad] {
		if t != nil && reaches(t.ID, t.ID, g.fresh, make(map[task.ID]bool)) {
			bad, why = i, fmt.Errorf("%w: task %s depends on itself through others of the batch", task.ErrInvalid, specs[i].ID)
			break
		}
	}
	for i, t := range tasks[:bad] {
		if t == nil {
			continue
		}
		if err := q.insert(t, g); err != nil {
			bad, why = i, err
			break
		}
	}
	if why != nil {
		q.seq, q.ended = seq, q.ended[:ended]
		for _, t := range tasks {
			if t != nil {
				delete(q.tasks, t.ID)
			}
		}
		for _, t := range slices.Backward(g.before) {
			q.tasks[t.ID] = t
		}
		return aborted(specs, bad, why)
	}
	for _, t := range tasks {
		if t == nil {
			continue
		}
		q.order = append(q.order, t.ID)
		for _, parent := range t.Dependencies {
			q.children[parent] = append(q.children[parent], t.ID)
		}
	}
	return receipts
}

// aborted are the receipts of tasks that were not added because of one of them.
func aborted(specs []task.Spec, bad int, why error) []task.Receipt {
	receipts := make([]task.Receipt, len(specs))
	for i := range specs {
		receipts[i] = task.Receipt{ID: specs[i].ID, Err: task.ErrAborted}
	}
	receipts[bad].Err = why
	return receipts
}

// admit decides whether a task is new, and makes it known to the others of its request: also when it is refused, for
// those that depend on it are not wrong because of that. No task means that the receipt says it all.
func (q *queue) admit(spec *task.Spec, g *group) (*task.Task, task.Receipt) {
	receipt, hash := task.Receipt{ID: spec.ID}, spec.ContentHash()
	_, oldHash, old := q.fate(spec.ID)
	switch {
	case old && oldHash == hash:
		receipt.Duplicate = true
		return nil, receipt
	case old:
		receipt.Err = fmt.Errorf("%w: task %s is there with other content", task.ErrConflict, spec.ID)
		g.fresh[spec.ID] = &task.Task{ID: spec.ID}
		return nil, receipt
	case g.fresh[spec.ID] != nil:
		receipt.Err = fmt.Errorf("%w: task %s stands twice in the batch", task.ErrInvalid, spec.ID)
		return nil, receipt
	}
	q.seq++
	t := task.New(spec, q.now, q.seq, hash)
	switch {
	case q.takeKey(t, spec, g, &receipt):
		g.fresh[t.ID] = t
		return t, receipt
	case receipt.Err != nil:
		g.fresh[spec.ID] = &task.Task{ID: spec.ID}
	}
	return nil, receipt
}

// insert counts the dependencies of a new task that have ended already, and puts it.
func (q *queue) insert(t *task.Task, g *group) error {
	for _, id := range t.Dependencies {
		if g.fresh[id] != nil {
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
	if g.limited {
		if why := q.full(t, nil); why != nil {
			return why
		}
	}
	t.Aging = q.settings[name{queue: t.Queue}].Aging
	q.put(t)
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
