package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// run is the state of Worker.Run: three goroutines that claim, report and send heartbeats, and one for each handler.
type run struct {
	w      *Worker
	values context.Context // Run's, without its end: parent of the handlers'

	claims    context.Context // of claims; ends when the worker drains
	endClaims context.CancelFunc
	work      context.Context // of reports and heartbeats; ends with the run
	endWork   context.CancelFunc
	loops     sync.WaitGroup

	toClaim  chan struct{} // there may be a place to claim for
	toReport chan struct{} // there is an outcome to report
	toBeat   chan struct{} // a heartbeat is wanted now
	over     chan struct{} // closed by end
	idle     chan struct{} // closed when draining and nothing is left to do

	mu         sync.Mutex
	leases     map[uint64]*lease // by lease id
	finished   []*lease          // outcomes to report
	running    int               // handlers that have not returned
	unreported int               // outcomes that nobody will learn of
	reserved   int               // free places that a claim under way may fill
	claiming   bool              // a claim is under way
	unsure     bool              // a claim's outcome is unknown: a heartbeat comes before the next
	rhythm     time.Duration     // between the heartbeats now
	draining   bool
	isIdle     bool
	fatal      error // why the worker may not work; set before over is closed
	ended      bool
}

func newRun(w *Worker, ctx context.Context) *run {
	r := &run{
		w: w, values: context.WithoutCancel(ctx), leases: make(map[uint64]*lease),
		toClaim: make(chan struct{}, 1), toReport: make(chan struct{}, 1), toBeat: make(chan struct{}, 1),
		over: make(chan struct{}), idle: make(chan struct{}),
	}
	r.claims, r.endClaims = context.WithCancel(r.values)
	r.work, r.endWork = context.WithCancel(r.values)
	return r
}

func (r *run) start() {
	r.loops.Add(3)
	go r.claim()
	go r.report()
	go r.beat()
}

// end has Run drain; why is nil if that is no error.
func (r *run) end(why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return
	}
	r.ended, r.fatal = true, why
	close(r.over)
}

// isFatal reports whether an error forbids this worker to go on: no later try would end otherwise.
func isFatal(err error) bool {
	for _, sentinel := range []error{
		task.ErrInvalid, task.ErrNotAllowed, task.ErrVersion, task.ErrHandshake, task.ErrUnknownType, client.ErrClosed,
		task.ErrUnauthenticated, task.ErrPermissionDenied,
	} {
		if errors.Is(err, sentinel) {
			return true
		}
	}
	return false
}

// request is the next claim, for at most n tasks.
func (r *run) request(n int) *task.ClaimRequest {
	cfg := &r.w.cfg
	req := &task.ClaimRequest{WorkerID: cfg.Name, Queues: cfg.Queues, Types: r.w.types(), Max: n, Wait: cfg.Wait,
		Lease: cfg.Lease}
	if req.Lease == 0 {
		req.Lease = max(task.DefaultLease, r.w.c.Welcome().MinLease)
	}
	return req
}

// free returns the number of places that are free, with mu held.
func (r *run) free() int { return max(0, r.w.cfg.Concurrency-len(r.leases)-r.reserved) }

// mayClaim reports whether a claim may be made now, with mu held.
func (r *run) mayClaim() bool { return !r.claiming && !r.unsure && !r.draining }

// pushed takes what the node or the client tells. The session has to be seen at another node before the broker gives it
// up, so the end of a connection is answered with a heartbeat.
func (r *run) pushed(p client.Push) {
	if p.Drain || p.Ended {
		poke(r.toBeat)
	}
	if p.End {
		r.end(nil)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cancelled(p.Cancelled)
}

// cancelled ends the handlers of tasks that someone asked to cancel, with mu held.
func (r *run) cancelled(ids []task.ID) {
	for _, id := range ids {
		for _, l := range r.leases {
			if l.task.ID == id && l.outcome == nil {
				l.cancel(ErrCancelled)
			}
		}
	}
}

// checkIdle is called with mu held. A claim under way may still bring leases, which have to be given back.
func (r *run) checkIdle() {
	if r.draining && len(r.leases) == 0 && !r.claiming && !r.isIdle {
		r.isIdle = true
		close(r.idle)
	}
}

// drain ends the run. The error says what was left undone.
func (r *run) drain() error {
	r.mu.Lock()
	r.draining = true
	r.checkIdle()
	r.mu.Unlock()
	r.endClaims()
	cfg := &r.w.cfg
	if !r.waitIdle(cfg.ShutdownTimeout) {
		r.stopHandlers()
		if !r.waitIdle(cfg.StopGrace) {
			r.leaveHandlers()
			r.waitIdle(cfg.StopGrace)
		}
	}
	r.endWork()
	r.loops.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	var left []error
	if r.running > 0 {
		left = append(left, fmt.Errorf("%d handlers did not return in time", r.running))
	}
	if n := len(r.leases) + r.unreported; n > 0 {
		left = append(left, fmt.Errorf("%w: %d reports were not acknowledged", task.ErrUnknownOutcome, n))
	}
	return errors.Join(left...)
}

func (r *run) waitIdle(limit time.Duration) bool {
	timer := time.NewTimer(max(0, limit))
	defer timer.Stop()
	select {
	case <-r.idle:
		return true
	case <-timer.C:
		return false
	}
}

// stopHandlers ends the contexts of the handlers that run.
func (r *run) stopHandlers() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.leases {
		l.cancel(ErrShutdown)
	}
}

// leaveHandlers returns the tasks of handlers that do not end.
func (r *run) leaveHandlers() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.leases {
		if l.outcome == nil {
			o := task.Outcome{ID: l.task.ID, LeaseID: l.task.LeaseID, Kind: task.Interrupted, Error: errorText(ErrShutdown)}
			r.settle(l, o)
		}
	}
}

// pause waits for a moment, the longer the more often something failed, unless ctx ends first.
func pause(ctx context.Context, failures int) {
	d := min(100*time.Millisecond<<min(failures, 6), 5*time.Second)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// isUnsure reports whether a claim that ended in err may have leased tasks.
func isUnsure(err error) bool {
	return err != nil && !wire.Retryable(err) && !errors.Is(err, task.ErrNoLeader)
}
