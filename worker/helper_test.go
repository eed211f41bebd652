package worker

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/internal/fakenode"
	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// bench is a worker in work, against a node that the test plays.
type bench struct {
	t    *testing.T
	n    *fakenode.Node
	c    *client.Client
	stop context.CancelFunc
	done chan error
	last uint64 // lease id given
}

// start runs a worker with one handler for all types. Heartbeats are confirmed unless the test changes that.
func start(t *testing.T, cfg Config, h Handler) *bench {
	t.Helper()
	return startAt(t, fakenode.Start(t), cfg, h)
}

// startAt is start with a node that the test has made, and with something around the handler.
func startAt(t *testing.T, n *fakenode.Node, cfg Config, h Handler, around ...func(Handler) Handler) *bench {
	t.Helper()
	n.Handle(wire.Heartbeat, confirm)
	b := &bench{t: t, n: n, done: make(chan error, 1)}
	quiet := slog.New(slog.DiscardHandler)
	var err error
	if b.c, err = client.New(client.Config{Addrs: []string{n.Addr()}, Logger: quiet, RetryFor: time.Second}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.c.Close)
	if cfg.Name == "" {
		cfg.Name = "w"
	}
	cfg.Logger = quiet
	w, err := New(b.c, cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.HandleAny(h)
	for _, wrap := range around {
		w.Use(wrap)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.stop = cancel
	t.Cleanup(cancel)
	go func() { b.done <- w.Run(ctx) }()
	return b
}

// confirm is the answer to a heartbeat when all is well.
func confirm(*fakenode.Request) (wire.Message, error) { return &wirepb.HeartbeatReply{}, nil }

// task makes a leased task.
func (b *bench) task(change func(*task.Task)) *task.Task {
	b.last++
	t := &task.Task{ID: task.NewID(), Type: "t", Status: task.InProgress, LeaseID: b.last,
		LeaseDuration: 30 * time.Second, Attempt: 1}
	if change != nil {
		change(t)
	}
	return t
}

// give answers the next claim with tasks.
func (b *bench) give(tasks ...*task.Task) *wirepb.ClaimRequest {
	b.t.Helper()
	r := b.n.Next(wire.ClaimTask)
	var m wirepb.ClaimRequest
	r.Read(&m)
	r.Ack(&wirepb.ClaimReply{Tasks: wire.TasksToPB(tasks)})
	return &m
}

// outcomes reads a report.
func outcomes(r *fakenode.Request) (list []task.Outcome, next *wirepb.ClaimRequest) {
	var m wirepb.ResultRequest
	r.Read(&m)
	for _, p := range m.Outcomes {
		o, err := wire.OutcomeFromPB(p)
		if err != nil {
			panic(err)
		}
		list = append(list, o)
	}
	return list, m.Next
}

// accept acknowledges a report, and gives tasks for the claim in it.
func accept(r *fakenode.Request, tasks ...*task.Task) {
	list, next := outcomes(r)
	reply := &wirepb.ResultReply{}
	for _, o := range list {
		reply.Receipts = append(reply.Receipts, wire.ReceiptToPB(&task.Receipt{ID: o.ID}))
	}
	if next != nil {
		reply.Next = &wirepb.ClaimReply{Tasks: wire.TasksToPB(tasks)}
	}
	r.Ack(reply)
}

// reported takes the next report, which has to be of one outcome, and acknowledges it.
func (b *bench) reported() task.Outcome {
	b.t.Helper()
	r := b.n.Next(wire.TaskResult)
	list, _ := outcomes(r)
	if len(list) != 1 {
		b.t.Fatalf("%d outcomes in one report", len(list))
	}
	accept(r)
	return list[0]
}

// ends waits for the end of Run.
func (b *bench) ends(want error) {
	b.t.Helper()
	select {
	case err := <-b.done:
		if !errors.Is(err, want) || (want == nil && err != nil) {
			b.t.Fatalf("Run returned %v, want %v", err, want)
		}
	case <-time.After(patience):
		b.t.Fatal("Run does not end")
	}
}

// finish ends the worker, which has to be idle.
func (b *bench) finish() {
	b.t.Helper()
	b.stop()
	b.ends(nil)
}

// get receives with patience.
func get[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// untilEnd is a handler that waits for the end of its context, tells the cause and returns it.
func untilEnd(causes chan<- error) Handler {
	return func(ctx context.Context, _ *task.Task) ([]byte, error) {
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return nil, context.Cause(ctx)
	}
}
