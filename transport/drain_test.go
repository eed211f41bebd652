package transport

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

func closing(s *Server) chan error {
	done := make(chan error, 1)
	go func() { done <- s.Close() }()
	return done
}

func wait(t *testing.T, done chan error) {
	t.Helper()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("Close hangs")
	}
}

// TestCloseLetsRequestsFinish: drain is pushed, what is in work is answered, what comes later is refused.
func TestCloseLetsRequestsFinish(t *testing.T) {
	b, g := newBroker(), newGate()
	b.submit = gatedSubmit(g)
	s := start(t, 1, b, func(l *Limits) { l.DrainTimeout = time.Minute })
	p := connectAs(t, s, task.NewSessionID())
	claim := p.send(wire.ClaimTask, waitingClaim())
	submit := p.send(wire.SubmitTask, submitPB(1))
	g.full(t, 1)
	eventually(t, "the claim", func() bool { return s.clients()[0].w.owed.Load() == 2 })
	done := closing(s)
	refusedClaim, pushed := false, false
	for range 2 { // in either order
		switch f := p.receive(); {
		case f.Type == wire.Push && f.RequestID == 0:
			pushed = true
		case f.RequestID == claim && errors.Is(nackError(f), task.ErrShutdown):
			refusedClaim = true
		default:
			t.Errorf("%s for request %d: %v", f.Type, f.RequestID, nackError(f))
		}
	}
	if !refusedClaim || !pushed {
		t.Errorf("claim ended: %t, drain pushed: %t", refusedClaim, pushed)
	}
	p.nack(p.send(wire.GetStats, new(wirepb.StatsRequest)), task.ErrShutdown)
	late := dial(t, s)
	late.write([]byte{0})
	late.nack(0, task.ErrShutdown)
	late.closed()
	select {
	case <-done:
		t.Error("Close did not wait for the submit")
	default:
	}
	close(g.open)
	p.ack(submit, new(wirepb.SubmitReply))
	p.closed()
	wait(t, done)
}

// TestCloseDoesNotWaitForEver: after the drain timeout the contexts end, and the broker's errors are still sent.
func TestCloseDoesNotWaitForEver(t *testing.T) {
	b := newBroker()
	started := make(chan struct{})
	b.submit = func(ctx context.Context, _ []task.Spec, _ bool) ([]task.Receipt, error) {
		close(started)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	s := start(t, 1, b, func(l *Limits) { l.DrainTimeout = 20 * time.Millisecond })
	p := connect(t, s)
	id := p.send(wire.SubmitTask, submitPB(1))
	<-started
	done := closing(s)
	p.receivePush(true)
	p.nack(id, task.ErrUnknownOutcome)
	p.closed()
	wait(t, done)
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

// TestCloseWithAClientThatDoesNotRead.
func TestCloseWithAClientThatDoesNotRead(t *testing.T) {
	b := newBroker()
	b.list = func(context.Context, task.Filter) (task.Page, error) {
		return task.Page{Tasks: []*task.Task{bigTask(15 << 20)}}, nil
	}
	s := start(t, 1, b, nil)
	p := connect(t, s)
	p.send(wire.ListTasks, new(wirepb.ListRequest))
	unsent(t, s, softQueueBytes)
	wait(t, closing(s))
}

// TestDrainLeavesThePortToRaft: a node hands over its leadership after its clients are gone.
func TestDrainLeavesThePortToRaft(t *testing.T) {
	s := start(t, 1, newBroker(), nil)
	p := connect(t, s)
	s.Drain()
	p.receivePush(true)
	p.closed()
	dial(t, s).write([]byte("R"))
	nc, err := s.Raft().Accept()
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
}

// TestDrainOfTheLeaderIsNotPushedThroughFollowers: their clients may stay where they are.
func TestDrainOfTheLeaderIsNotPushedThroughFollowers(t *testing.T) {
	n := startPair(t, nil)
	p := connect(t, n.followerS)
	p.call(wire.SubmitTask, submitPB(1), new(wirepb.SubmitReply))
	n.leaderS.Drain()
	n.follower.lead("", true)
	p.call(wire.SubmitTask, submitPB(1), new(wirepb.SubmitReply)) // and no push before it
}

// TestFollowerClosesWithRelayedRequests: claims at the leader do not hold it up, and their outcome is unknown.
func TestFollowerClosesWithRelayedRequests(t *testing.T) {
	n := startPair(t, func(l *Limits) { l.DrainTimeout = time.Minute })
	p := connectAs(t, n.followerS, task.NewSessionID())
	id := p.send(wire.ClaimTask, waitingClaim())
	eventually(t, "the claim at the leader", func() bool {
		list := n.leaderS.clients()
		return len(list) == 1 && list[0].w.owed.Load() == 1
	})
	done := closing(n.followerS)
	p.receivePush(true)
	p.nack(id, task.ErrUnknownOutcome)
	p.closed()
	wait(t, done)
}

func TestServeAfterCloseServesNobody(t *testing.T) {
	s := listen(t, nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	serve(s, 1, newBroker())
	select {
	case <-s.served:
		t.Error("it serves")
	default:
	}
}

// TestWaitingReadAtTheLeaderHoldsUpNoStop: a follower that goes down does not wait for it, and says that it can be
// repeated elsewhere.
func TestWaitingReadAtTheLeaderHoldsUpNoStop(t *testing.T) {
	n := startPair(t, func(l *Limits) { l.DrainTimeout = 10 * time.Minute })
	asked := make(chan struct{})
	n.leader.get = func(ctx context.Context, _ task.Query) ([]*task.Task, uint64, error) {
		close(asked)
		<-ctx.Done()
		return nil, 0, ctx.Err()
	}
	p := connect(t, n.followerS)
	id := task.NewID()
	read := p.send(wire.QueryStatus, &wirepb.QueryRequest{Ids: [][]byte{id[:]}, WaitUs: time.Minute.Microseconds()})
	<-asked
	go n.followerS.Close()
	p.receivePush(true)
	if err := p.nack(read, task.ErrNoLeader); !err.Retryable {
		t.Errorf("a read that had no effect is not to be repeated: %v", err)
	}
}
