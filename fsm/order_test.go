package fsm

import (
	"cmp"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/internal/damage"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// place is where a task stands in the order.
type place struct {
	pair     store.Pair
	priority task.Priority
	at       time.Time
	number   int // among all that were submitted
	id       task.ID
}

func (p *place) compare(o *place) int {
	return cmp.Or(-cmp.Compare(p.priority, o.priority), p.at.Compare(o.at), cmp.Compare(p.number, o.number))
}

// line is the tasks of one pair, the first at its head.
type line []*place

func (l line) Len() int           { return len(l) }
func (l line) Less(i, j int) bool { return l[i].compare(l[j]) < 0 }
func (l line) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }
func (l *line) Push(x any)        { *l = append(*l, x.(*place)) }
func (l *line) Pop() any {
	last := (*l)[len(*l)-1]
	*l = (*l)[:len(*l)-1]
	return last
}

// TestClaimsComeInOrder: whatever queues and types a claim names, it gets their tasks by priority, then scheduled time,
// then in the order in which they were submitted.
func TestClaimsComeInOrder(t *testing.T) {
	const batch = 500
	rng, total := damage.Rand(t), damage.Rounds(20_000, 1_000_000)
	a := &applier{t: t, fsm: newFSM(openStore(t, t.TempDir()))}
	queues, types := []string{"q1", "q2"}, []string{"a", "b", "c"}
	lines := make(map[store.Pair]*line)
	for _, queue := range queues {
		for _, typ := range types {
			lines[store.Pair{Queue: queue, Type: typ}] = &line{}
		}
	}
	var later []*place // not in their lines yet
	now, submitted, claimed := epoch, 0, 0
	for claimed < total {
		now = now.Add(time.Duration(rng.IntN(3)) * 10 * time.Millisecond)
		if submitted < total && (rng.IntN(2) == 0 || claimed+batch > submitted) {
			c := &Submit{DedupWindow: 24 * time.Hour}
			for range batch {
				s := placedSpec(rng)
				later = append(later, &place{store.Pair{Queue: s.Queue, Type: s.Type}, *s.Priority, now.Add(s.Delay), submitted, s.ID})
				submitted++
				c.Specs, c.Hashes = append(c.Specs, s), append(c.Hashes, s.ContentHash())
			}
			a.applyAt(now, c)
		}
		for a.applyAt(now, &Promote{Max: task.MaxTouch}).More {
		}
		rest := later[:0]
		for _, p := range later {
			if p.at.After(now) {
				rest = append(rest, p)
			} else {
				heap.Push(lines[p.pair], p)
			}
		}
		later = rest
		c := &Claim{Session: task.SessionID{1}, WorkerID: "w", Queues: queues[rng.IntN(2):], Max: batch, Lease: time.Hour}
		if rng.IntN(2) == 0 {
			c.Types = types[rng.IntN(2):]
		}
		r := a.applyAt(now, c)
		claimed += len(r.Tasks)
		for i := range c.Max {
			first := firstOf(lines, c)
			if (first == nil) != (i >= len(r.Tasks)) {
				t.Fatalf("%+v: %d tasks came; the %d. should be %+v", c, len(r.Tasks), i+1, first)
			}
			if first == nil {
				break
			}
			if got := r.Tasks[i]; got.ID != first.id {
				t.Fatalf("%+v: the %d. is %s, priority %d, at %s, not %+v", c, i+1, got.ID, got.Priority, got.ScheduledAt, first)
			}
		}
	}
}

func placedSpec(rng *rand.Rand) task.Spec {
	p := task.Priority(rng.IntN(5) * 60)
	s := task.Spec{ID: randomID(rng), Queue: fmt.Sprintf("q%d", 1+rng.IntN(2)), Type: string(rune('a' + rng.IntN(3))), Priority: &p}
	if rng.IntN(4) == 0 {
		s.Delay = time.Duration(1+rng.IntN(20)) * 10 * time.Millisecond
	}
	return s
}

// firstOf takes the first task of all that a claim names.
func firstOf(lines map[store.Pair]*line, c *Claim) *place {
	types := c.Types
	if len(types) == 0 {
		types = []string{"a", "b", "c"}
	}
	var best *line
	for _, queue := range c.Queues {
		for _, typ := range types {
			l := lines[store.Pair{Queue: queue, Type: typ}]
			if l.Len() > 0 && (best == nil || (*l)[0].compare((*best)[0]) < 0) {
				best = l
			}
		}
	}
	if best == nil {
		return nil
	}
	return heap.Pop(best).(*place)
}
