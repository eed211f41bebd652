package cluster

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/cron"
	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/task"
)

const (
	cronRest  = time.Minute           // at most this long without a look at the clock
	cronRetry = time.Second           // after a command was refused because the leader is busy or a disk full
	cronPause = 10 * time.Millisecond // at least this long between two rounds
	cronStep  = 1000                  // fires proposed at once, all schedules together
)

// agenda names the schedules whose next fire may have changed, for the duty that fires them.
type agenda struct {
	changed chan struct{}

	mu    sync.Mutex
	names map[string]struct{}
}

func newAgenda() *agenda {
	return &agenda{changed: make(chan struct{}, 1), names: make(map[string]struct{})}
}

func (a *agenda) tell(name string) {
	a.keep(name)
	poke(a.changed)
}

// keep is tell for the duty itself, which looks again when it has rested.
func (a *agenda) keep(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.names[name] = struct{}{}
}

func (a *agenda) take() map[string]struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	names := a.names
	a.names = make(map[string]struct{})
	return names
}

// fires are the next fires of all schedules, earliest first. One that was changed stays in the heap until it comes up.
type fires struct {
	next map[string]time.Time
	heap fireHeap
}

type nextFire struct {
	at   time.Time
	name string
}

type fireHeap []nextFire

func (h fireHeap) Len() int           { return len(h) }
func (h fireHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h fireHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *fireHeap) Push(x any)        { *h = append(*h, x.(nextFire)) }
func (h *fireHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

// set notes the next fire of a schedule; zero if it has none.
func (f *fires) set(name string, at time.Time) {
	if at.IsZero() {
		delete(f.next, name)
		return
	}
	if known, ok := f.next[name]; !ok || !known.Equal(at) {
		f.next[name] = at
		heap.Push(&f.heap, nextFire{at, name})
	}
}

// first returns the earliest fire.
func (f *fires) first() (nextFire, bool) {
	for len(f.heap) > 0 {
		if known, ok := f.next[f.heap[0].name]; ok && known.Equal(f.heap[0].at) {
			return f.heap[0], true
		}
		heap.Pop(&f.heap)
	}
	return nextFire{}, false
}

// due takes out up to cronStep schedules whose time has come.
func (f *fires) due(now time.Time) (names []string) {
	for len(names) < cronStep {
		next, ok := f.first()
		if !ok || next.at.After(now) {
			break
		}
		delete(f.next, next.name)
		names = append(names, next.name)
	}
	return names
}

// cron fires schedules when their time has come. It is the leader's duty.
func (l *leadership) cron(ctx context.Context) {
	f := &fires{next: make(map[string]time.Time)}
	loaded := false
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		rest := cronRest
		var err error
		if !loaded {
			err = fsm.EachSchedule(l.store, "", func(s *task.Schedule) bool {
				f.set(s.Name, s.Next)
				return true
			})
			loaded = err == nil
		}
		if loaded {
			rest, err = l.cronOnce(ctx, f)
		}
		if err != nil && ctx.Err() == nil {
			l.log.Error("fire schedules", "error", err)
			rest = cronRetry
		}
		timer.Reset(max(cronPause, rest))
		select {
		case <-ctx.Done():
			return
		case <-l.agenda.changed:
		case <-timer.C:
		}
	}
}

// cronOnce takes note of what changed, fires what is due, and returns how long to rest.
func (l *leadership) cronOnce(ctx context.Context, f *fires) (rest time.Duration, err error) {
	changed := l.agenda.take()
	for name := range changed {
		s, err := fsm.ScheduleState(l.store, name)
		if err != nil {
			for name := range changed {
				l.agenda.keep(name)
			}
			return 0, err
		}
		if s == nil {
			s = new(task.Schedule)
		}
		f.set(name, s.Next)
	}
	now := l.clock.Now()
	if names := f.due(now); len(names) > 0 {
		began := time.Now()
		backlog, ok := l.fireAll(ctx, names, now)
		switch {
		case !ok:
			return cronRetry, nil
		case backlog:
			return time.Since(began), nil
		}
		return 0, nil
	}
	if next, ok := f.first(); ok {
		return min(cronRest, next.at.Sub(now)), nil
	}
	return cronRest, nil
}

// fireAll fires schedules in one go and waits for it. Each of them is read again then. backlog says that one has more
// fires that are due; ok is false if something was refused that is to be tried again later.
func (l *leadership) fireAll(ctx context.Context, names []string, now time.Time) (backlog, ok bool) {
	defer func() {
		for _, name := range names {
			l.agenda.keep(name)
		}
	}()
	if l.full() != nil {
		return false, false
	}
	var batch []proposal
	answers := make(chan error, cronStep)
	ok = true
	for _, name := range names {
		commands, more, err := l.firesOf(name, now, max(1, cronStep/len(names)))
		if err != nil {
			l.log.Error("fire schedule", "name", name, "error", err)
			ok = false
			continue
		}
		backlog = backlog || more
		for _, c := range commands {
			p, err := l.proposal(c, func(r fsm.Result, err error) {
				l.tellRefused(c, &r, err)
				answers <- err
			})
			if err != nil {
				l.log.Error("fire schedule", "name", name, "error", err)
				ok = false
				break
			}
			batch = append(batch, p)
		}
	}
	l.proposer.add(batch...)
	for range batch {
		select {
		case err := <-answers:
			ok = ok && err == nil
		case <-ctx.Done():
			return false, false
		}
	}
	return backlog, ok
}

// tellRefused logs that the task of a fire was not taken; the schedule's record says it, too.
func (l *leadership) tellRefused(c *fsm.Fire, r *fsm.Result, err error) {
	if err == nil && len(r.Receipts) == 1 && r.Receipts[0].Err != nil {
		l.log.Warn("a schedule's task was refused", "name", c.Name, "fire", c.At, "error", r.Receipts[0].Err)
	}
}

// firesOf returns the commands that a schedule's fires up to now call for, at most limit, by its catch-up policy.
func (l *leadership) firesOf(name string, now time.Time, limit int) (commands []*fsm.Fire, more bool, err error) {
	s, err := fsm.ScheduleState(l.store, name)
	if err != nil || s == nil || s.Next.IsZero() {
		return nil, false, err
	}
	times, err := cron.Parse(s.Expression, s.Zone, s.Anchor)
	if err != nil {
		return nil, false, err
	}
	if s.CatchUp != task.CatchUpAll {
		if s.Next.After(now) {
			return nil, false, nil
		}
		until := now
		if !s.End.IsZero() && s.End.Before(now) {
			until = s.End
		}
		latest := times.Latest(s.Next, until)
		c := &fsm.Fire{Name: name, Version: s.Version, Due: s.Next, At: latest, Next: following(s, times, latest)}
		if s.CatchUp == task.CatchUpSkip && now.Sub(latest) > task.CatchUpGrace {
			c.At = time.Time{}
		}
		if !c.At.Equal(c.Due) {
			l.log.Warn("a schedule missed fires", "name", name, "first", s.Next, "last", latest, "fires", c.At)
		}
		return []*fsm.Fire{c}, false, nil
	}
	for due := s.Next; !due.IsZero() && !due.After(now); {
		if len(commands) == limit {
			return commands, true, nil
		}
		c := &fsm.Fire{Name: name, Version: s.Version, Due: due, At: due, Next: following(s, times, due)}
		commands = append(commands, c)
		due = c.Next
	}
	return commands, false, nil
}

// following returns the fire of a schedule that follows a moment; zero if there is none before its end.
func following(s *task.Schedule, times *cron.Times, after time.Time) time.Time {
	if s.Start.After(after) {
		after = s.Start.Add(-time.Microsecond)
	}
	next, ok := times.Next(after)
	if !ok || (!s.End.IsZero() && next.After(s.End)) {
		return time.Time{}
	}
	return next
}

// firstFire returns the next fire that a schedule gets at the moment at which it is made, changed or resumed; zero if
// there is none.
func firstFire(s *task.Schedule, now time.Time) (time.Time, error) {
	times, err := cron.Parse(s.Expression, s.Zone, s.Anchor)
	if err != nil {
		return time.Time{}, err
	}
	return following(s, times, now), nil
}
