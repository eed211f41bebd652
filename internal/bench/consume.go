package bench

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

// claimWait is how long an idle worker's claim waits, as that of package worker.
const claimWait = 30 * time.Second

// consuming is one part's workers.
type consuming struct {
	crew    *crew
	claim   task.ClaimRequest
	tracker *tracker
	acks    []*histogram // by connection: from a task's arrival to its acknowledgement
	arrived []*histogram // by connection: from the begin of a task's submit to its arrival

	end  context.CancelCauseFunc
	over context.Context // ended by stop, or by a worker that cannot go on
	all  sync.WaitGroup
}

// start starts the workers.
func (w *consuming) start(ctx context.Context) {
	w.acks, w.arrived = w.crew.histograms(), w.crew.histograms()
	w.over, w.end = context.WithCancelCause(ctx)
	for i := range w.crew.size {
		w.all.Go(func() {
			if err := w.work(i); err != nil && w.over.Err() == nil {
				w.end(fmt.Errorf("worker: %w", err))
			}
		})
	}
}

// stop ends the workers. Claims that wait are given up.
func (w *consuming) stop() {
	w.end(nil)
	w.all.Wait()
}

// wait returns when the tracker is complete, or with why a worker or ctx ended.
func (w *consuming) wait(ctx context.Context) error {
	select {
	case <-w.tracker.complete:
		return nil
	case <-w.over.Done():
		return context.Cause(w.over)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// work is one worker: it waits for tasks, and while it is given more with its reports it goes on with those.
func (w *consuming) work(i int) error {
	place := w.crew.place(i)
	c := w.crew.clients[place]
	waiting := w.claim
	waiting.WorkerID = fmt.Sprintf("bench/%d", i+1)
	next := waiting
	waiting.Wait = claimWait
	for {
		tasks, err := c.Claim(w.over, waiting)
		for err == nil && len(tasks) > 0 {
			tasks, err = w.finish(c, place, tasks, &next)
		}
		if err != nil {
			return err
		}
	}
}

// finish reports tasks as done the moment they have come, and returns what it was given in return.
func (w *consuming) finish(c *client.Client, place int, tasks []*task.Task, next *task.ClaimRequest) ([]*task.Task, error) {
	came := w.tracker.now()
	outcomes := make([]task.Outcome, len(tasks))
	for i, got := range tasks {
		if took := w.tracker.claimed(got, came); took > 0 {
			w.arrived[place].record(took)
		}
		outcomes[i] = task.Outcome{ID: got.ID, LeaseID: got.LeaseID, Kind: task.Success}
	}
	receipts, more, err := c.Finish(w.over, outcomes, next)
	answered := w.tracker.now()
	for i := range receipts {
		w.acks[place].record(time.Duration(answered - came))
		w.tracker.reported(&receipts[i], answered)
	}
	return more, err
}
