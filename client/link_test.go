package client

import (
	"context"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/internal/fakenode"
	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// follow makes n a follower of leader.
func follow(n, leader *fakenode.Node) {
	n.Welcome(func(w *wire.Welcome) { w.IsLeader, w.LeaderAddress = false, leader.Addr() })
}

func submits(t *testing.T, c *Client) {
	t.Helper()
	_, err := c.Submit(within(t), "t", nil)
	mustBe(t, err, nil)
}

// TestFailover: a node that dies is left for another, and what it did not answer is asked there.
func TestFailover(t *testing.T) {
	a, b := fakenode.Start(t), fakenode.Start(t)
	c := newClient(t, nil, a, b)
	done := later(func() error { _, err := c.Submit(within(t), "t", nil); return err })
	r := a.Next(wire.SubmitTask)
	id := r.Submitted()[0].ID
	a.Stop()
	r = b.Next(wire.SubmitTask)
	if again := r.Submitted()[0].ID; again != id {
		t.Errorf("submitted as %s, then as %s", id, again)
	}
	r.Accept(false)
	mustBe(t, <-done, nil)
	b.Handle(wire.SubmitTask, fakenode.AcceptAll)
	a.Handle(wire.SubmitTask, fakenode.AcceptAll)
	a.Listen()
	b.Stop()
	submits(t, c) // and back
	if a.Conns() != 1 {
		t.Error("the first node has no connection")
	}
}

// TestNobodyAnswers: the client tries on until a node is there.
func TestNobodyAnswers(t *testing.T) {
	n := fakenode.Start(t)
	n.Handle(wire.SubmitTask, fakenode.AcceptAll)
	n.Stop()
	c := newClient(t, func(cfg *Config) { cfg.RetryFor = -1 }, n)
	_, err := c.Submit(within(t), "t", nil)
	mustBe(t, err, task.ErrNoLeader)
	patient := newClient(t, nil, n)
	done := later(func() error { _, err := patient.Submit(within(t), "t", nil); return err })
	n.Listen()
	mustBe(t, <-done, nil)
}

func TestGoesToLeader(t *testing.T) {
	follower, leader := fakenode.Start(t), fakenode.Start(t)
	follow(follower, leader)
	leader.Handle(wire.SubmitTask, fakenode.AcceptAll)
	follower.Handle(wire.SubmitTask, fakenode.AcceptAll)
	c := newClient(t, nil, follower)
	submits(t, c)
	eventually(t, "only the leader has a connection", func() bool { return leader.Conns() == 1 && follower.Conns() == 0 })

	staying := newClient(t, func(cfg *Config) { cfg.Stay = true }, follower)
	submits(t, staying)
	if follower.Conns() != 1 || staying.Welcome().IsLeader {
		t.Error("did not stay")
	}

	leader.Stop()
	eventually(t, "the leader is gone", func() bool { return leader.Conns() == 0 })
	submits(t, newClient(t, nil, follower)) // the leader that it names cannot be reached
}

// TestLeaderHint: a refusal that names the leader is followed.
func TestLeaderHint(t *testing.T) {
	old, leader := fakenode.Start(t), fakenode.Start(t)
	c := newClient(t, nil, old)
	done := later(func() error { _, err := c.Submit(within(t), "t", nil); return err })
	old.Next(wire.SubmitTask).Nack(task.ErrNotLeader, leader.Addr())
	leader.Next(wire.SubmitTask).Accept(false)
	mustBe(t, <-done, nil)

	bad := fakenode.Start(t)
	c = newClient(t, nil, bad)
	done = later(func() error { _, err := c.Submit(within(t), "t", nil); return err })
	bad.Next(wire.SubmitTask).Nack(task.ErrNotLeader, "no address at all")
	bad.Next(wire.SubmitTask).Accept(false)
	mustBe(t, <-done, nil)
}

func TestShutdownMovesOn(t *testing.T) {
	a, b := fakenode.Start(t), fakenode.Start(t)
	c := newClient(t, nil, a, b)
	done := later(func() error { _, err := c.Submit(within(t), "t", nil); return err })
	a.Next(wire.SubmitTask).Nack(task.ErrShutdown, "")
	b.Next(wire.SubmitTask).Accept(false)
	mustBe(t, <-done, nil)
}

// TestRefusedHello: a client that every node refuses does not go on knocking; if the node is only busy, it does.
func TestRefusedHello(t *testing.T) {
	a, b := fakenode.Start(t), fakenode.Start(t)
	b.Handle(wire.SubmitTask, fakenode.AcceptAll)
	for _, final := range []error{task.ErrVersion, task.ErrHandshake, task.ErrNotAllowed} {
		a.Refuse(final)
		_, err := newClient(t, nil, a).Submit(within(t), "t", nil)
		mustBe(t, err, final)
		submits(t, newClient(t, nil, a, b))
	}
	before := len(a.Hellos())
	a.Refuse(task.ErrBusy)
	a.Handle(wire.SubmitTask, fakenode.AcceptAll)
	c := newClient(t, nil, a)
	done := later(func() error { _, err := c.Submit(within(t), "t", nil); return err })
	eventually(t, "a second try", func() bool { return len(a.Hellos()) > before+1 })
	a.Refuse(nil)
	mustBe(t, <-done, nil)
	a.Welcome(func(w *wire.Welcome) { w.Version = 2 })
	_, err := newClient(t, nil, a).Submit(within(t), "t", nil)
	mustBe(t, err, task.ErrVersion)
}

// TestSilentNode: a node that hangs is given up, one that only takes its time is not.
func TestSilentNode(t *testing.T) {
	hanging, other := fakenode.Start(t), fakenode.Start(t)
	quick := func(cfg *Config) { cfg.ProbeAfter = 20 * time.Millisecond }
	c := newClient(t, quick, hanging, other)
	done := later(func() error { _, err := c.Submit(within(t), "t", nil); return err })
	eventually(t, "a connection", func() bool { return len(hanging.Hellos()) == 1 })
	hanging.Next(wire.SubmitTask) // and ClusterStatus has no answer either
	other.Next(wire.SubmitTask).Accept(false)
	mustBe(t, <-done, nil)

	slow := fakenode.Start(t)
	c = newClient(t, quick, slow)
	done = later(func() error {
		_, err := c.Claim(within(t), task.ClaimRequest{WorkerID: "w", Max: 1,
			Wait: time.Minute})
		return err
	})
	claim := slow.Next(wire.ClaimTask)
	for range 5 {
		slow.Next(wire.ClusterStatus).Ack(&wirepb.ClusterStatusReply{})
	}
	claim.Ack(&wirepb.ClaimReply{})
	mustBe(t, <-done, nil)
	if len(slow.Hellos()) != 1 {
		t.Error("a node that answers probes was given up")
	}
}

// TestSilentHandshake: DialTimeout bounds the handshake.
func TestSilentHandshake(t *testing.T) {
	hanging, other := fakenode.Start(t), fakenode.Start(t)
	hanging.Mute(true)
	other.Handle(wire.SubmitTask, fakenode.AcceptAll)
	submits(t, newClient(t, func(cfg *Config) { cfg.DialTimeout = 50 * time.Millisecond }, hanging, other))
}

// TestSharedDial: requests that come while the client connects share one connection, and one that gives up does not
// disturb the others.
func TestSharedDial(t *testing.T) {
	n := fakenode.Start(t)
	n.Mute(true)
	n.Handle(wire.SubmitTask, fakenode.AcceptAll)
	c := newClient(t, func(cfg *Config) { cfg.DialTimeout = 300 * time.Millisecond }, n)
	ctx, cancel := context.WithCancel(context.Background())
	gone := later(func() error { _, err := c.Submit(ctx, "t", nil); return err })
	eventually(t, "a connection", func() bool { return n.Conns() == 1 })
	var all []<-chan error
	for range 10 {
		all = append(all, later(func() error { _, err := c.Submit(within(t), "t", nil); return err }))
	}
	cancel()
	mustBe(t, <-gone, context.Canceled)
	n.Mute(false)
	for _, done := range all {
		mustBe(t, <-done, nil)
	}
	if open := n.Conns(); open != 1 {
		t.Errorf("%d connections", open)
	}
}
