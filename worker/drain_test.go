package worker

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/internal/fakenode"
	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// TestDrainWaits: running handlers are waited for, keep their leases and have their results reported; nothing is
// claimed.
func TestDrainWaits(t *testing.T) {
	begun, goOn, beat := make(chan struct{}), make(chan struct{}), make(chan struct{}, 100)
	b := start(t, Config{Concurrency: 2}, func(ctx context.Context, _ *task.Task) ([]byte, error) {
		begun <- struct{}{}
		<-goOn
		return []byte("done"), context.Cause(ctx)
	})
	b.give(b.task(quick))
	get(t, begun)
	waiting := b.n.Next(wire.ClaimTask)
	b.stop()
	b.n.Handle(wire.Heartbeat, func(r *fakenode.Request) (wire.Message, error) {
		var m wirepb.HeartbeatRequest
		if r.Read(&m); len(m.Leases) == 1 {
			beat <- struct{}{}
		}
		return &wirepb.HeartbeatReply{}, nil
	})
	for range 4 { // more than a lease
		get(t, beat)
	}
	late := b.task(nil)
	waiting.Ack(&wirepb.ClaimReply{Tasks: wire.TasksToPB([]*task.Task{late})})
	if o := b.reported(); o.LeaseID != late.LeaseID || o.Kind != task.Interrupted {
		t.Errorf("a task that came late: %+v", o)
	}
	close(goOn)
	r := b.n.Next(wire.TaskResult)
	list, next := outcomes(r)
	if len(list) != 1 || list[0].Kind != task.Success || string(list[0].Result) != "done" || next != nil {
		t.Errorf("reported %+v, next %v", list, next)
	}
	accept(r)
	b.ends(nil)
	b.n.None(wire.ClaimTask)
}

// TestDrainStops: handlers that take too long are told, and their tasks returned.
func TestDrainStops(t *testing.T) {
	begun, causes := make(chan struct{}), make(chan error, 1)
	wait := untilEnd(causes)
	b := start(t, Config{Concurrency: 1, ShutdownTimeout: 50 * time.Millisecond},
		func(ctx context.Context, v *task.Task) ([]byte, error) {
			begun <- struct{}{}
			return wait(ctx, v)
		})
	b.give(b.task(nil))
	get(t, begun)
	b.stop()
	if cause := get(t, causes); !errors.Is(cause, ErrShutdown) {
		t.Errorf("ended with %v", cause)
	}
	if o := b.reported(); o.Kind != task.Interrupted {
		t.Errorf("reported %+v", o)
	}
	b.ends(nil)
}

// TestDrainLeaves: a handler that ignores its context is left behind, and its task returned all the same.
func TestDrainLeaves(t *testing.T) {
	begun, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	b := start(t, Config{Concurrency: 1, ShutdownTimeout: -1, StopGrace: 50 * time.Millisecond}, func(context.Context,
		*task.Task) ([]byte, error) {
		defer close(ended)
		begun <- struct{}{}
		<-goOn
		return nil, nil
	})
	b.give(b.task(nil))
	get(t, begun)
	b.stop()
	if o := b.reported(); o.Kind != task.Interrupted {
		t.Errorf("reported %+v", o)
	}
	select {
	case err := <-b.done:
		if err == nil {
			t.Error("Run says that all is well")
		}
	case <-time.After(patience):
		t.Fatal("Run does not end")
	}
	close(goOn)
	get(t, ended)
	b.n.None(wire.TaskResult)
}

// TestDrainUnreported: Run does not wait for ever for a broker that does not answer.
func TestDrainUnreported(t *testing.T) {
	b := start(t, Config{Concurrency: 1, ShutdownTimeout: 50 * time.Millisecond, StopGrace: 50 * time.Millisecond}, echo)
	b.give(b.task(nil))
	b.n.Next(wire.TaskResult)
	b.stop()
	b.ends(task.ErrUnknownOutcome)
}

// TestDrainInFlight: tasks that come with the answer to the last report are returned.
func TestDrainInFlight(t *testing.T) {
	wait := untilEnd(make(chan error, 1))
	b := start(t, Config{Concurrency: 1, ShutdownTimeout: -1}, func(ctx context.Context, v *task.Task) ([]byte, error) {
		if v.Type == "late" { // if it comes before the worker knows that it drains
			return wait(ctx, v)
		}
		return nil, nil
	})
	b.give(b.task(nil))
	r := b.n.Next(wire.TaskResult)
	if _, next := outcomes(r); next == nil {
		t.Fatal("no claim rides on the result")
	}
	b.stop()
	late := b.task(func(v *task.Task) { v.Type = "late" })
	accept(r, late)
	if o := b.reported(); o.LeaseID != late.LeaseID || o.Kind != task.Interrupted {
		t.Errorf("reported %+v", o)
	}
	b.ends(nil)
}

// TestDrainOnRequest: the broker can ask a worker to end.
func TestDrainOnRequest(t *testing.T) {
	b := start(t, Config{Lease: 300 * time.Millisecond}, echo)
	b.n.Handle(wire.Heartbeat, func(*fakenode.Request) (wire.Message, error) {
		return &wirepb.HeartbeatReply{Drain: true},
			nil
	})
	b.ends(nil)
}

// TestDrainAwaitsClaim: tasks that a claim brings while Run begins to end are given back before it ends.
func TestDrainAwaitsClaim(t *testing.T) {
	b := start(t, Config{}, func(context.Context, *task.Task) ([]byte, error) { return nil, nil })
	b.finish()
	w, err := New(b.c, Config{Name: "w"})
	if err != nil {
		t.Fatal(err)
	}
	r := newRun(w, context.Background())
	if r.reserve() == 0 {
		t.Fatal("no claim may be made")
	}
	r.loops.Add(1)
	go r.report()
	go func() { b.done <- r.drain() }()
	<-r.claims.Done() // the drain waits for nothing but the claim
	v := b.task(nil)
	r.claimed([]*task.Task{v}, nil)
	if o := b.reported(); o.ID != v.ID || o.Kind != task.Interrupted {
		t.Errorf("reported %+v", o)
	}
	b.ends(nil)
}
