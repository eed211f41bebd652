package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// warmUp takes some tasks through their life, numbered before the measured ones, so that connections are open and code
// is loaded.
func (t *trial) warmUp(ctx context.Context) error {
	p := t.Params
	p.Tasks, p.Rate, p.Limit = warmTasks, 0, min(p.Limit, settleLimit)
	warm := newTracker(0, p.Tasks)
	if t.setup.EnqueueOnly {
		return produce(ctx, t.producers, warm, p)
	}
	stop, err := t.driver.StartWorkers(ctx, p.Workers, warm)
	if err != nil {
		return err
	}
	if err = produce(ctx, t.producers, warm, p); err == nil {
		err = wait(ctx, warm, p.Limit)
	}
	return errors.Join(err, stop())
}

// produce submits all tasks of the phase from all producers.
func produce(ctx context.Context, producers []Producer, t *Tracker, p Params) error {
	ctx, cancel := context.WithTimeout(ctx, p.Limit)
	defer cancel()
	var (
		wg    sync.WaitGroup
		next  atomic.Int64
		once  sync.Once
		first error
	)
	for _, pr := range producers {
		wg.Go(func() {
			for {
				lo := int(next.Add(int64(p.Batch))) - p.Batch
				if lo >= p.Tasks {
					return
				}
				if p.Rate > 0 {
					due := t.start.Add(time.Duration(lo) * time.Second / time.Duration(p.Rate))
					time.Sleep(time.Until(due)) // the rate of the work is what is asked for
				}
				if err := submit(ctx, pr, t, lo, min(lo+p.Batch, p.Tasks), p.Batch > 1); err != nil {
					once.Do(func() { first = fmt.Errorf("submit: %w", err) })
					cancel()
					return
				}
			}
		})
	}
	wg.Wait()
	return first
}

// submit enqueues the tasks lo to hi in one call.
func submit(ctx context.Context, pr Producer, t *Tracker, lo, hi int, batch bool) error {
	payloads := make([][]byte, 0, hi-lo)
	for i := lo; i < hi; i++ {
		payloads = append(payloads, t.payload(i))
	}
	now := t.now()
	for i := lo; i < hi; i++ {
		t.tasks[i].submit.Store(now)
	}
	var err error
	if batch {
		err = pr.SubmitBatch(ctx, payloads)
	} else {
		err = pr.Submit(ctx, payloads[0])
	}
	t.submitted(time.Duration(t.now() - now))
	return err
}

func wait(ctx context.Context, t *Tracker, limit time.Duration) error {
	select {
	case <-t.done:
		return nil
	case err := <-t.failed:
		return fmt.Errorf("worker: %w", err)
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(limit):
		return fmt.Errorf("%d of %d tasks acknowledged after %v", t.acked.Load(), len(t.tasks), limit)
	}
}
