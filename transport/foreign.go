package transport

import (
	"fmt"
	"slices"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// foreign are the tasks that are not the client's business, as if they did not exist. Nil for a client of all queues.
type foreign map[task.ID]bool

// foreignOf looks up which of some ids are of tasks in queues that the client's token is not for. A task never changes its
// queue, so this node's state is good enough.
func (c *conn) foreignOf(ids []task.ID) (foreign, error) {
	if !c.access.IsRestricted() {
		return nil, nil
	}
	hidden := make(foreign)
	for chunk := range slices.Chunk(ids, task.MaxItems) {
		tasks, _, err := c.s.broker.Get(c.ctx, task.Query{IDs: chunk, Stale: true})
		if err != nil {
			return nil, err
		}
		for _, t := range tasks {
			if !c.access.Covers(t.Queue) {
				hidden[t.ID] = true
			}
		}
	}
	return hidden, nil
}

// without leaves out the ids of foreign tasks.
func (h foreign) without(ids []task.ID) []task.ID {
	if len(h) == 0 {
		return ids
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id task.ID) bool { return h[id] })
}

// check is the error of a request about a task that is foreign.
func (h foreign) check(id task.ID) error {
	if h[id] {
		return fmt.Errorf("%w: task %s", task.ErrNotFound, id)
	}
	return nil
}

// mayRead returns the query without what the client may not see; empty says that nothing is left to ask.
func (c *conn) mayRead(q task.Query) (_ task.Query, empty bool, err error) {
	hidden, err := c.foreignOf(q.IDs)
	if err != nil {
		return q, false, err
	}
	asked := len(q.IDs)
	q.IDs = hidden.without(q.IDs)
	return q, asked > 0 && len(q.IDs) == 0, nil
}

// visible leaves of tasks those that the client may see.
func (c *conn) visible(tasks []*task.Task) []*task.Task {
	if !c.access.IsRestricted() {
		return tasks
	}
	return slices.DeleteFunc(tasks, func(t *task.Task) bool { return !c.access.Covers(t.Queue) })
}

// maySubmit refuses, one by one, the specs of queues that the client's token is not for, and those that depend on tasks of
// such queues.
func (c *conn) maySubmit(it *items[task.Spec]) error {
	if !c.access.IsRestricted() {
		return nil
	}
	it.refuse(func(s *task.Spec) error { return c.access.Check(s.Queue) })
	var parents []task.ID
	for i := range it.good {
		parents = append(parents, it.good[i].Dependencies...)
	}
	hidden, err := c.foreignOf(parents)
	if err != nil {
		return err
	}
	it.refuse(func(s *task.Spec) error { return hidden.checkParents(s) })
	return nil
}

func (h foreign) checkParents(s *task.Spec) error {
	for _, id := range s.Dependencies {
		if h[id] {
			return fmt.Errorf("%w: %s", task.ErrUnknownDependency, id)
		}
	}
	return nil
}

// mayFinish refuses, one by one, the outcomes of foreign tasks and those that submit to foreign queues.
func (c *conn) mayFinish(it *items[task.Outcome]) error {
	if !c.access.IsRestricted() {
		return nil
	}
	var ids []task.ID
	for i := range it.good {
		ids = append(ids, it.good[i].ID)
		for j := range it.good[i].Submit {
			ids = append(ids, it.good[i].Submit[j].Dependencies...)
		}
	}
	hidden, err := c.foreignOf(ids)
	if err != nil {
		return err
	}
	it.refuse(func(o *task.Outcome) error {
		for j := range o.Submit {
			err := c.access.Check(o.Submit[j].Queue)
			if err == nil {
				err = hidden.checkParents(&o.Submit[j])
			}
			if err != nil {
				return err
			}
		}
		return hidden.check(o.ID)
	})
	return nil
}

// mayClaim returns nil if all queues of a claim are the client's.
func (c *conn) mayClaim(req *task.ClaimRequest) error {
	if len(req.Queues) == 0 {
		return c.access.Check(task.DefaultQueue)
	}
	for _, queue := range req.Queues {
		if err := c.access.Check(queue); err != nil {
			return err
		}
	}
	return nil
}

// withoutForeign takes the leases of foreign tasks out of a heartbeat; they are as good as lost.
func (c *conn) withoutForeign(h *task.Heartbeat) (lost []task.ID, err error) {
	if !c.access.IsRestricted() {
		return nil, nil
	}
	ids := make([]task.ID, len(h.Leases))
	for i := range h.Leases {
		ids[i] = h.Leases[i].ID
	}
	hidden, err := c.foreignOf(ids)
	h.Leases = slices.DeleteFunc(h.Leases, func(l task.LeaseRef) bool {
		if hidden[l.ID] {
			lost = append(lost, l.ID)
		}
		return hidden[l.ID]
	})
	return lost, err
}

// ownStats leaves of statistics the queues that the client may see.
func (c *conn) ownStats(s *task.Stats) {
	if !c.access.IsRestricted() {
		return
	}
	s.Queues = slices.DeleteFunc(s.Queues, func(q task.QueueCounts) bool { return !c.access.Covers(q.Queue) })
	s.Total = task.QueueCounts{Queue: s.Total.Queue, Type: s.Total.Type}
	for i := range s.Queues {
		s.Total.Add(&s.Queues[i])
	}
}

// ownWorkers leaves of workers those that claim from the client's queues alone, as far as that is known.
func (c *conn) ownWorkers(list []member.Worker) []member.Worker {
	if !c.access.IsRestricted() {
		return list
	}
	return slices.DeleteFunc(list, func(w member.Worker) bool {
		return len(w.Queues) == 0 || slices.ContainsFunc(w.Queues, func(queue string) bool { return !c.access.Covers(queue) })
	})
}
