package worker

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/internal/fakenode"
	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

func echo(_ context.Context, t *task.Task) ([]byte, error) { return t.Payload, nil }

func TestConfig(t *testing.T) {
	for name, cfg := range map[string]Config{
		"too many at once": {Concurrency: task.MaxItems + 1}, "negative": {Concurrency: -1}, "bad name": {Name: "a\n"},
		"bad queue": {Queues: []string{""}}, "wait too long": {Wait: task.MaxWait + 1},
		"lease too long": {Lease: task.MaxLease + 1},
	} {
		if _, err := New(nil, cfg); !errors.Is(err, task.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w, err := New(nil, Config{})
	if err != nil || w.cfg.Name == "" || w.cfg.Concurrency != defaultConcurrency || w.cfg.Wait != defaultWait {
		t.Errorf("defaults: %+v, %v", w.cfg, err)
	}
}

func TestHandlersAreChecked(t *testing.T) {
	for name, register := range map[string]func(*Worker){
		"none":              func(*Worker) {},
		"no type":           func(w *Worker) { w.Handle("", echo) },
		"bad type":          func(w *Worker) { w.Handle("\n", echo) },
		"nil":               func(w *Worker) { w.Handle("t", nil) },
		"twice":             func(w *Worker) { w.Handle("t", echo); w.Handle("t", echo) },
		"any twice":         func(w *Worker) { w.HandleAny(echo); w.HandleAny(echo) },
		"nothing around":    func(w *Worker) { w.HandleAny(echo); w.Use(nil) },
		"nothing comes out": func(w *Worker) { w.HandleAny(echo); w.Use(func(Handler) Handler { return nil }) },
	} {
		w, err := New(nil, Config{})
		if err != nil {
			t.Fatal(err)
		}
		register(w)
		if err := w.Run(context.Background()); !errors.Is(err, task.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOneTask follows one task from the claim to the acknowledged result.
func TestOneTask(t *testing.T) {
	n := fakenode.Start(t)
	n.Handle(wire.Heartbeat, confirm)
	n.Welcome(func(w *wire.Welcome) { w.MinLease = 45 * time.Second })
	c, err := client.New(client.Config{Addrs: []string{n.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	w, err := New(c, Config{Name: "w", Queues: []string{"q"}, Concurrency: 4, Wait: 7 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	w.Handle("b", func(context.Context, *task.Task) ([]byte, error) { return nil, errors.New("the wrong handler") })
	w.Handle("a", func(ctx context.Context, v *task.Task) ([]byte, error) {
		if TaskOf(ctx) != v {
			t.Error("TaskOf gives another task")
		}
		return append([]byte("re: "), v.Payload...), nil
	})
	b := &bench{t: t, n: n, done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	b.stop = cancel
	go func() { b.done <- w.Run(ctx) }()

	v := b.task(func(v *task.Task) { v.Type, v.Payload = "a", []byte("p") })
	m := b.give(v)
	if m.WorkerId != "w" || !slices.Equal(m.Queues, []string{"q"}) || !slices.Equal(m.Types, []string{"a", "b"}) ||
		m.Max != 4 || m.WaitUs != 7e6 || m.LeaseUs != 30e6 {
		t.Errorf("claimed %v", m)
	}
	o := b.reported()
	if o.ID != v.ID || o.LeaseID != v.LeaseID || o.Kind != task.Success || string(o.Result) != "re: p" || o.Error != "" {
		t.Errorf("reported %+v", o)
	}
	m = b.give() // the next one knows what the cluster allows at least
	if m.LeaseUs != 45e6 {
		t.Errorf("claimed for %d us", m.LeaseUs)
	}
	b.finish()
	if got := n.Hellos(); len(got) != 1 || got[0].Session != c.Session() {
		t.Errorf("hellos %+v", got)
	}
	if err := w.Run(context.Background()); !errors.Is(err, task.ErrInvalid) {
		t.Errorf("a second Run: %v", err)
	}
}

// TestBusyWorker: a worker without a free place claims its next task together with the result.
func TestBusyWorker(t *testing.T) {
	b := start(t, Config{Concurrency: 1}, echo)
	b.give(b.task(nil))
	for range 10 {
		r := b.n.Next(wire.TaskResult)
		if _, next := outcomes(r); next.GetMax() != 1 || next.GetWaitUs() != 0 || len(next.GetTypes()) != 0 {
			t.Fatalf("next claim %v", next)
		}
		accept(r, b.task(nil))
	}
	b.n.None(wire.ClaimTask)
	accept(b.n.Next(wire.TaskResult)) // nothing left: now it waits
	if m := b.give(); m.WaitUs == 0 {
		t.Error("the idle worker does not wait")
	}
	b.finish()
}

// TestPlaces: claims are for free places only, and results that gather go in one report.
func TestPlaces(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	b := start(t, Config{Concurrency: 3}, func(context.Context, *task.Task) ([]byte, error) {
		begun <- struct{}{}
		<-goOn
		return nil, nil
	})
	if m := b.give(b.task(nil)); m.Max != 3 {
		t.Errorf("claimed %d", m.Max)
	}
	get(t, begun)
	if m := b.give(b.task(nil), b.task(nil)); m.Max != 2 {
		t.Errorf("claimed %d", m.Max)
	}
	get(t, begun)
	get(t, begun)
	goOn <- struct{}{}
	first := b.n.Next(wire.TaskResult)
	if list, next := outcomes(first); len(list) != 1 || next.GetMax() != 1 {
		t.Errorf("%d outcomes, next %v", len(list), next)
	}
	goOn <- struct{}{}
	goOn <- struct{}{}
	accept(first)
	reports := 0
	for reports < 2 { // one report of two, or two if the first one was quick
		r := b.n.Next(wire.TaskResult)
		list, _ := outcomes(r)
		reports += len(list)
		accept(r)
	}
	if m := b.give(); m.Max == 0 {
		t.Error("nothing is claimed")
	}
	b.finish()
}

// TestFatal: what no later try would mend ends Run.
func TestFatal(t *testing.T) {
	for _, final := range []error{task.ErrInvalid, task.ErrNotAllowed} {
		b := start(t, Config{}, echo)
		b.n.Next(wire.ClaimTask).Nack(final, "")
		b.ends(final)
	}
	b := start(t, Config{}, echo)
	b.n.Next(wire.ClaimTask)
	b.c.Close()
	b.ends(client.ErrClosed)
}

// TestClosedClient: results that can never be reported do not hold up the end.
func TestClosedClient(t *testing.T) {
	goOn := make(chan struct{})
	b := start(t, Config{}, func(context.Context, *task.Task) ([]byte, error) { <-goOn; return nil, nil })
	b.give(b.task(nil))
	b.n.Next(wire.ClaimTask)
	b.c.Close()
	close(goOn)
	b.ends(client.ErrClosed)
}

// TestClaimGoesOn: refusals that pass are outlived, longer than one request is repeated.
func TestClaimGoesOn(t *testing.T) {
	b := start(t, Config{}, echo)
	b.n.Next(wire.ClaimTask).Nack(&task.RetryLater{Err: task.ErrBusy, After: time.Hour}, "") // more than RetryFor
	b.give(b.task(nil))
	b.reported()
	b.finish()
}

// TestUnknownClaim: after a claim whose outcome is unknown a heartbeat comes before the next.
func TestUnknownClaim(t *testing.T) {
	b := start(t, Config{Concurrency: 1}, echo)
	b.n.Handle(wire.Heartbeat, nil)
	b.n.Next(wire.ClaimTask).Conn.Close()
	heartbeatFirst(b)
	b.give(b.task(nil))

	b.n.Handle(wire.Heartbeat, nil)
	b.n.Next(wire.TaskResult).Conn.Close() // the same for a claim that rides on a result
	r := b.n.Next(wire.TaskResult)
	if _, next := outcomes(r); next != nil {
		t.Fatal("the claim is repeated")
	}
	accept(r)
	heartbeatFirst(b)
	b.give()
	b.finish()
}

// heartbeatFirst checks that a heartbeat comes and no claim before it is answered.
func heartbeatFirst(b *bench) {
	b.t.Helper()
	beat := b.n.Next(wire.Heartbeat)
	b.n.None(wire.ClaimTask)
	b.n.Handle(wire.Heartbeat, confirm)
	beat.Ack(&wirepb.HeartbeatReply{})
}
