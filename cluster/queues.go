package cluster

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// SetQueue changes settings of a queue, or of a type in it. It needs no task to be there.
func (n *Node) SetQueue(ctx context.Context, c task.QueueChange) error {
	if err := c.Validate(); err != nil {
		return err
	}
	l, err := n.leading()
	if err != nil {
		return err
	}
	l.settings.Lock()
	defer l.settings.Unlock()
	if err := n.matchQueue(&c); err != nil {
		return err
	}
	r, err := l.do(ctx, &fsm.SetQueue{Change: c})
	if err == nil {
		err = r.Err
	}
	return err
}

// matchQueue refuses a change of settings that are not as its client saw them. Only this leader changes them meanwhile,
// one change after the other.
func (n *Node) matchQueue(c *task.QueueChange) error {
	if c.Match == "" {
		return nil
	}
	all, err := fsm.Queues(n.store)
	if err != nil {
		return err
	}
	var list []task.QueueSettings
	for _, s := range all {
		if s.Queue == c.Queue {
			list = append(list, s)
		}
	}
	if task.SettingsTag(list) != c.Match {
		return fmt.Errorf("%w: the settings of queue %q", task.ErrPrecondition, c.Queue)
	}
	return nil
}

// Queues lists the queues that have tasks or settings, in order, each with the sum of its types first.
func (n *Node) Queues(ctx context.Context, q task.QueuesQuery) (list []task.QueueState, err error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	err = n.read(ctx, q.Stale, func(*leadership) error {
		list, err = queueStates(n.store, &q)
		return err
	})
	return list, err
}

func queueStates(st *store.Store, q *task.QueuesQuery) ([]task.QueueState, error) {
	states := make(map[store.Pair]*task.QueueState)
	at := func(name store.Pair) *task.QueueState {
		s := states[name]
		if s == nil {
			s = &task.QueueState{QueueSettings: task.QueueSettings{Queue: name.Queue, Type: name.Type},
				Counts: task.QueueCounts{Queue: name.Queue, Type: name.Type}}
			states[name] = s
		}
		return s
	}
	settings, err := fsm.Queues(st)
	if err != nil {
		return nil, err
	}
	for _, s := range settings {
		if q.Queue != "" && q.Queue != s.Queue {
			continue
		}
		at(store.Pair{Queue: s.Queue})
		if s.Type == "" || !q.Sums {
			at(store.Pair{Queue: s.Queue, Type: s.Type}).QueueSettings = s
		}
	}
	if q.Sums {
		st.EachQueue(func(d store.Depth) {
			if q.Queue != "" && q.Queue != d.Counts.Queue {
				return
			}
			s := at(store.Pair{Queue: d.Counts.Queue})
			s.Counts = d.Counts
			if d.OldestReady != 0 {
				s.NextSince = time.UnixMicro(d.OldestReady).UTC()
			}
		})
	} else {
		countPairs(st, q.Queue, at)
	}
	list := make([]task.QueueState, 0, len(states))
	for name, s := range states {
		s.WaitingBytes = uint64(st.Occupancy(name).Bytes)
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b task.QueueState) int {
		return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Type, b.Type))
	})
	return list, nil
}

// countPairs counts the tasks of each pair, and of the queues that they are of.
func countPairs(st *store.Store, only string, at func(store.Pair) *task.QueueState) {
	counts := st.Counts(only, "").Queues
	for i := range counts {
		c := &counts[i]
		at(store.Pair{Queue: c.Queue}).Counts.Add(c)
		s := at(store.Pair{Queue: c.Queue, Type: c.Type})
		s.Counts = *c
		if us := st.FirstScheduled(store.Pair{Queue: c.Queue, Type: c.Type}); us != 0 {
			s.NextSince = time.UnixMicro(us).UTC()
		}
	}
}

// room returns how many tasks of a pair the settings of queues let be claimed now. If it is a rate that allows none, the
// throttle will wake claims that wait.
func (l *leadership) room(p store.Pair, now time.Time) int64 {
	n, next := l.fsm.Room(p, now)
	if n == 0 && !next.IsZero() {
		l.throttle.tell(p.Queue, next)
	}
	return n
}

// open returns how many of the tasks that became claimable are worth waking for.
func (l *leadership) open(c store.Claimable, now time.Time) int {
	if !l.fsm.Gated() {
		return c.Count
	}
	if _, ok := l.waiters.waits(c.Pair); !ok {
		return 0
	}
	return int(min(int64(c.Count), l.room(c.Pair, now)))
}

// wakeQueue lets waiting claims try for the ready tasks of a queue, or of types in it, after it was opened: first come
// first served over all types, or a type could take for ever what the queue allows.
func (l *leadership) wakeQueue(queue string, types []string) {
	if l.paused.Load() {
		return
	}
	now := l.clock.Now()
	left, _ := l.fsm.Room(store.Pair{Queue: queue}, now)
	ready := l.store.Ready(queue, types)
	places := make(map[store.Pair]uint64)
	ready = slices.DeleteFunc(ready, func(c store.Claimable) bool {
		var waits bool
		places[c.Pair], waits = l.waiters.waits(c.Pair)
		return !waits
	})
	slices.SortFunc(ready, func(a, b store.Claimable) int { return cmp.Compare(places[a.Pair], places[b.Pair]) })
	for _, c := range ready {
		for _, w := range l.waiters.pick(c.Pair, int(min(int64(l.open(c, now)), left))) {
			l.propose(w)
			left--
		}
	}
}

// wakeNamed is wakeQueue for a queue, or for a type in it if that is not empty.
func (l *leadership) wakeNamed(name store.Pair) {
	if name.Type == "" {
		l.wakeQueue(name.Queue, nil)
	} else {
		l.wakeQueue(name.Queue, []string{name.Type})
	}
}
