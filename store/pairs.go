package store

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/haiku-queue/haiku/internal/pb/recordpb"
	"github.com/haiku-queue/haiku/task"
)

// Pair is one (queue, type): the unit of ready order and of counting.
type Pair struct{ Queue, Type string }

func pairOf(t *task.Task) Pair { return Pair{t.Queue, t.Type} }

// Claimable says that Count more tasks of a pair stand ready than before a commit.
type Claimable struct {
	Pair  Pair
	Count int
}

// slot is a place in counts: one for each phase of Pending and one for each other status.
type slot uint8

const (
	slotReady slot = iota
	slotScheduled
	slotBlocked
	slotInProgress
	slotCompleted
	slotFailed
	slotDeadLetter
	slotCancelled
	slotCount
)

// waitingBytes is the place in counts of the payload bytes of the tasks that wait.
const waitingBytes = slotCount

type counts [slotCount + 1]int64

// waits reports whether tasks in s wait to be run, now or some day.
func (s slot) waits() bool { return s < slotInProgress || s == slotFailed }

// count adds n tasks like t.
func (c *counts) count(t *task.Task, n int64) {
	s := slotOf(t)
	c[s] += n
	if s.waits() {
		c[waitingBytes] += n * int64(t.PayloadSize)
	}
}

func slotOf(t *task.Task) slot {
	if t.Status != task.Pending {
		return slotInProgress + slot(t.Status-task.InProgress)
	}
	switch t.Phase() {
	case task.Blocked:
		return slotBlocked
	case task.Scheduled:
		return slotScheduled
	}
	return slotReady
}

// status is the inverse of slotOf.
func (s slot) status() task.Status {
	if s < slotInProgress {
		return task.Pending
	}
	return task.InProgress + task.Status(s-slotInProgress)
}

func (c *counts) row() *recordpb.Counts {
	return &recordpb.Counts{
		Ready: uint64(c[slotReady]), Scheduled: uint64(c[slotScheduled]), Blocked: uint64(c[slotBlocked]),
		InProgress: uint64(c[slotInProgress]), Completed: uint64(c[slotCompleted]), Failed: uint64(c[slotFailed]),
		DeadLetter: uint64(c[slotDeadLetter]), Cancelled: uint64(c[slotCancelled]),
		WaitingBytes: uint64(c[waitingBytes]),
	}
}

// value is the whole value of the row in meta.
func (c *counts) value() ([]byte, error) {
	row := c.row()
	value := make([]byte, 1+row.SizeVT())
	value[0] = valueVersion
	if _, err := row.MarshalToSizedBufferVT(value[1:]); err != nil {
		return nil, fmt.Errorf("encode counts: %w", err)
	}
	return value, nil
}

func countsOf(value []byte) (c counts, err error) {
	v, err := readVersion(famMeta, value)
	if err != nil {
		return c, err
	}
	var r recordpb.Counts
	if err := r.UnmarshalVT(v); err != nil || hasUnknown(&r) {
		return c, fmt.Errorf("%w: bad counts %x", errCorrupt, value)
	}
	return counts{
		int64(r.Ready), int64(r.Scheduled), int64(r.Blocked), int64(r.InProgress),
		int64(r.Completed), int64(r.Failed), int64(r.DeadLetter), int64(r.Cancelled), int64(r.WaitingBytes),
	}, nil
}

func (c *counts) add(o *counts) {
	for i := range c {
		c[i] += o[i]
	}
}

func (c *counts) negative() bool { return slices.Min(c[:]) < 0 }

func (c *counts) queueCounts(p Pair) task.QueueCounts {
	n := func(s slot) uint64 { return uint64(c[s]) }
	return task.QueueCounts{
		Queue: p.Queue, Type: p.Type, Pending: n(slotReady) + n(slotScheduled) + n(slotBlocked),
		Ready: n(slotReady), Scheduled: n(slotScheduled), Blocked: n(slotBlocked), InProgress: n(slotInProgress),
		Completed: n(slotCompleted), Failed: n(slotFailed), DeadLetter: n(slotDeadLetter), Cancelled: n(slotCancelled),
	}
}

// pairState is what memory holds of one pair that has tasks.
type pairState struct {
	pair   Pair
	queue  *queueState
	counts counts // committed; guarded by database.mu, written only by the open batch, as are floor and first
	floor  place  // no committed ready task of the pair has a place before it
	first  int64  // since when the first ready task waits, in microseconds; 0 if not known
	head   head   // the open batch's, as is all below

	counted int     // entries of head that database.headEntries knows of
	touched bool    // in batch.pairs
	delta   counts  // what the batch adds, as it stands
	added   []ready // a heap of tasks that the batch made ready; some of them may not be so any more
	skipped int     // entries at the front of head that the batch has taken
}

// pairsCopy copies the committed counts. mu is held, or nothing can commit.
func (d *database) pairsCopy() map[Pair]counts {
	out := make(map[Pair]counts, len(d.pairs.byPair))
	for pair, p := range d.pairs.byPair {
		if p.counts != (counts{}) {
			out[pair] = p.counts
		}
	}
	return out
}

// add counts n tasks like t into what the batch adds.
func (p *pairState) add(t *task.Task, n int64) {
	p.delta.count(t, n)
	p.queue.delta.count(t, n)
}

// queueState is the pairs of one queue, by type.
type queueState struct {
	pairs  []*pairState
	counts counts // committed, of all pairs
	delta  counts // the open batch's: what it adds to all pairs
}

// pairTable finds pairs. database.mu guards it; the open batch, its only writer, reads without.
type pairTable struct {
	byPair map[Pair]*pairState
	queues map[string]*queueState
}

func newPairTable() pairTable {
	return pairTable{byPair: make(map[Pair]*pairState), queues: make(map[string]*queueState)}
}

func (t *pairTable) insert(p *pairState) {
	t.byPair[p.pair] = p
	q := t.queues[p.pair.Queue]
	if q == nil {
		q = &queueState{}
		t.queues[p.pair.Queue] = q
	}
	i, _ := q.find(p.pair.Type)
	q.pairs = slices.Insert(q.pairs, i, p)
	p.queue = q
	q.counts.add(&p.counts)
}

// remove forgets a pair whose counts are all zero.
func (t *pairTable) remove(p *pairState) {
	delete(t.byPair, p.pair)
	q := t.queues[p.pair.Queue]
	if i, ok := q.find(p.pair.Type); ok {
		q.pairs = slices.Delete(q.pairs, i, i+1)
	}
	if len(q.pairs) == 0 {
		delete(t.queues, p.pair.Queue)
	}
}

// fold adds d to the committed counts of p.
func (t *pairTable) fold(p *pairState, d *counts) {
	p.counts.add(d)
	p.queue.counts.add(d)
}

func (q *queueState) find(typ string) (int, bool) {
	return slices.BinarySearchFunc(q.pairs, typ, func(p *pairState, typ string) int { return cmp.Compare(p.pair.Type, typ) })
}

func sortQueueCounts(all []task.QueueCounts) {
	slices.SortFunc(all, func(a, b task.QueueCounts) int {
		return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Type, b.Type))
	})
}
