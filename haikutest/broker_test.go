package haikutest

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func submit(t *testing.T, c *client.Client, typ string, opts ...client.Option) task.ID {
	t.Helper()
	receipt, err := c.Submit(within(t), typ, nil, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return receipt.ID
}

func await(t *testing.T, b *Broker, id task.ID, status task.Status) *task.Task {
	t.Helper()
	got, err := b.Await(within(t), id, status)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// run runs a worker with one handler for all types until the test ends.
func run(t *testing.T, b *Broker, h worker.Handler) {
	t.Helper()
	w, err := worker.New(b.Client(t), worker.Config{Name: "w", ShutdownTimeout: -1})
	if err != nil {
		t.Fatal(err)
	}
	w.HandleAny(h)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// untilEnd is a handler that runs until its context ends, and tells why it did.
func untilEnd(begun chan<- task.ID, causes chan<- error) worker.Handler {
	return func(ctx context.Context, t *task.Task) ([]byte, error) {
		begun <- t.ID
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return nil, ctx.Err()
	}
}

// TestRetries: hours of backoff pass in no time, and a worker that is connected keeps its leases meanwhile.
func TestRetries(t *testing.T) {
	b := Start(t)
	c := b.Client(t)
	run(t, b, func(_ context.Context, v *task.Task) ([]byte, error) {
		if v.Attempt < 4 {
			return nil, errors.New("not yet")
		}
		return []byte("done"), nil
	})
	begin := b.Now()
	id := submit(t, c, "t", client.Backoff(task.Backoff{Initial: time.Hour, Max: 100 * time.Hour}), client.Delay(time.Minute))
	b.Advance(time.Minute)
	for _, wait := range []time.Duration{time.Hour, 2 * time.Hour, 4 * time.Hour} {
		if failed := await(t, b, id, task.Failed); !failed.ScheduledAt.Equal(b.Now().Add(wait)) {
			t.Errorf("due at %s, want %s from %s", failed.ScheduledAt, wait, b.Now())
		}
		b.Advance(wait)
	}
	if v := await(t, b, id, task.Completed); v.RetryCount != 3 || v.CrashCount != 0 || string(v.Result) != "done" {
		t.Errorf("ended as %+v", v)
	}
	if passed := b.Now().Sub(begin); passed != 7*time.Hour+time.Minute {
		t.Errorf("%s passed", passed)
	}
}

// TestHandlersEnd: a handler learns of a cancel, of the end of its attempt's time and of the loss of its lease.
func TestHandlersEnd(t *testing.T) {
	b := Start(t)
	c := b.Client(t)
	begun, causes := make(chan task.ID, 1), make(chan error, 1)
	run(t, b, untilEnd(begun, causes))
	cancelled := submit(t, c, "t")
	<-begun
	if _, err := c.Cancel(within(t), cancelled); err != nil {
		t.Fatal(err)
	}
	if cause := <-causes; !errors.Is(cause, worker.ErrCancelled) {
		t.Errorf("cancelled, the cause is %v", cause)
	}
	await(t, b, cancelled, task.Cancelled)
	slow := submit(t, c, "t", client.Timeout(time.Hour), client.MaxRetries(0))
	<-begun
	b.Advance(time.Hour)
	if v := await(t, b, slow, task.DeadLetter); v.Reason != task.RetriesExhausted || v.History[0].Outcome != task.TimedOut {
		t.Errorf("too slow, and it is %+v", v)
	}
	if cause := <-causes; !errors.Is(cause, worker.ErrLeaseLost) {
		t.Errorf("too slow, the cause is %v", cause)
	}
	poison := submit(t, c, "t", client.MaxCrashes(2))
	for range 2 {
		if err := b.Crash(<-begun); err != nil {
			t.Fatal(err)
		}
		if cause := <-causes; !errors.Is(cause, worker.ErrLeaseLost) {
			t.Errorf("crashed, the cause is %v", cause)
		}
	}
	if v := await(t, b, poison, task.DeadLetter); v.Reason != task.Poison || v.CrashCount != 2 {
		t.Errorf("poison, and it is %+v", v)
	}
	if err := b.Crash(poison); !errors.Is(err, task.ErrTransition) {
		t.Errorf("crash of an ended task: %v", err)
	}
	if err := b.Crash(task.NewID()); !errors.Is(err, task.ErrNotFound) {
		t.Errorf("crash of no task: %v", err)
	}
}

// TestIgnoredCancel: a handler that does not end is not waited for longer than its lease.
func TestIgnoredCancel(t *testing.T) {
	b := Start(t)
	c := b.Client(t)
	id := submit(t, c, "t")
	got, err := b.Client(t).Claim(within(t), task.ClaimRequest{WorkerID: "w", Max: 1, Lease: time.Minute})
	if err != nil || len(got) != 1 {
		t.Fatalf("claimed %v, %v", got, err)
	}
	if _, err := c.Cancel(within(t), id); err != nil {
		t.Fatal(err)
	}
	b.Advance(time.Minute - 1)
	await(t, b, id, task.InProgress)
	b.Advance(1)
	if v := await(t, b, id, task.Cancelled); v.History[0].Outcome != task.Revoked {
		t.Errorf("ended as %+v", v)
	}
}

// TestAwaitEnds: who waits for what never comes is told what there is.
func TestAwaitEnds(t *testing.T) {
	b := Start(t)
	id := submit(t, b.Client(t), "t")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Await(ctx, id, task.Completed); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := b.Await(ctx, task.NewID(), task.Completed); !errors.Is(err, task.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// TestRefuses: what a broker in memory cannot answer is refused by a sentinel, at once.
func TestRefuses(t *testing.T) {
	c := Start(t).Client(t)
	if _, err := c.Mark(within(t)); !errors.Is(err, task.ErrUnknownType) {
		t.Errorf("got %v", err)
	}
	if s, err := c.Status(within(t)); err != nil || s.State != "leader" {
		t.Errorf("status %+v, %v", s, err)
	}
}

// TestPaused: while dispatch is paused claims wait, and they get what has gathered when it resumes.
func TestPaused(t *testing.T) {
	b := Start(t)
	c := b.Client(t)
	run(t, b, func(context.Context, *task.Task) ([]byte, error) { return nil, nil })
	if err := c.SetDispatch(within(t), true); err != nil {
		t.Fatal(err)
	}
	id := submit(t, c, "t")
	if stats, err := c.Stats(within(t)); err != nil || !stats.DispatchPaused || stats.Total.Ready != 1 {
		t.Errorf("counts %+v, %v", stats, err)
	}
	if err := c.SetDispatch(within(t), false); err != nil {
		t.Fatal(err)
	}
	await(t, b, id, task.Completed)
}

// TestWorkerDrains: a worker that is asked to end finishes what it runs and ends, without a heartbeat in between.
func TestWorkerDrains(t *testing.T) {
	b := Start(t)
	c := b.Client(t)
	w, err := worker.New(b.Client(t), worker.Config{Name: "w", Concurrency: 2})
	if err != nil {
		t.Fatal(err)
	}
	begun, goOn := make(chan struct{}), make(chan struct{})
	w.HandleAny(func(context.Context, *task.Task) ([]byte, error) {
		close(begun)
		<-goOn
		return []byte("done"), nil
	})
	done := make(chan error, 1)
	go func() { done <- w.Run(context.Background()) }()
	id := submit(t, c, "t")
	<-begun
	list, err := c.DrainWorker(within(t), "w")
	if err != nil || len(list) != 1 || list[0].Leases != 1 || !list[0].Draining {
		t.Fatalf("asked %+v, %v", list, err)
	}
	left := submit(t, c, "t")
	close(goOn)
	if err := <-done; err != nil {
		t.Errorf("the worker ended with %v", err)
	}
	await(t, b, id, task.Completed)
	await(t, b, left, task.Pending)
}
