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

// quick is a lease short enough for a test.
func quick(v *task.Task) { v.LeaseDuration = 300 * time.Millisecond }

// TestHeartbeat: one heartbeat lists all leases with their progress, until their outcome is acknowledged.
func TestHeartbeat(t *testing.T) {
	goOn := make(chan struct{})
	b := start(t, Config{Concurrency: 2}, func(ctx context.Context, v *task.Task) ([]byte, error) {
		if v.Type == "quick" {
			return nil, nil
		}
		if err := Report(ctx, task.Progress{Percent: 50, Message: "half", Cursor: []byte("c")}); err != nil {
			t.Error(err)
		}
		if err := Report(ctx, task.Progress{Percent: 101}); !errors.Is(err, task.ErrInvalid) {
			t.Errorf("101 percent: %v", err)
		}
		<-goOn
		return nil, nil
	})
	b.n.Handle(wire.Heartbeat, nil)
	one, two := b.task(quick), b.task(func(v *task.Task) { quick(v); v.Type = "quick" })
	b.give(one, two)
	result := b.n.Next(wire.TaskResult) // not acknowledged yet
	for listed := false; !listed; {
		r := b.n.Next(wire.Heartbeat)
		var m wirepb.HeartbeatRequest
		r.Read(&m)
		r.Ack(&wirepb.HeartbeatReply{})
		seen := map[uint64]*wirepb.LeaseRef{}
		for _, l := range m.Leases {
			seen[l.LeaseId] = l
		}
		if len(m.Leases) != 2 || seen[one.LeaseID] == nil || seen[two.LeaseID] == nil {
			t.Fatalf("listed %v", m.Leases)
		}
		p := seen[one.LeaseID].Progress
		listed = p.GetPercent() == 50 && p.GetMessage() == "half" && string(p.GetCursor()) == "c"
	}
	accept(result)
	for gone := false; !gone; {
		r := b.n.Next(wire.Heartbeat)
		var m wirepb.HeartbeatRequest
		r.Read(&m)
		r.Ack(&wirepb.HeartbeatReply{})
		gone = len(m.Leases) == 1 && m.Leases[0].LeaseId == one.LeaseID
	}
	b.n.Handle(wire.Heartbeat, confirm)
	close(goOn)
	b.reported()
	b.finish()
	if err := Report(context.Background(), task.Progress{}); !errors.Is(err, task.ErrInvalid) {
		t.Errorf("a context of nobody: %v", err)
	}
}

// TestFirstLeaseIsListedSoon: how often a node wishes to hear of leases is known with the first connection only, and the
// first lease is listed at once: a worker that soon dies of its first task has to count as a crash.
func TestFirstLeaseIsListedSoon(t *testing.T) {
	n := fakenode.Start(t)
	n.Welcome(func(w *wire.Welcome) { w.HeartbeatInterval = 2 * time.Second })
	goOn := make(chan struct{})
	b := startAt(t, n, Config{Concurrency: 1}, func(context.Context, *task.Task) ([]byte, error) {
		<-goOn
		return nil, nil
	})
	listed := make(chan struct{})
	b.n.Handle(wire.Heartbeat, func(r *fakenode.Request) (wire.Message, error) {
		var m wirepb.HeartbeatRequest
		if r.Read(&m); len(m.Leases) == 1 {
			select {
			case <-listed:
			default:
				close(listed)
			}
		}
		return &wirepb.HeartbeatReply{}, nil
	})
	b.give(b.task(nil))
	select {
	case <-listed:
	case <-time.After(5 * time.Second):
		t.Error("the lease was not listed within 5 s, half of a third of it")
	}
	close(goOn)
	b.reported()
	b.finish()
}

// TestConfirmedLease: a handler may run much longer than its lease while heartbeats are confirmed.
func TestConfirmedLease(t *testing.T) {
	var beats int
	goOn := make(chan struct{})
	b := start(t, Config{Concurrency: 1}, func(ctx context.Context, _ *task.Task) ([]byte, error) {
		select {
		case <-goOn:
			return nil, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	})
	b.n.Handle(wire.Heartbeat, func(r *fakenode.Request) (wire.Message, error) {
		var m wirepb.HeartbeatRequest
		if r.Read(&m); len(m.Leases) > 0 {
			if beats++; beats == 8 { // 8 thirds of the lease
				close(goOn)
			}
		}
		return &wirepb.HeartbeatReply{}, nil
	})
	b.give(b.task(quick))
	if o := b.reported(); o.Kind != task.Success {
		t.Errorf("reported %+v", o)
	}
	b.finish()
}

// TestUnconfirmedLease: without an answer the handler ends by the worker's own clock, and its task is given back.
func TestUnconfirmedLease(t *testing.T) {
	for name, answer := range map[string]fakenode.Answer{
		"no leader": func(*fakenode.Request) (wire.Message, error) { return nil, task.ErrNoLeader },
		"silence":   func(*fakenode.Request) (wire.Message, error) { return nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			causes := make(chan error, 1)
			b := start(t, Config{Concurrency: 1}, untilEnd(causes))
			b.n.Handle(wire.Heartbeat, answer)
			b.give(b.task(quick))
			if cause := get(t, causes); !errors.Is(cause, ErrLeaseLost) {
				t.Errorf("ended with %v", cause)
			}
			if o := b.reported(); o.Kind != task.Interrupted {
				t.Errorf("reported %+v", o)
			}
			b.finish()
		})
	}
}

// TestLostLease: what the broker says is lost is neither run on nor reported, and its place is free again.
func TestLostLease(t *testing.T) {
	causes := make(chan error, 1)
	b := start(t, Config{Concurrency: 1}, untilEnd(causes))
	lost := b.task(quick)
	b.n.Handle(wire.Heartbeat, func(r *fakenode.Request) (wire.Message, error) {
		var m wirepb.HeartbeatRequest
		reply := &wirepb.HeartbeatReply{}
		for r.Read(&m); len(m.Leases) > 0; m.Leases = m.Leases[1:] {
			reply.Lost = append(reply.Lost, m.Leases[0].Id)
		}
		return reply, nil
	})
	b.give(lost)
	if cause := get(t, causes); !errors.Is(cause, ErrLeaseLost) {
		t.Errorf("ended with %v", cause)
	}
	b.give()
	b.n.None(wire.TaskResult)
	b.finish()
}

// TestLeasedAgain: when the broker gives a task out anew to the same worker, the old run of it is lost.
func TestLeasedAgain(t *testing.T) {
	causes := make(chan error, 1)
	wait := untilEnd(causes)
	b := start(t, Config{Concurrency: 2}, func(ctx context.Context, v *task.Task) ([]byte, error) {
		if v.Attempt == 1 {
			return wait(ctx, v)
		}
		return nil, nil
	})
	first := b.task(nil)
	b.give(first)
	second := b.task(func(v *task.Task) { v.ID, v.Attempt = first.ID, 2 })
	b.give(second)
	if cause := get(t, causes); !errors.Is(cause, ErrLeaseLost) {
		t.Errorf("ended with %v", cause)
	}
	if o := b.reported(); o.LeaseID != second.LeaseID || o.Kind != task.Success {
		t.Errorf("reported %+v", o)
	}
	b.finish()
	b.n.None(wire.TaskResult)
}

// TestCancel: a cancel reaches the handler by a heartbeat's answer and by a push.
func TestCancel(t *testing.T) {
	for name, cancel := range map[string]func(*bench, *task.Task){
		"heartbeat": func(b *bench, v *task.Task) {
			b.n.Handle(wire.Heartbeat, func(*fakenode.Request) (wire.Message, error) {
				return &wirepb.HeartbeatReply{Cancelled: wire.IDsToPB([]task.ID{v.ID})}, nil
			})
		},
		"push": func(b *bench, v *task.Task) { b.n.Push([]task.ID{task.NewID(), v.ID}, false) },
	} {
		t.Run(name, func(t *testing.T) {
			causes, begun := make(chan error, 1), make(chan struct{}, 1)
			wait := untilEnd(causes)
			b := start(t, Config{Concurrency: 1}, func(ctx context.Context, v *task.Task) ([]byte, error) {
				begun <- struct{}{}
				return wait(ctx, v)
			})
			v := b.task(quick)
			b.give(v)
			get(t, begun)
			cancel(b, v)
			if cause := get(t, causes); !errors.Is(cause, ErrCancelled) {
				t.Errorf("ended with %v", cause)
			}
			if o := b.reported(); o.Kind != task.Discard {
				t.Errorf("reported %+v", o)
			}
			b.finish()
		})
	}
}

func TestTimeout(t *testing.T) {
	causes := make(chan error, 1)
	b := start(t, Config{Concurrency: 1}, untilEnd(causes))
	begin := time.Now()
	b.give(b.task(func(v *task.Task) { v.TimeoutSeconds = 1 }))
	if cause := get(t, causes); !errors.Is(cause, ErrTimeout) || time.Since(begin) < time.Second {
		t.Errorf("ended with %v after %s", cause, time.Since(begin))
	}
	if o := b.reported(); o.Kind != task.Failure || o.Error == "" {
		t.Errorf("reported %+v", o)
	}
	b.finish()
}

// TestReportIsRepeated: an outcome is sent until it is answered; an answer that refuses it is one, too.
func TestReportIsRepeated(t *testing.T) {
	b := start(t, Config{Concurrency: 1}, echo)
	v := b.task(nil)
	b.give(v)
	for _, fail := range []func(*fakenode.Request){
		func(r *fakenode.Request) { r.Conn.Close() },
		func(r *fakenode.Request) { r.Nack(task.ErrUnknownOutcome, "") },
		func(r *fakenode.Request) { r.Nack(task.ErrInternal, "") },
		func(r *fakenode.Request) { r.Nack(&task.RetryLater{Err: task.ErrBusy, After: time.Hour}, "") },
	} {
		r := b.n.Next(wire.TaskResult)
		if list, _ := outcomes(r); len(list) != 1 || list[0].ID != v.ID || list[0].LeaseID != v.LeaseID {
			t.Fatalf("reported %v", list)
		}
		fail(r)
	}
	b.n.Next(wire.TaskResult).Ack(&wirepb.ResultReply{Receipts: wire.ReceiptsToPB([]task.Receipt{{ID: v.ID,
		Err: task.ErrStaleLease}})})
	b.give()
	b.finish()
	b.n.None(wire.TaskResult)
}

// TestSeenAgainAtOnce: a busy worker whose connection breaks is back long before its next heartbeat is due.
func TestSeenAgainAtOnce(t *testing.T) {
	goOn := make(chan struct{})
	b := start(t, Config{Concurrency: 1}, func(context.Context, *task.Task) ([]byte, error) { <-goOn; return nil, nil })
	b.n.Handle(wire.Heartbeat, nil)
	b.give(b.task(nil)) // a lease of 30 s: heartbeats every 10 s
	begin := time.Now()
	b.n.Kick()
	r := b.n.Next(wire.Heartbeat)
	if late := time.Since(begin); late > 4*time.Second {
		t.Errorf("a heartbeat came after %s", late)
	}
	r.Ack(&wirepb.HeartbeatReply{})
	b.n.Handle(wire.Heartbeat, confirm)
	close(goOn)
	b.reported()
	b.finish()
}
