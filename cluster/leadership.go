package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/internal/trace"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// leadership is all that a node has and does only while it leads, in one term. It is made anew for each term, so
// nothing of an earlier one can reach the log: its commands carry the old term and are not applied.
type leadership struct {
	term       uint64
	observer   Observer
	store      *store.Store
	fsm        *fsm.FSM
	log        *slog.Logger
	clock      *clock
	proposer   *proposer
	verifier   *verifier
	waiters    *waiters
	leases     *leases
	sessions   *sessions
	due        *alarm        // a task is due sooner than the promoter knows
	expiry     *alarm        // a task expires sooner than is known
	work       chan struct{} // a command left work for a step
	operations chan struct{} // an operation was started
	agenda     *agenda       // schedules that changed
	full       func() error  // why no submit is taken now; nil if it is
	paused     atomic.Bool   // claims get nothing: those that wait do not try
	throttle   *throttle
	dedup      time.Duration
	settings   sync.Mutex // held while settings are compared and changed

	ctx    context.Context // ends with the leadership
	cancel context.CancelFunc
	duties sync.WaitGroup
}

// lead takes over after Raft has won an election: it waits until everything of earlier terms is applied, arms every
// lease for its whole duration, and starts the duties. ctx ends the attempt.
func (n *Node) lead(ctx context.Context) (*leadership, error) {
	if err := await(ctx, n.raft.Barrier(0)); err != nil {
		return nil, fmt.Errorf("barrier: %w", err)
	}
	l := &leadership{
		term: n.raft.CurrentTerm(), observer: n.cfg.Observer, store: n.store, fsm: n.fsm, throttle: newThrottle(), log: n.log, waiters: newWaiters(), leases: newLeases(n.MinLease()/6, n.cfg.Trace),
		sessions: n.sessions, due: newAlarm(), expiry: newAlarm(), work: make(chan struct{}, 1), dedup: n.cfg.DedupWindow,
		agenda: newAgenda(), full: n.refusal, operations: make(chan struct{}, 1),
	}
	replicated, err := n.store.Time()
	if err != nil {
		return nil, fmt.Errorf("read the replicated time: %w", err)
	}
	l.clock = newClock(time.Now, replicated)
	now, leaderNow := time.Now(), l.clock.Now()
	if err := n.store.EachInProgress(func(t *task.Task) error {
		l.leases.grant(t, now, leaderNow)
		return nil
	}); err != nil {
		return nil, fmt.Errorf("arm leases: %w", err)
	}
	paused, err := fsm.DispatchPaused(n.store)
	if err != nil {
		return nil, fmt.Errorf("read whether dispatch is paused: %w", err)
	}
	l.paused.Store(paused)
	l.ctx, l.cancel = context.WithCancel(ctx)
	l.proposer = newProposer(n.raft, l.term, l.clock, l.attach)
	l.verifier = newVerifier(l.ctx, n, l.term)
	for _, duty := range []func(context.Context){l.sweep, l.promote, l.expire, l.step, l.reap, l.pace, l.cron, l.operate} {
		l.duties.Go(func() { duty(l.ctx) })
	}
	return l, nil
}

// abandon answers all who wait, without waiting for Raft or for what is being applied.
func (l *leadership) abandon() {
	l.cancel()
	l.waiters.close(task.ErrNotLeader)
	l.proposer.abandon()
}

// close ends the leadership: whoever waits is told, duties stop, what is under way is answered.
func (l *leadership) close() {
	l.cancel()
	l.waiters.close(task.ErrNotLeader)
	l.proposer.close()
	l.verifier.close()
	l.duties.Wait()
}

// proposal encodes a command. done gets its Result after the leader's own bookkeeping has seen it.
func (l *leadership) proposal(c fsm.Command, done func(fsm.Result, error)) (proposal, error) {
	encoded, err := fsm.Encode(c)
	if err != nil {
		return proposal{}, err
	}
	begun := time.Now()
	return proposal{command: c, encoded: encoded, done: func(r fsm.Result, err error) {
		if err == nil {
			l.observer.Proposed(time.Since(begun))
			l.observe(c, &r)
		}
		done(r, err)
	}}, nil
}

// do proposes a command and waits for its Result. When ctx ends first, the outcome is unknown.
func (l *leadership) do(ctx context.Context, c fsm.Command) (fsm.Result, error) {
	type answer struct {
		result fsm.Result
		err    error
	}
	answers := make(chan answer, 1)
	p, err := l.proposal(c, func(r fsm.Result, err error) { answers <- answer{r, err} })
	if err != nil {
		return fsm.Result{}, err
	}
	request := trace.From(ctx)
	p.passage = passageOf(request)
	l.proposer.add(p)
	select {
	case a := <-answers:
		p.passage.tell(request, a.err)
		return a.result, a.err
	case <-ctx.Done():
		return fsm.Result{}, fmt.Errorf("%w: %w", task.ErrUnknownOutcome, ctx.Err())
	}
}

// observe keeps the leader's memory in step with what was applied: leases, due times and work left.
func (l *leadership) observe(c fsm.Command, r *fsm.Result) {
	switch c := c.(type) {
	case *fsm.Submit:
		l.expect(c.Specs)
	case *fsm.Claim:
		now, leaderNow := time.Now(), l.clock.Now()
		for _, t := range r.Tasks {
			l.leases.grant(t, now, leaderNow)
		}
	case *fsm.Finish:
		for i, receipt := range r.Receipts {
			if receipt.Err == nil {
				l.expect(c.Outcomes[i].Submit)
				l.leases.end(receipt.ID, c.Outcomes[i].LeaseID)
				if c.Outcomes[i].Kind == task.Failure || c.Outcomes[i].Kind == task.Snooze {
					l.due.tell(l.clock.Now().Add(c.Delays[i]))
				}
			}
		}
	case *fsm.Release:
		for i := range c.Ended {
			l.leases.end(c.Ended[i].ID, c.Ended[i].LeaseID)
			if c.Ended[i].Kind == task.TimedOut {
				l.due.tell(l.clock.Now().Add(c.Ended[i].Delay))
			}
			if c.Ended[i].Kind == task.LeaseUnheard {
				l.expiry.tell(l.clock.Now()) // it was never started and may expire after all
			}
		}
	case *fsm.Requeue:
		for _, moved := range r.Moved {
			l.leases.end(moved.ID, moved.LeaseID)
		}
	case *fsm.Cancel:
		l.pushCancels(r.Receipts)
	case *fsm.SetDispatch:
		l.dispatchSet(c.Paused)
	case *fsm.SetQueue:
		l.wakeNamed(store.Pair{Queue: c.Change.Queue, Type: c.Change.Type})
	case *fsm.SetSchedule:
		l.agenda.tell(c.Schedule.Name)
	case *fsm.RemoveSchedule:
		l.agenda.tell(c.Name)
	case *fsm.Fire:
		l.agenda.tell(c.Name)
		l.expiry.tell(l.clock.Now()) // its task may expire
	case *fsm.StartOperation:
		poke(l.operations)
	case *fsm.StepOperation:
		if c.Action == task.ActionCancel {
			l.pushCancels(r.Receipts)
		}
		l.expectRearmed(r)
	case *fsm.Retry, *fsm.Step:
		l.expectRearmed(r)
	}
	if r.More {
		poke(l.work)
	}
}

// expectRearmed has the duties look for tasks that wait again, for they may be scheduled, and may expire.
func (l *leadership) expectRearmed(r *fsm.Result) {
	if r.Count > 0 {
		l.due.tell(l.clock.Now())
		l.expiry.tell(l.clock.Now())
	}
}

// expect tells the duties of the tasks that a submit scheduled for later, and of those that expire.
func (l *leadership) expect(specs []task.Spec) {
	for i := range specs {
		switch s := &specs[i]; {
		case s.Delay > 0:
			l.due.tell(l.clock.Now().Add(s.Delay))
		case !s.ScheduledAt.IsZero():
			l.due.tell(s.ScheduledAt)
		}
		switch s := &specs[i]; {
		case s.ExpiresIn > 0:
			l.expiry.tell(l.clock.Now().Add(s.ExpiresIn))
		case !s.ExpiresAt.IsZero():
			l.expiry.tell(s.ExpiresAt)
		}
	}
}

// pushCancels asks the workers of running tasks to stop them.
func (l *leadership) pushCancels(receipts []task.Receipt) {
	now := time.Now()
	running := make(map[task.SessionID][]task.ID)
	for _, receipt := range receipts {
		if receipt.Err != nil {
			continue
		}
		if session, ok := l.leases.cancel(receipt.ID, now); ok {
			running[session] = append(running[session], receipt.ID)
		}
	}
	for session, ids := range running {
		l.sessions.push(session, ids)
	}
}
