package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// Claim leases ready tasks to a session, and waits up to req.Wait for the first one. Tasks come with their payload.
// When ctx ends while the claim is on its way, what it leased is given back.
func (n *Node) Claim(ctx context.Context, req task.ClaimRequest) ([]*task.Task, error) {
	if err := n.checkClaim(&req); err != nil {
		return nil, err
	}
	l, err := n.leading()
	if err != nil {
		return nil, err
	}
	w, err := l.waiters.join(req)
	if err != nil {
		return nil, err
	}
	if !n.sessions.claims(&req) { // asked after joining: DrainWorker sets the flag, then dismisses who has joined
		l.waiters.leave(w)
		return nil, hold(ctx, req.Wait)
	}
	if l.mayFind(&req) {
		l.tryClaim(w)
	}
	return n.await(ctx, l, w)
}

func (n *Node) checkClaim(req *task.ClaimRequest) error {
	if err := req.Validate(); err != nil {
		return err
	}
	if minimum := n.MinLease(); req.Lease < minimum {
		return fmt.Errorf("%w: lease %s is below %s, three election timeouts", task.ErrInvalid, req.Lease, minimum)
	}
	return nil
}

// hold is the answer to a session that is to end: nothing, after the wait, so that one that does not listen does not ask
// ever faster.
func hold(ctx context.Context, wait time.Duration) error {
	over := time.NewTimer(wait)
	defer over.Stop()
	select {
	case <-over.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// await waits for the end of w's claim.
func (n *Node) await(ctx context.Context, l *leadership, w *waiter) ([]*task.Task, error) {
	deadline := time.NewTimer(w.request.Wait)
	defer deadline.Stop()
	var c claimed
	select {
	case c = <-w.answer:
	case <-deadline.C:
		if l.waiters.leave(w) {
			return nil, nil
		}
		c = <-w.answer
	case <-ctx.Done():
		if l.waiters.leave(w) {
			return nil, ctx.Err()
		}
		c = <-w.answer
	}
	if c.err == nil && ctx.Err() != nil {
		l.giveBack(c.tasks)
		return nil, ctx.Err()
	}
	if c.err == nil {
		c.err = n.fill(c.tasks)
	}
	n.traceClaims(c.tasks, c.begin)
	return c.tasks, c.err
}

// fill loads the payloads that are not in the records. The tasks came out of apply and are shared: they are replaced.
func (n *Node) fill(tasks []*task.Task) error {
	for i, t := range tasks {
		if t.Payload != nil || t.PayloadSize == 0 {
			continue
		}
		tasks[i] = t.Clone()
		if err := n.store.Fill(tasks[i]); err != nil {
			return fmt.Errorf("payload of task %s: %w", t.ID, err)
		}
	}
	return nil
}

// tryClaim proposes the claim of an idle waiter.
func (l *leadership) tryClaim(w *waiter) {
	if !l.waiters.try(w) {
		return
	}
	l.propose(w)
}

// claimFor makes the proposal of a waiter that is marked as trying.
func (l *leadership) claimFor(w *waiter) (proposal, error) {
	req, begin := &w.request, l.leases.trace.Now()
	return l.proposal(&fsm.Claim{Session: req.Session, WorkerID: req.WorkerID, Queues: req.Queues, Types: req.Types, Max: req.Max, Lease: req.Lease},
		func(r fsm.Result, err error) { l.claimEnded(w, begin, r, err) })
}

// claimEnded answers a waiter, or lets it go on waiting when it found nothing. What became ready while it tried is
// looked for again, since nobody else was woken for it. begin is when it was proposed, for who traces it.
func (l *leadership) claimEnded(w *waiter, begin time.Time, r fsm.Result, err error) {
	if err == nil {
		err = r.Err
	}
	if err != nil || len(r.Tasks) > 0 || w.request.Wait == 0 {
		l.waiters.finish(w, claimed{r.Tasks, err, begin})
		return
	}
	l.waiters.idle(w)
	if l.mayFind(&w.request) {
		l.tryClaim(w)
	}
}

// mayFind reports whether a claim is worth a try.
func (l *leadership) mayFind(req *task.ClaimRequest) bool {
	if l.paused.Load() || !l.store.HasReady(req.Queues, req.Types) {
		return false
	}
	if !l.fsm.Gated() {
		return true
	}
	now := l.clock.Now()
	for _, queue := range req.Queues {
		for _, c := range l.store.Ready(queue, req.Types) {
			if l.room(c.Pair, now) > 0 {
				return true
			}
		}
	}
	return false
}

// wake lets waiting claims try for tasks that became claimable.
func (l *leadership) wake(claimable []store.Claimable) {
	if l.paused.Load() {
		return
	}
	now := l.clock.Now()
	for _, c := range claimable {
		for _, w := range l.waiters.pick(c.Pair, l.open(c, now)) {
			l.propose(w)
		}
	}
}

// propose sends the claim of a waiter that is marked as trying.
func (l *leadership) propose(w *waiter) {
	p, err := l.claimFor(w)
	if err != nil {
		l.waiters.finish(w, claimed{err: err})
		return
	}
	l.proposer.add(p)
}

// attach adds to an entry the waiting claims that its submits will satisfy: a waiting worker has its task after one
// commit.
func (l *leadership) attach(batch []proposal) []proposal {
	if l.paused.Load() {
		return nil
	}
	ready := make(map[store.Pair]int)
	var order []store.Pair
	for i := range batch {
		submit, ok := batch[i].command.(*fsm.Submit)
		if !ok {
			continue
		}
		for j := range submit.Specs {
			s := &submit.Specs[j]
			if s.Delay > 0 || !s.ScheduledAt.IsZero() || len(s.Dependencies) > 0 {
				continue
			}
			pair := store.Pair{Queue: s.Queue, Type: s.Type}
			if pair.Queue == "" {
				pair.Queue = task.DefaultQueue
			}
			if ready[pair]++; ready[pair] == 1 {
				order = append(order, pair)
			}
		}
	}
	var more []proposal
	now := l.clock.Now()
	for _, pair := range order {
		for _, w := range l.waiters.pick(pair, l.open(store.Claimable{Pair: pair, Count: ready[pair]}, now)) {
			p, err := l.claimFor(w)
			if err != nil {
				l.waiters.finish(w, claimed{err: err})
				continue
			}
			more = append(more, p)
		}
	}
	return more
}

// giveBack releases leases that nobody will work on.
func (l *leadership) giveBack(tasks []*task.Task) {
	ended := make([]fsm.Ended, len(tasks))
	for i, t := range tasks {
		ended[i] = fsm.Ended{ID: t.ID, LeaseID: t.LeaseID, Kind: task.LeaseUnheard}
	}
	l.release(ended)
}
