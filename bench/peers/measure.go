package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/haiku-queue/haiku/bench/proc"
)

const (
	warmTasks    = 1000
	startLimit   = 90 * time.Second
	calmDown     = 500 * time.Millisecond // between warm-up and measurement
	settleLimit  = 20 * time.Second
	keepVariable = "PEERS_KEEP" // in the environment: a failed run leaves its folder
)

// trial is one run under way.
type trial struct {
	job
	Params
	driver    Driver
	dir       string
	producers []Producer
	tracker   *Tracker
	stop      func() error // ends the workers, if there are any
	result    *Result
}

// measure starts the servers of a job, does the work once and stops everything.
func measure(ctx context.Context, j job, p Params, e Env, base string) (r Result) {
	r = Result{
		Time: time.Now().Format(time.RFC3339), System: j.sys.Name, Setup: j.setup.Name, Work: j.work,
		Tasks: p.Tasks, Producers: p.Producers, Workers: p.Workers, Batch: p.Batch,
	}
	if j.setup.EnqueueOnly {
		r.Workers = 0
	}
	dir, err := os.MkdirTemp(base, "peers-")
	if err == nil {
		err = os.Chmod(dir, 0o755) // PostgreSQL's user has to get in
	}
	if err != nil {
		r.Error = err.Error()
		return r
	}
	defer func() {
		if r.Error != "" && os.Getenv(keepVariable) != "" {
			fmt.Fprintln(os.Stderr, "kept", dir)
			return
		}
		_ = os.RemoveAll(dir) // what stays is only in the way
		syscall.Sync()        // no run pays for another's writes
	}()
	d := j.setup.New(e)
	defer func() {
		d.Close()
		for _, one := range d.Procs() {
			one.Stop()
		}
	}()
	starting, cancel := context.WithTimeout(ctx, startLimit)
	err = d.Start(starting, dir)
	cancel()
	if err == nil {
		t := &trial{job: j, Params: p, driver: d, dir: dir, result: &r}
		err = t.run(ctx)
	}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

// run does the work.
func (t *trial) run(ctx context.Context) error {
	t.producers = make([]Producer, t.Producers)
	for i := range t.producers {
		var err error
		if t.producers[i], err = t.driver.Producer(ctx, i); err != nil {
			return fmt.Errorf("producer: %w", err)
		}
	}
	if err := t.warmUp(ctx); err != nil {
		return fmt.Errorf("warm-up: %w", err)
	}
	time.Sleep(calmDown) // what the warm-up left to do in the servers is no part of the work
	ended, err := t.work(ctx)
	if err != nil {
		return err
	}
	if k := t.tracker.strange.Load(); k > 0 {
		return fmt.Errorf("%d payloads received that were not sent in this phase", k)
	}
	if !t.setup.EnqueueOnly {
		err = t.settle(ctx)
		t.result.SettleS = round(time.Since(ended).Seconds(), 2)
	}
	if checker, ok := t.driver.(Checker); ok && err == nil {
		err = checker.Check(ctx)
	}
	return err
}

// work is the measured part; it ends with the last acknowledgement.
func (t *trial) work(ctx context.Context) (ended time.Time, err error) {
	backlog, workers := t.job.work == workBacklog, !t.setup.EnqueueOnly
	peak := watchMemory(t.driver.Procs())
	t.tracker = newTracker(warmTasks, t.Tasks)
	if workers && !backlog {
		if err := t.startWorkers(ctx); err != nil {
			return ended, fmt.Errorf("workers: %w", err)
		}
	}
	t.tracker.start = time.Now()
	before := proc.ReadUsage(t.driver.Procs(), t.dir)
	err = produce(ctx, t.producers, t.tracker, t.Params)
	filled := time.Now()
	if err == nil && workers && backlog {
		err = t.startWorkers(ctx)
	}
	if err == nil && workers {
		err = wait(ctx, t.tracker, t.Limit)
	}
	ended = time.Now()
	used := proc.ReadUsage(t.driver.Procs(), t.dir).Sub(before)
	t.result.ServerPeakMiB = round(float64(peak())/(1<<20), 0)
	if t.stop != nil {
		err = errors.Join(err, t.stop())
	}
	t.note(filled, ended, used)
	return ended, err
}

func (t *trial) startWorkers(ctx context.Context) (err error) {
	t.stop, err = t.driver.StartWorkers(ctx, t.Workers, t.tracker)
	return err
}

// note puts what was measured into the result.
func (t *trial) note(filled, ended time.Time, u proc.Usage) {
	r, n := t.result, float64(t.Tasks)
	enqueue, life := filled.Sub(t.tracker.start), ended.Sub(t.tracker.start)
	r.EnqueueS = round(enqueue.Seconds(), 3)
	r.EnqueuePerS = round(n/enqueue.Seconds(), 0)
	if !t.setup.EnqueueOnly {
		r.LifecycleS = round(life.Seconds(), 3)
		r.LifecyclePerS = round(n/life.Seconds(), 0)
		if t.job.work == workBacklog {
			r.DrainPerS = round(n/ended.Sub(filled).Seconds(), 0)
		}
	}
	slices.Sort(t.tracker.submit)
	r.SubmitP50, r.SubmitP99 = quantile(t.tracker.submit, 0.5), quantile(t.tracker.submit, 0.99)
	acks, e2e := t.tracker.ackLatencies(), t.tracker.endToEnd()
	r.AckP50, r.AckP99 = quantile(acks, 0.5), quantile(acks, 0.99)
	r.E2EP50, r.E2EP99 = quantile(e2e, 0.5), quantile(e2e, 0.99)
	r.ServerCPUS = round(u.Servers.Seconds(), 2)
	r.ServerCPUPerTask = round(float64(u.Servers.Microseconds())/n, 1)
	r.DriverCPUPerTask = round(float64(u.Driver.Microseconds())/n, 1)
	r.OtherCPUS = round((u.Machine - u.Servers - u.Driver).Seconds(), 2)
	r.BusyCores = round(u.Machine.Seconds()/life.Seconds(), 2)
	r.FlushesPerTask = round(float64(u.Flushes)/n, 3)
	r.DiskBytesPerTask = round(float64(u.Written)/n, 0)
	r.Again = t.tracker.again.Load()
}

// settle waits until the servers agree that all is done.
func (t *trial) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	return proc.Retry(ctx, "emptying the queue", func() error {
		left, err := t.driver.Left(ctx)
		if t.result.Left = left; err == nil && left > 0 {
			err = fmt.Errorf("%d tasks left", left)
		}
		return err
	})
}
