package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haiku-queue/haiku/internal/fakenode"
	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// newClient connects to nodes, in this order.
func newClient(t *testing.T, change func(*Config), nodes ...*fakenode.Node) *Client {
	t.Helper()
	cfg := Config{Name: "test", Logger: slog.New(slog.DiscardHandler)}
	for _, n := range nodes {
		cfg.Addrs = append(cfg.Addrs, n.Addr())
	}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// within is a context for what should take no time.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// later runs f on the side and returns its error when it has one.
func later(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

func mustBe(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || (want == nil && err != nil) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	over := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-over:
			t.Fatalf("not in time: %s", what)
		}
	}
}

func TestConfig(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no address":     {},
		"no port":        {Addrs: []string{"host"}},
		"empty port":     {Addrs: []string{"host:"}},
		"bad name":       {Addrs: []string{"h:1"}, Name: "a\n"},
		"bad address 2":  {Addrs: []string{"h:1", ""}},
		"token too long": {Addrs: []string{"h:1"}, Token: string(make([]byte, task.MaxToken+1))},
	} {
		if _, err := New(cfg); !errors.Is(err, task.ErrInvalid) && !errors.Is(err, task.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	a, b := newClient(t, nil, fakenode.Start(t)), newClient(t, nil, fakenode.Start(t))
	if a.Session().IsZero() || a.Session() == b.Session() {
		t.Error("sessions are not fresh")
	}
}

func TestHello(t *testing.T) {
	n := fakenode.Start(t)
	n.Handle(wire.SubmitTask, fakenode.AcceptAll)
	session := task.NewSessionID()
	c := newClient(t, func(cfg *Config) { cfg.Token, cfg.Session = "secret", session }, n)
	if c.Welcome().Version != 0 || n.Conns() != 0 {
		t.Error("connected before there was need")
	}
	_, err := c.Submit(within(t), "t", nil)
	mustBe(t, err, nil)
	got := n.Hellos()
	want := []wire.Greeting{{Version: wire.Version, ClientName: "test", Token: "secret", Session: session}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if w := c.Welcome(); !w.IsLeader || w.NodeID != (member.ID{1}) {
		t.Errorf("welcome %+v", w)
	}
}

// TestPipelining: many requests are under way on one connection, and answers in any order reach who asked.
func TestPipelining(t *testing.T) {
	n := fakenode.Start(t)
	c := newClient(t, nil, n)
	const count = 40
	type sent struct {
		id  task.ID
		err error
	}
	results := make(chan sent, count)
	for range count {
		go func() {
			id := task.NewID()
			receipt, err := c.Submit(within(t), "t", id[:], ID(id))
			if err == nil && receipt.ID != id {
				err = fmt.Errorf("the receipt of %s is for %s", id, receipt.ID)
			}
			results <- sent{id, err}
		}()
	}
	var requests []*fakenode.Request
	for range count {
		requests = append(requests, n.Next(wire.SubmitTask))
	}
	for i := range requests {
		requests[count-1-i].Accept(false)
	}
	for range count {
		if s := <-results; s.err != nil {
			t.Error(s.err)
		}
	}
	if len(n.Hellos()) != 1 {
		t.Errorf("%d connections were made", len(n.Hellos()))
	}
}

// TestInFlight: no more requests are under way than the node allows, and heartbeats still get through.
func TestInFlight(t *testing.T) {
	n := fakenode.Start(t)
	n.Welcome(func(w *wire.Welcome) { w.MaxInFlight = 4 })
	n.Handle(wire.Heartbeat, func(*fakenode.Request) (wire.Message, error) { return &wirepb.HeartbeatReply{}, nil })
	c := newClient(t, nil, n)
	var all []<-chan error
	for range 10 {
		all = append(all, later(func() error { _, err := c.Submit(within(t), "t", nil); return err }))
	}
	first := []*fakenode.Request{n.Next(wire.SubmitTask), n.Next(wire.SubmitTask), n.Next(wire.SubmitTask)}
	_, err := c.Heartbeat(within(t), nil) // one that comes after the three, so a fourth submit would have come, too
	mustBe(t, err, nil)
	n.None(wire.SubmitTask)
	for _, r := range first {
		r.Accept(false)
	}
	for range 7 {
		n.Next(wire.SubmitTask).Accept(false)
	}
	for _, done := range all {
		mustBe(t, <-done, nil)
	}
}

func TestPush(t *testing.T) {
	n := fakenode.Start(t)
	n.Handle(wire.SubmitTask, fakenode.AcceptAll)
	pushes := make(chan Push, 10)
	c := newClient(t, func(cfg *Config) { cfg.OnPush = func(p Push) { pushes <- p } }, n)
	watched := make(chan Push, 10)
	stop := c.Watch(func(p Push) { watched <- p })
	_, err := c.Submit(within(t), "t", nil)
	mustBe(t, err, nil)
	id := task.NewID()
	n.Push([]task.ID{id}, false)
	for _, ch := range []chan Push{pushes, watched} {
		if p := <-ch; len(p.Cancelled) != 1 || p.Cancelled[0] != id || p.Drain || p.Ended {
			t.Errorf("got %+v", p)
		}
	}
	stop()
	n.Kick()
	if p := <-pushes; !p.Ended {
		t.Errorf("got %+v", p)
	}
	select {
	case p := <-watched:
		t.Errorf("told after stop: %+v", p)
	default:
	}
}

// TestDrain: a node that goes down is left at once, but still answers what it was asked.
func TestDrain(t *testing.T) {
	a, b := fakenode.Start(t), fakenode.Start(t)
	c := newClient(t, nil, a, b)
	first := later(func() error { _, err := c.Submit(within(t), "t", nil); return err })
	r := a.Next(wire.SubmitTask)
	drained := make(chan Push, 1)
	c.Watch(func(p Push) { drained <- p })
	a.Push(nil, true)
	if p := <-drained; !p.Drain {
		t.Fatalf("got %+v", p)
	}
	second := later(func() error { _, err := c.Submit(within(t), "t", nil); return err })
	b.Next(wire.SubmitTask).Accept(false)
	mustBe(t, <-second, nil)
	r.Accept(false)
	mustBe(t, <-first, nil)
	eventually(t, "the old connection ends", func() bool { return a.Conns() == 0 })
	if b.Conns() != 1 {
		t.Errorf("%d connections to the other node", b.Conns())
	}
}

func TestClose(t *testing.T) {
	n := fakenode.Start(t)
	c := newClient(t, nil, n)
	var all []<-chan error
	for range 5 {
		all = append(all, later(func() error { _, err := c.Submit(within(t), "t", nil); return err }))
		n.Next(wire.SubmitTask)
	}
	var closers sync.WaitGroup
	for range 3 {
		closers.Go(c.Close)
	}
	closers.Wait()
	for _, done := range all {
		err := <-done
		mustBe(t, err, ErrClosed)
		mustBe(t, err, task.ErrUnknownOutcome)
	}
	_, err := c.Submit(within(t), "t", nil)
	mustBe(t, err, ErrClosed)
	_, err = c.Status(within(t))
	mustBe(t, err, ErrClosed)
	c.Close()
}

// TestContext: every wait ends with its context, whatever the node does.
func TestContext(t *testing.T) {
	silent := fakenode.Start(t)
	hanging := fakenode.Start(t)
	hanging.Mute(true)
	for name, n := range map[string]*fakenode.Node{"no answer": silent, "no handshake": hanging} {
		c := newClient(t, nil, n)
		ctx, cancel := context.WithCancelCause(context.Background())
		done := later(func() error { _, err := c.Submit(ctx, "t", nil); return err })
		if n == silent {
			n.Next(wire.SubmitTask)
		} else {
			eventually(t, "a connection", func() bool { return n.Conns() == 1 })
		}
		why := errors.New("enough")
		cancel(why)
		err := <-done
		mustBe(t, err, why)
		if errors.Is(err, task.ErrUnknownOutcome) != (n == silent) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLateClaim: tasks that come after the claimant has gone are given back.
func TestLateClaim(t *testing.T) {
	n := fakenode.Start(t)
	c := newClient(t, nil, n)
	ctx, cancel := context.WithCancel(context.Background())
	done := later(func() error {
		_, err := c.Claim(ctx, task.ClaimRequest{WorkerID: "w", Max: 2,
			Wait: time.Minute})
		return err
	})
	r := n.Next(wire.ClaimTask)
	cancel()
	mustBe(t, <-done, context.Canceled)
	id := task.NewID()
	r.Ack(&wirepb.ClaimReply{Tasks: []*wirepb.Task{{Id: id[:], LeaseId: 7, Status: 2}}})
	back := n.Next(wire.TaskResult)
	var m wirepb.ResultRequest
	back.Read(&m)
	if len(m.Outcomes) != 1 || m.Outcomes[0].LeaseId != 7 || m.Outcomes[0].Kind != uint32(task.Interrupted) ||
		m.Next != nil {
		t.Errorf("given back: %v", &m)
	}
	back.Ack(&wirepb.ResultReply{})
	again := later(func() error { _, err := c.Submit(within(t), "t", nil); return err })
	n.Next(wire.SubmitTask).Accept(false)
	mustBe(t, <-again, nil)
}
