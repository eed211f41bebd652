package fsm

import (
	"fmt"
	"slices"

	"github.com/haiku-queue/haiku/task"
)

// group is what the items of one submit know of each other beyond the batch.
type group struct {
	limited bool                     // limits of queues hold
	fresh   map[task.ID]*task.Task   // new tasks of an atomic submit, which are put when all are known; else nil
	holders map[uniqueKey]*task.Task // those of them that hold a unique key
	instead map[task.ID]task.ID      // what items were answered with, by their own ids
}

type uniqueKey struct {
	queue, typ, key string
	scope           task.UniqueScope
}

func uniqueKeyOf(t *task.Task) uniqueKey {
	return uniqueKey{t.Queue, t.Type, t.UniqueKey, t.UniqueScope}
}

// takeKey has a new task hold its unique key, if it has one. Where another holds it, the policy of the spec decides: then
// no task is returned, and the receipt says what became of the submit.
func (m *machine) takeKey(t *task.Task, s *task.Spec, g *group, receipt *task.Receipt) (*task.Task, error) {
	if t.UniqueKey == "" {
		return t, nil
	}
	holder := g.holders[uniqueKeyOf(t)]
	if holder == nil {
		var err error
		if holder, err = m.acquire(t); err != nil {
			return nil, err
		}
	}
	if holder == nil {
		if g.fresh != nil {
			if g.holders == nil {
				g.holders = make(map[uniqueKey]*task.Task)
			}
			g.holders[uniqueKeyOf(t)] = t
		}
		return t, nil
	}
	repeated := holder.ReplacedBy == s.ID
	if !repeated {
		if receipt.Err = m.contend(holder, t, s.OnConflict, g); receipt.Err != nil {
			return nil, nil
		}
	}
	receipt.ID, receipt.Existing, receipt.Duplicate = holder.ID, true, repeated
	if g.instead == nil {
		g.instead = make(map[task.ID]task.ID)
	}
	g.instead[s.ID] = holder.ID
	return nil, nil
}

// acquire has t hold its unique key, if it has one, or returns the task that holds it. t is not put here.
func (m *machine) acquire(t *task.Task) (holder *task.Task, err error) {
	if t.UniqueKey == "" || t.UniqueHeld {
		return nil, nil
	}
	id, held, err := m.batch.KeyHolder(t)
	if err != nil {
		return nil, err
	}
	if held {
		if holder, err = m.batch.Task(id); err != nil {
			return nil, err
		}
		if holder == nil {
			return nil, fmt.Errorf("%w: task %s holds a unique key but has no record", task.ErrInternal, id)
		}
		if holder.UniqueScope != task.UniqueTTL || holder.UniqueUntil.After(m.now) {
			return holder, nil
		}
		holder = holder.Clone() // its time is over, which nobody notes before the key is wanted again
		holder.UniqueHeld = false
		m.batch.Put(holder) // without put: if it has ended, that was told long ago
		m.displaced++
	}
	t.UniqueHeld = true
	return nil, nil
}

// contend applies the policy of the submit of t, whose key a task holds.
func (m *machine) contend(holder, t *task.Task, policy task.ConflictPolicy, g *group) (refused error) {
	switch waits := holder.Status == task.Pending || holder.Status == task.Failed; {
	case policy == task.ConflictReturn:
		return nil
	case policy == task.ConflictReject:
		return fmt.Errorf("%w: task %s", task.ErrUniqueConflict, holder.ID)
	case !waits:
		return fmt.Errorf("%w: task %s, which is %s and takes nothing any more", task.ErrUniqueConflict, holder.ID, holder.Status)
	}
	if g.fresh[holder.ID] == holder { // not put yet
		holder.TakeContent(t, policy == task.ConflictReplace, m.now)
		return nil
	}
	if g.limited && t.PayloadSize > holder.PayloadSize {
		if refused := m.full(t, holder); refused != nil {
			return refused
		}
	}
	holder = holder.Clone()
	if holder.Status == task.Failed {
		m.move(holder, task.EventDue)
	}
	holder.TakeContent(t, policy == task.ConflictReplace, m.now)
	m.put(holder)
	return nil
}

// redirect lets a new task depend on what items of the submit were answered with, not on the items, which do not exist.
func (g *group) redirect(t *task.Task) {
	if !slices.ContainsFunc(t.Dependencies, func(id task.ID) bool { return g.instead[id] != task.ID{} }) {
		return
	}
	parents := make([]task.ID, 0, len(t.Dependencies))
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
