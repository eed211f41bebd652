package fsm

import (
	"slices"

	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// claim leases the first ready tasks of the pairs that the request names and that are open, in their order over all those
// pairs. Tasks that have expired meanwhile are ended instead.
func (m *machine) claim(c *Claim) (Result, error) {
	r, err := m.lend(c)
	if err != nil {
		return r, err
	}
	return m.settled(r, len(r.Tasks)+r.Count)
}

func (m *machine) lend(c *Claim) (Result, error) {
	var r Result
	if paused, err := m.dispatchPaused(); err != nil || paused {
		return r, err
	}
	front, err := m.batch.Front(slices.DeleteFunc(m.pairs(c), func(p store.Pair) bool { return !m.isOpen(p) }))
	if err != nil {
		return r, err
	}
	size := 0
	for len(r.Tasks) < c.Max && len(r.Tasks)+r.Count < task.MaxTouch {
		id, _, pair, ok, err := front.First()
		if err != nil || !ok {
			return r, err
		}
		if !m.isOpen(pair) { // not any more
			front.LeaveOut()
			continue
		}
		t, err := m.batch.Task(id)
		if err != nil {
			return r, err
		}
		if t.Overdue(m.now) {
			m.endOverdue(t)
			r.Count++
			continue
		}
		if size += weight(t); size > task.MaxClaimBytes && len(r.Tasks) > 0 {
			return r, nil
		}
		t = t.Clone()
		if t.Status, err = task.Next(t.Status, task.EventClaim); err != nil {
			return r, err
		}
		m.lease(t, c)
		m.put(t)
		m.pass(pair)
		r.Tasks = append(r.Tasks, t)
	}
	return r, nil
}

func (m *machine) lease(t *task.Task, c *Claim) {
	t.Attempt++
	t.LeaseID = m.batch.NextSeq()
	t.WorkerID, t.Session = c.WorkerID, c.Session
	t.LeaseDuration, t.LeaseExpiresAt = c.Lease, m.now.Add(c.Lease)
	t.UpdatedAt = m.now
	t.Start(m.now)
}

// pairs lists the (queue, type) pairs of a claim that have ready tasks, or all that it names by type.
func (m *machine) pairs(c *Claim) []store.Pair {
	var pairs []store.Pair
	for _, queue := range c.Queues {
		if len(c.Types) == 0 {
			pairs = append(pairs, m.batch.ReadyPairs(queue)...)
		}
		for _, typ := range c.Types {
			pairs = append(pairs, store.Pair{Queue: queue, Type: typ})
		}
	}
	return pairs
}

// weight is about what a claimed task takes in a reply, in bytes.
func weight(t *task.Task) int {
	n := int(t.PayloadSize) + len(t.Error) + 18*len(t.Dependencies) + len(t.Progress.Cursor) + 256
	for i := range t.Headers {
		n += len(t.Headers[i].Name) + len(t.Headers[i].Value) + 8
	}
	for i := range t.History {
		n += len(t.History[i].WorkerID) + len(t.History[i].Error) + 32
	}
	return n
}
