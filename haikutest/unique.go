package haikutest

import (
	"fmt"
	"slices"

	"github.com/haiku-queue/haiku/task"
)

// group is what the items of one request know of each other.
type group struct {
	limited bool                // limits of queues hold
	instead map[task.ID]task.ID // what items were answered with, whose key another task held
	fresh   map[task.ID]*task.Task
	before  []*task.Task // what waiting holders of keys were
}

func newGroup(limited bool) *group {
	return &group{limited: limited, instead: make(map[task.ID]task.ID)}
}

// takeKey has a new task hold its unique key. Where another holds it, false is returned and the receipt says what became of
// the submit.
func (q *queue) takeKey(t *task.Task, s *task.Spec, g *group, receipt *task.Receipt) bool {
	holder := q.acquire(t, g.fresh)
	if holder == nil {
		return true
	}
	repeated := holder.ReplacedBy == s.ID
	if !repeated {
		if receipt.Err = q.contend(holder, t, s.OnConflict, g); receipt.Err != nil {
			return false
		}
	}
	receipt.ID, receipt.Existing, receipt.Duplicate = holder.ID, true, repeated
	g.instead[s.ID] = holder.ID
	return false
}

// acquire has t hold its unique key, if it has one, or returns the task that holds it. t is not put here.
func (q *queue) acquire(t *task.Task, fresh map[task.ID]*task.Task) *task.Task {
	if t.UniqueKey == "" || t.UniqueHeld {
		return nil
	}
	for _, tasks := range [...]map[task.ID]*task.Task{q.tasks, fresh} {
		for _, o := range tasks {
			if !o.UniqueHeld || o.Queue != t.Queue || o.Type != t.Type || o.UniqueKey != t.UniqueKey || o.UniqueScope != t.UniqueScope {
				continue
			}
			if o.UniqueScope != task.UniqueTTL || o.UniqueUntil.After(q.now) {
				return o
			}
			free := o.Clone()
			free.UniqueHeld = false
			q.tasks[o.ID] = free
		}
	}
	t.UniqueHeld = true
	return nil
}

// contend applies the policy of the submit of t, whose key a task holds.
func (q *queue) contend(holder, t *task.Task, policy task.ConflictPolicy, g *group) error {
	switch waits := holder.Status == task.Pending || holder.Status == task.Failed; {
	case policy == task.ConflictReturn:
		return nil
	case policy == task.ConflictReject:
		return fmt.Errorf("%w: task %s", task.ErrUniqueConflict, holder.ID)
	case !waits:
		return fmt.Errorf("%w: task %s, which is %s and takes nothing any more", task.ErrUniqueConflict, holder.ID, holder.Status)
	}
	if g.fresh[holder.ID] == holder {
		holder.TakeContent(t, policy == task.ConflictReplace, q.now)
		return nil
	}
	if g.limited && t.PayloadSize > holder.PayloadSize {
		if refused := q.full(t, holder); refused != nil {
			return refused
		}
	}
	g.before = append(g.before, holder)
	holder = holder.Clone()
	holder.Status = task.Pending
	holder.TakeContent(t, policy == task.ConflictReplace, q.now)
	q.put(holder)
	return nil
}

// redirect lets a new task depend on what items of the request were answered with.
func (g *group) redirect(t *task.Task) {
	var parents []task.ID
	for _, id := range t.Dependencies {
		if other, ok := g.instead[id]; ok {
			id = other
		}
		if !slices.Contains(parents, id) {
			parents = append(parents, id)
		}
	}
	t.Dependencies, t.WaitingFor = parents, uint32(len(parents))
}
