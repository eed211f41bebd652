package fsm

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// work is a task that ended, or was retried, and whose dependants are to be told, from the child after After on. Children
// submitted later (Seq >= Before) saw it themselves.
//
// In meta it stands under "work/" | seq uint64, so that it is done in the order in which it arose, as
//
//	version uint8 = 1 | kind uint8 | parent 16 | after 16 | before uint64
type work struct {
	Kind   workKind
	Parent task.ID
	After  task.ID
	Before uint64
}

// workKind says what the dependants are to be told.
type workKind uint8

const (
	countDown workKind = 1 // the parent ended: its children wait for one task less
	countAnew workKind = 2 // the parent ended, not for the first time: its children look at all that they wait for
	rearm     workKind = 3 // the parent was retried: children that were cancelled because of it wait again
	orphan    workKind = 4 // the parent, which ended without success, was deleted: children that wait for its retry are cancelled
)

const (
	workPrefix  = "work/"
	workVersion = 1
	workSize    = 1 + 1 + 16 + 16 + 8
)

// put writes a task. One that has ended is given the time at which it is to be deleted, and noted, for it may have
// dependants; one that has not, or no longer, has none. Its unique key is free from when the scope says so, and a task
// that holds one is kept.
func (m *machine) put(t *task.Task) {
	t.UniqueHeld = t.UniqueHeld && t.MayHoldKey()
	t.DeleteAt = time.Time{}
	if t.Status.IsTerminal() {
		if keep := m.retentions.keep(t); keep != task.KeepForever {
			t.DeleteAt = m.now.Add(keep)
			if t.UniqueHeld && t.DeleteAt.Before(t.UniqueUntil) {
				t.DeleteAt = t.UniqueUntil
			}
		}
	}
	m.note(m.batch.Put(t), t)
	if t.Status.IsTerminal() {
		kind := countDown
		if t.Recount {
			kind = countAnew
		}
		m.ended = append(m.ended, work{Kind: kind, Parent: t.ID, Before: m.batch.Seq() + 1})
		m.done = append(m.done, t.ID)
	}
}

// resolve lets t know that one of its dependencies ended with the given terminal status. t is not put here.
func (m *machine) resolve(t *task.Task, parent task.ID, status task.Status) error {
	if t.Status != task.Pending || t.WaitingFor == 0 {
		return nil
	}
	if status == task.Completed || t.OnDependencyFailure == task.PolicyIgnore {
		t.WaitingFor--
		t.UpdatedAt = m.now
		return nil
	}
	kills, err := m.kills(parent, t)
	if kills {
		m.cancelFor(t)
	}
	return err
}

// kills reports whether t is cancelled because of a dependency that ended without success. One whose retry t waits for does
// so only when nobody can retry it: it was deleted, or one that it waited for itself.
func (m *machine) kills(parent task.ID, t *task.Task) (bool, error) {
	switch t.OnDependencyFailure {
	case task.PolicyIgnore:
		return false, nil
	case task.PolicyBlock:
		p, err := m.batch.Task(parent)
		return p == nil || p.Reason == task.DependencyGone, err
	}
	return true, nil
}

// cancelFor cancels a waiting task because of what it depends on. t is not put here.
func (m *machine) cancelFor(t *task.Task) {
	t.Status, t.Reason, t.UpdatedAt = task.Cancelled, task.DependencyFailed, m.now
	if t.OnDependencyFailure == task.PolicyBlock {
		t.Reason = task.DependencyGone
	}
}

// settled tells the dependants of what the command ended. With those that it has touched so far it touches at most
// task.MaxTouch tasks; what is left stays as work items, and the Result says so.
func (m *machine) settled(r Result, touched int) (Result, error) {
	err := m.drain(max(0, task.MaxTouch-touched-m.displaced), &r)
	return r, err
}

// drain works on m.ended, children of children included, until nothing is left or the budget is used up.
func (m *machine) drain(budget int, r *Result) error {
	for len(m.ended) > 0 {
		w := m.ended[0]
		m.ended = m.ended[1:]
		rest, used, err := m.tell(w, budget)
		if err != nil {
			return err
		}
		budget -= used
		r.Count += used
		if rest != nil {
			m.leave(*rest)
			r.More = true
		}
	}
	return nil
}

// tell resolves the parent's end in at most budget children and returns the work that is left, if any.
func (m *machine) tell(w work, budget int) (rest *work, used int, err error) {
	children, err := m.batch.Dependents(w.Parent, w.After, budget+1)
	if err != nil || len(children) == 0 {
		return nil, 0, err
	}
	status, _, _, err := m.batch.Ended(w.Parent)
	told := w.Kind == countDown || w.Kind == countAnew
	if err != nil || told && !status.IsTerminal() { // retried since: its next end will be told
		return nil, 0, err
	}
	for _, id := range children {
		if used == budget {
			return &w, used, nil
		}
		child, err := m.batch.Task(id)
		if err != nil {
			return nil, used, err
		}
		if child == nil {
			return nil, used, fmt.Errorf("dependant %s of %s has no record", id, w.Parent)
		}
		concerned := child.Seq < w.Before && w.concerns(child)
		anew := w.Kind == rearm || w.Kind == countAnew || told && child.Recount
		if concerned && anew && m.manyRecounted(child) {
			return &w, used, nil
		}
		used++
		w.After = id
		switch {
		case !concerned:
		case w.Kind == rearm:
			err = m.rearm(child.Clone())
		case anew:
			err = m.recount(child.Clone())
		case w.Kind == orphan:
			child = child.Clone()
			m.cancelFor(child)
			m.put(child)
		default:
			child = child.Clone()
			err = m.resolve(child, w.Parent, status)
			m.put(child)
		}
		if err != nil {
			return nil, used, err
		}
	}
	return nil, used, nil
}

// concerns reports whether a child that was there may be changed by what it is told.
func (w *work) concerns(child *task.Task) bool {
	waits := child.Status == task.Pending && child.WaitingFor > 0
	return w.Kind == rearm || waits && (w.Kind != orphan || child.OnDependencyFailure == task.PolicyBlock)
}

// leave keeps work for a later Step.
func (m *machine) leave(w work) {
	value := make([]byte, 0, workSize)
	value = append(value, workVersion, byte(w.Kind))
	value = append(value, w.Parent[:]...)
	value = append(value, w.After[:]...)
	value = binary.BigEndian.AppendUint64(value, w.Before)
	m.batch.PutMeta(workPrefix+string(binary.BigEndian.AppendUint64(nil, m.batch.NextSeq())), value)
}

// step does task.MaxTouch tasks' worth of the oldest work.
func (m *machine) step() (Result, error) {
	var r Result
	for r.Count < task.MaxTouch {
		items, err := m.batch.ScanMeta(workPrefix, 1)
		if err != nil || len(items) == 0 {
			return r, err
		}
		w, err := decodeWork(items[0])
		if err != nil {
			return r, err
		}
		m.batch.DeleteMeta(items[0].Key)
		m.ended = append(m.ended, w)
		if err := m.drain(task.MaxTouch-r.Count, &r); err != nil {
			return r, err
		}
		if r.More {
			return r, nil
		}
	}
	r.More = true
	return r, nil
}

func decodeWork(kv store.KV) (work, error) {
	v := kv.Value
	if len(v) != workSize || v[0] != workVersion {
		return work{}, fmt.Errorf("work item %x is damaged", kv.Key)
	}
	return work{Kind: workKind(v[1]), Parent: task.ID(v[2:18]), After: task.ID(v[18:34]), Before: binary.BigEndian.Uint64(v[34:])}, nil
}

// HasWork reports whether st holds work for a Step.
func HasWork(st *store.Store) (bool, error) {
	items, err := st.ScanMeta(workPrefix)
	return len(items) > 0, err
}
