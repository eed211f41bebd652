package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// Submit adds tasks and returns one receipt for each spec, in order. Specs that break a rule of their own get a receipt
// with the error; in an atomic batch the first of them refuses all. The tasks are on the disks of a majority when it
// returns.
func (n *Node) Submit(ctx context.Context, specs []task.Spec, atomic bool) ([]task.Receipt, error) {
	begun := time.Now()
	if err := checkCount("tasks", len(specs)); err != nil {
		return nil, err
	}
	parents := 0
	for i := range specs {
		parents += len(specs[i].Dependencies)
	}
	if parents > task.MaxBatchParents {
		return nil, fmt.Errorf("%w: %d dependencies in one request, at most %d are allowed", task.ErrTooLarge, parents, task.MaxBatchParents)
	}
	l, err := n.leading()
	if err == nil {
		err = n.refusal()
	}
	if err != nil {
		return nil, err
	}
	receipts := make([]task.Receipt, len(specs))
	c := &fsm.Submit{
		Atomic: atomic, DedupWindow: n.cfg.DedupWindow, Specs: make([]task.Spec, 0, len(specs)), Hashes: make([][16]byte, 0, len(specs)),
	}
	places := make([]int, 0, len(specs))
	for i := range specs {
		receipts[i].ID = specs[i].ID
		if receipts[i].Err = specs[i].Validate(); receipts[i].Err != nil {
			if atomic {
				return abort(receipts, i), nil
			}
			continue
		}
		c.Specs = append(c.Specs, specs[i])
		c.Hashes = append(c.Hashes, specs[i].ContentHash())
		places = append(places, i)
	}
	if len(places) == 0 {
		return receipts, nil
	}
	r, err := l.do(ctx, c)
	if err != nil {
		return nil, err
	}
	for i, place := range places {
		receipts[place] = r.Receipts[i]
	}
	n.cfg.Observer.Submitted(time.Since(begun))
	return receipts, nil
}

// abort is the answer to an atomic batch whose item bad breaks a rule.
func abort(receipts []task.Receipt, bad int) []task.Receipt {
	for i := range receipts {
		if i != bad {
			receipts[i].Err = task.ErrAborted
		}
	}
	return receipts
}

// Finish reports outcomes, one receipt each, and makes the next claim if there is one: that claim never waits, so the
// receipts come without delay. An error together with receipts is the claim's.
func (n *Node) Finish(ctx context.Context, session task.SessionID, outcomes []task.Outcome, next *task.ClaimRequest) ([]task.Receipt, []*task.Task, error) {
	if err := checkCount("outcomes", len(outcomes)); err != nil {
		return nil, nil, err
	}
	l, err := n.leading()
	if err != nil {
		return nil, nil, err
	}
	if err := checkFollowUps(outcomes); err != nil {
		return nil, nil, err
	}
	c, receipts, places, err := n.finishCommand(l, outcomes)
	if err != nil {
		return nil, nil, err
	}
	traced, begin := n.traced(l, outcomes), n.cfg.Trace.Now()
	finished := make(chan finishAnswer, 1)
	var batch []proposal
	if len(places) > 0 {
		p, err := l.proposal(c, func(r fsm.Result, err error) { finished <- finishAnswer{r, err} })
		if err != nil {
			return nil, nil, err
		}
		batch = append(batch, p)
	}
	w, claimErr := n.nextClaim(l, next, &batch)
	l.proposer.add(batch...)
	var tasks []*task.Task
	if len(places) > 0 {
		select {
		case a := <-finished:
			if a.err != nil {
				return nil, nil, a.err
			}
			for i, place := range places {
				receipts[place] = a.result.Receipts[i]
			}
			traceFinish(traced, receipts, begin)
		case <-ctx.Done():
			if w != nil {
				_, _ = n.await(ctx, l, w)
			}
			return nil, nil, fmt.Errorf("%w: %w", task.ErrUnknownOutcome, ctx.Err())
		}
	}
	if w != nil {
		tasks, claimErr = n.await(ctx, l, w)
	}
	return receipts, tasks, claimErr
}

// finishAnswer is the end of a Finish command.
type finishAnswer struct {
	result fsm.Result
	err    error
}

// nextClaim puts a worker's next claim into the same batch as its outcomes, if there is anything to claim.
func (n *Node) nextClaim(l *leadership, next *task.ClaimRequest, batch *[]proposal) (*waiter, error) {
	if next == nil {
		return nil, nil
	}
	req := *next
	req.Wait = 0
	if err := n.checkClaim(&req); err != nil {
		return nil, err
	}
	if !n.sessions.claims(&req) || !l.mayFind(&req) { // what the outcomes themselves set free goes to claims that wait
		return nil, nil
	}
	w, err := l.waiters.join(req)
	if err != nil {
		return nil, err
	}
	if !l.waiters.try(w) {
		return w, nil // the line was closed: the answer is there already
	}
	p, err := l.claimFor(w)
	if err != nil {
		l.waiters.finish(w, claimed{err: err})
		return w, nil
	}
	*batch = append(*batch, p)
	return w, nil
}

// finishCommand checks outcomes and draws the delays of retries. places says where each outcome of the command stands in
// receipts; those that break a rule have their error there already.
func (n *Node) finishCommand(l *leadership, outcomes []task.Outcome) (c *fsm.Finish, receipts []task.Receipt, places []int, err error) {
	c = &fsm.Finish{DedupWindow: n.cfg.DedupWindow}
	receipts = make([]task.Receipt, len(outcomes))
	for i := range outcomes {
		o := &outcomes[i]
		receipts[i].ID = o.ID
		if receipts[i].Err = o.Validate(); receipts[i].Err != nil {
			continue
		}
		delay := o.RetryAfter
		if o.Kind == task.Failure && delay == 0 {
			t, err := n.store.Task(o.ID, false)
			if err != nil {
				return nil, nil, nil, fmt.Errorf("read task %s: %w", o.ID, err)
			}
			if t != nil {
				delay = t.Backoff.Delay(t.RetryCount+1, rand.Float64())
			}
		}
		c.Outcomes, c.Delays = append(c.Outcomes, *o), append(c.Delays, delay)
		c.Outcomes[len(places)].Progress = l.leases.progress(o.ID, o.LeaseID)
		c.Hashes = append(c.Hashes, hashesOf(o.Submit))
		places = append(places, i)
	}
	return c, receipts, places, nil
}

// checkFollowUps bounds what one report submits, and with it how many tasks its command touches.
func checkFollowUps(outcomes []task.Outcome) error {
	tasks, parents := len(outcomes), 0
	for i := range outcomes {
		tasks += len(outcomes[i].Submit)
		for j := range outcomes[i].Submit {
			parents += len(outcomes[i].Submit[j].Dependencies)
		}
	}
	if tasks > task.MaxItems {
		return fmt.Errorf("%w: %d outcomes and submitted tasks in one request, at most %d are allowed", task.ErrTooLarge, tasks, task.MaxItems)
	}
	if parents > task.MaxBatchParents {
		return fmt.Errorf("%w: %d dependencies in one request, at most %d are allowed", task.ErrTooLarge, parents, task.MaxBatchParents)
	}
	return nil
}

func hashesOf(specs []task.Spec) [][16]byte {
	if len(specs) == 0 {
		return nil
	}
	hashes := make([][16]byte, len(specs))
	for i := range specs {
		hashes[i] = specs[i].ContentHash()
	}
	return hashes
}

// Heartbeat renews the leases that a session lists. It is confirmed only after a majority has confirmed the leader.
func (n *Node) Heartbeat(ctx context.Context, hb task.Heartbeat) (task.HeartbeatReply, error) {
	if hb.Session.IsZero() {
		return task.HeartbeatReply{}, fmt.Errorf("%w: a heartbeat needs a session id in the Hello", task.ErrInvalid)
	}
	l, err := n.leading()
	if err != nil {
		return task.HeartbeatReply{}, err
	}
	came := time.Now()
	if err := l.verifier.verify(ctx); err != nil {
		return task.HeartbeatReply{}, err
	}
	reply, unheard := l.leases.renew(hb, came)
	l.release(unheard)
	reply.Drain = n.sessions.beats(hb.Session, l.leases.worker(hb.Session), came)
	return reply, nil
}

// Cancel cancels waiting tasks at once and asks running ones to stop; one receipt each.
func (n *Node) Cancel(ctx context.Context, ids []task.ID) ([]task.Receipt, error) {
	if err := checkCount("ids", len(ids)); err != nil {
		return nil, err
	}
	l, err := n.leading()
	if err != nil {
		return nil, err
	}
	r, err := l.do(ctx, &fsm.Cancel{IDs: ids})
	return r.Receipts, err
}

// OpenSession notes a worker's connection; push sends to it. The returned function takes it back.
func (n *Node) OpenSession(id task.SessionID, from member.Origin, push func(cancelled []task.ID, end bool)) func() {
	return n.sessions.add(id, from, push)
}

// MinLease is the shortest lease that can be claimed: three election timeouts, so that a failover never ends one.
func (n *Node) MinLease() time.Duration { return 3 * n.cfg.ElectionTimeout }

func checkCount(what string, count int) error {
	if count < 1 || count > task.MaxItems {
		return fmt.Errorf("%w: %d %s in one request; 1 to %d are allowed", task.ErrInvalid, count, what, task.MaxItems)
	}
	return nil
}
