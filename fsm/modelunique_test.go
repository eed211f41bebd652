package fsm

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// This part of the model is unique keys, and tasks that are not started in time.

func (t *modelTask) scope() task.UniqueScope { return cmp.Or(t.UniqueScope, task.UniqueUntilDone) }

// holds tells whether a task holds its unique key.
func (m *model) holds(t *modelTask) bool {
	switch {
	case !t.keyed:
		return false
	case t.scope() == task.UniqueTTL:
		return t.keyUntil.After(m.now)
	case t.scope() == task.UniquePending:
		return t.status == task.Pending
	}
	return !t.status.IsTerminal()
}

// holder is another task that holds the key which t wants; nil if there is none.
func (m *model) holder(t *modelTask, batch map[task.ID]*modelTask) *modelTask {
	if t.UniqueKey == "" {
		return nil
	}
	for _, all := range []map[task.ID]*modelTask{batch, m.tasks} {
		for _, o := range all {
			if o.ID != t.ID && o.UniqueKey == t.UniqueKey && o.scope() == t.scope() && o.pair() == t.pair() && m.holds(o) {
				return o
			}
		}
	}
	return nil
}

// offerKey has the new task of a submit take its key, or finds what becomes of it if another holds that.
func (m *model) offerKey(o *modelOffer, i int, t *modelTask, limited bool, instead map[task.ID]task.ID) {
	holder := m.holder(t, o.batch)
	if holder == nil {
		t.keyed = t.UniqueKey != ""
		o.fresh[i], o.batch[t.ID] = t, t
		return
	}
	if changed := o.changed[holder.ID]; changed != nil {
		holder = changed
	}
	repeated := holder.replacedBy == t.ID
	switch {
	case repeated || t.OnConflict == task.ConflictReturn:
	case t.OnConflict == task.ConflictReject || !holder.waits():
		o.refuse(i, task.ErrUniqueConflict)
		return
	case o.batch[holder.ID] != nil:
		m.take(holder, t)
	default:
		if limited && len(t.Payload) > len(holder.Payload) {
			if o.refuse(i, m.full(t, holder, o, nil)...); len(o.faults[i]) > 0 {
				return
			}
		}
		changed := *holder
		m.take(&changed, t)
		o.changed[holder.ID] = &changed
	}
	o.answers[i] = task.Receipt{ID: holder.ID, Existing: true, Duplicate: repeated}
	instead[t.ID] = holder.ID
}

// take has a waiting task take what a later submit sent.
func (m *model) take(t, next *modelTask) {
	t.Payload, t.startBy, t.replacedBy = next.Payload, next.startBy, next.ID
	if next.OnConflict == task.ConflictReplace {
		t.Priority, t.MaxRetries, t.MaxCrashes, t.Retention = next.Priority, next.MaxRetries, next.MaxCrashes, next.Retention
	}
	if next.at.After(m.now) || t.at.After(m.now) {
		t.at = next.at
	}
	t.retries, t.crashes, t.err, t.progress, t.started = 0, 0, "", task.Progress{}, time.Time{}
	m.wait(t)
}

// redirect lets a task depend on what others of its request were answered with.
func (t *modelTask) redirect(instead map[task.ID]task.ID) {
	var parents []task.ID
	for _, parent := range t.Dependencies {
		if other, ok := instead[parent]; ok {
			parent = other
		}
		if !slices.Contains(parents, parent) {
			parents = append(parents, parent)
		}
	}
	t.Dependencies = parents
}

// overdue tells whether a task was not started in time.
func (m *model) overdue(t *modelTask) bool {
	return t.status == task.Pending && t.started.IsZero() && !t.startBy.IsZero() && !t.startBy.After(m.now)
}

// expire ends tasks that were not started in time, those first whose time was over first.
func (m *model) expire(limit int) int {
	over := m.pick(m.overdue, func(a, b *modelTask) int { return cmp.Or(a.startBy.Compare(b.startBy), byID(a, b)) })
	over = over[:min(limit, len(over))]
	for _, t := range over {
		m.end(t, task.DeadLetter, task.Expired)
	}
	return len(over)
}

func sortedIDs[V any](all map[task.ID]V) []task.ID {
	return slices.SortedFunc(maps.Keys(all), func(a, b task.ID) int { return bytes.Compare(a[:], b[:]) })
}
