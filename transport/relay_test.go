package transport

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// pair is a follower, node 2, and its leader, node 1.
type pair struct {
	leader, follower   *fakeBroker
	leaderS, followerS *Server
}

func startPair(t *testing.T, change func(*Limits)) *pair {
	t.Helper()
	p := &pair{leader: newBroker(), follower: newBroker()}
	p.leader.members[member.ID{2}] = true
	p.leaderS = start(t, 1, p.leader, change)
	p.follower.address, p.follower.self = p.leaderS.Addr().String(), false
	p.followerS = start(t, 2, p.follower, change)
	return p
}

func TestFollowerRelays(t *testing.T) {
	n := startPair(t, nil)
	session := task.NewSessionID()
	claims := make(chan task.ClaimRequest, 1)
	n.leader.claim = func(_ context.Context, req task.ClaimRequest) ([]*task.Task, error) {
		claims <- req
		return []*task.Task{bigTask(100)}, nil
	}
	p := connectAs(t, n.followerS, session)
	if len(n.leaderS.clients()) != 0 {
		t.Error("an upstream without need")
	}
	m := submitPB(2)
	m.Tasks[1].Type = ""
	var submitted wirepb.SubmitReply
	p.call(wire.SubmitTask, m, &submitted)
	wantErrors(t, receiptErrors(submitted.Receipts), nil, task.ErrInvalid)
	var claimed wirepb.ClaimReply
	p.call(wire.ClaimTask, waitingClaim(), &claimed)
	if req := <-claims; req.Session != session || len(claimed.Tasks) != 1 {
		t.Errorf("claim %+v, reply %v", req, &claimed)
	}
	var stats wirepb.StatsReply
	p.call(wire.GetStats, new(wirepb.StatsRequest), &stats)
	if n.leader.stats != 1 || n.follower.stats != 0 {
		t.Errorf("stats at leader %d, at follower %d", n.leader.stats, n.follower.stats)
	}
	p.nack(p.send(wire.Remove, &wirepb.RemoveRequest{NodeId: make([]byte, 16)}), task.ErrNotFound)
	p.nack(p.send(wire.SubmitTask, new(wirepb.SubmitRequest)), task.ErrInvalid) // the leader's Nack
	if got := len(n.leaderS.clients()); got != 1 {
		t.Errorf("%d upstreams", got)
	}
	if open, _ := n.leader.connections(session); open != 1 {
		t.Errorf("%d connections of the session at the leader", open)
	}
	if _, ever := n.follower.connections(session); ever != 0 {
		t.Error("the follower opened the session")
	}
	p.nc.Close()
	eventually(t, "the end of the upstream", func() bool { return len(n.leaderS.clients()) == 0 })
	if open, _ := n.leader.connections(session); open != 0 {
		t.Error("the session has outlived its connection")
	}
}

func TestFollowerAnswersLocally(t *testing.T) {
	n := startPair(t, nil)
	p := connect(t, n.followerS)
	id := task.NewID()
	p.call(wire.GetStats, &wirepb.StatsRequest{Stale: true}, new(wirepb.StatsReply))
	p.call(wire.QueryStatus, &wirepb.QueryRequest{Stale: true, Ids: [][]byte{id[:]}}, new(wirepb.QueryReply))
	p.call(wire.ListTasks, &wirepb.ListRequest{Stale: true}, new(wirepb.ListReply))
	p.call(wire.Queues, &wirepb.QueuesRequest{Stale: true}, new(wirepb.QueuesReply))
	var status wirepb.ClusterStatusReply
	p.call(wire.ClusterStatus, new(wirepb.ClusterStatusRequest), &status)
	if status.NodeName != "node-2" {
		t.Errorf("status of %s", status.NodeName)
	}
	e := p.nack(p.send(wire.Leave, new(wirepb.LeaveRequest)), task.ErrNotAllowed)
	if e.Message != "not allowed: node-2" {
		t.Errorf("leave was answered with %q", e.Message)
	}
	var doctor wirepb.DoctorReply
	p.call(wire.Doctor, &wirepb.DoctorRequest{Index: 7}, &doctor)
	if doctor.Found.Problems[0] != "node-2" {
		t.Errorf("examination of %s", doctor.Found.Problems[0])
	}
	p.nack(p.send(wire.Adopt, &wirepb.AdoptRequest{Addresses: []string{"a:1"}}), task.ErrConflict)
	if len(n.leaderS.clients()) != 0 {
		t.Error("an upstream without need")
	}
}

func TestPushGoesThroughTheFollower(t *testing.T) {
	n := startPair(t, nil)
	session := task.NewSessionID()
	p := connectAs(t, n.followerS, session)
	p.call(wire.SubmitTask, submitPB(1), new(wirepb.SubmitReply))
	id := task.NewID()
	n.leader.push(session, []task.ID{id}, false)
	if got := p.receivePush(false); len(got) != 1 || string(got[0]) != string(id[:]) {
		t.Errorf("cancel %x", got)
	}
}

func TestManyRelayedRequestsAtOnce(t *testing.T) {
	n := startPair(t, nil)
	g := newGate()
	n.leader.submit = gatedSubmit(g)
	p := connectAs(t, n.followerS, task.NewSessionID())
	p.send(wire.ClaimTask, waitingClaim())
	want := map[uint32]bool{}
	for range 200 {
		want[p.send(wire.SubmitTask, submitPB(1))] = true
	}
	g.full(t, 200)
	p.works()
	close(g.open)
	for range 200 {
		f := p.receive()
		if f.Type != wire.Ack || !want[f.RequestID] {
			t.Fatalf("%s for request %d: %v", f.Type, f.RequestID, nackError(f))
		}
		delete(want, f.RequestID)
	}
}

// TestBrokenUpstreamGivesUnknownOutcome, to claims too, and the next need dials again.
func TestBrokenUpstreamGivesUnknownOutcome(t *testing.T) {
	n := startPair(t, nil)
	g := newGate()
	n.leader.submit = gatedSubmit(g)
	p := connectAs(t, n.followerS, task.NewSessionID())
	p.send(wire.SubmitTask, submitPB(1))
	g.full(t, 1)
	p.send(wire.ClaimTask, waitingClaim())
	upstream := n.leaderS.clients()[0]
	eventually(t, "the claim at the leader", func() bool { return upstream.w.owed.Load() == 2 })
	upstream.net.Close()
	for range 2 {
		f := p.receive()
		if err := nackError(f); wire.CodeOf(err) != wire.CodeOf(task.ErrUnknownOutcome) || wire.Retryable(err) {
			t.Errorf("request %d: %v", f.RequestID, err)
		}
	}
	p.call(wire.GetStats, new(wirepb.StatsRequest), new(wirepb.StatsReply))
}

func TestChangedLeaderEndsTheUpstream(t *testing.T) {
	n := startPair(t, nil)
	third := newBroker()
	third.members[member.ID{2}] = true
	thirdS := start(t, 3, third, nil)
	g := newGate()
	n.leader.submit = gatedSubmit(g)
	p := connect(t, n.followerS)
	id := p.send(wire.SubmitTask, submitPB(1))
	g.full(t, 1)

	n.follower.lead("", false) // nobody known: the old one may yet answer
	n.follower.lead(thirdS.Addr().String(), false)
	p.nack(id, task.ErrUnknownOutcome)
	p.call(wire.SubmitTask, submitPB(1), new(wirepb.SubmitReply))
	if third.submits != 1 {
		t.Errorf("%d submits at the new leader", third.submits)
	}
	eventually(t, "the end of the old upstream", func() bool { return len(n.leaderS.clients()) == 0 })

	n.follower.lead("", true)
	p.call(wire.SubmitTask, submitPB(1), new(wirepb.SubmitReply))
	if n.follower.submits != 1 {
		t.Error("the new leader does not serve its own client")
	}
	eventually(t, "the end of its upstream", func() bool { return len(thirdS.clients()) == 0 })
}

func TestNoLeader(t *testing.T) {
	b := newBroker()
	b.self = false
	p := connect(t, start(t, 1, b, func(l *Limits) { l.LeaderWait = 30 * time.Millisecond }))
	if e := p.nack(p.send(wire.SubmitTask, submitPB(1)), task.ErrNoLeader); !e.Retryable {
		t.Error("not retryable")
	}
	p.works()
}

// TestRequestWaitsForALeader, the other requests of the connection meanwhile do not.
func TestRequestWaitsForALeader(t *testing.T) {
	b := newBroker()
	b.self = false
	p := connect(t, start(t, 1, b, func(l *Limits) { l.LeaderWait = time.Minute }))
	first, second := p.send(wire.SubmitTask, submitPB(1)), p.send(wire.SubmitTask, submitPB(1))
	p.works()
	b.lead("", true)
	for range 2 {
		if f := p.receive(); f.Type != wire.Ack || (f.RequestID != first && f.RequestID != second) {
			t.Errorf("%s for request %d: %v", f.Type, f.RequestID, nackError(f))
		}
	}
}

func TestUnreachableLeader(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // nobody listens there
	b := newBroker()
	b.address, b.self = l.Addr().String(), false
	s := start(t, 1, b, func(l *Limits) { l.LeaderWait = 200 * time.Millisecond })
	p := connect(t, s)
	e := p.nack(p.send(wire.SubmitTask, submitPB(1)), task.ErrNoLeader)
	if e.Leader != b.address {
		t.Errorf("leader hint %q", e.Leader)
	}
	b.lead("", true)
	p.call(wire.SubmitTask, submitPB(1), new(wirepb.SubmitReply))
}

// TestDialToALeaderThatHangsEndsWithItsLeadership: nothing answers the upstream's Hello, and then another node leads.
func TestDialToALeaderThatHangsEndsWithItsLeadership(t *testing.T) {
	hung, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hung.Close()
	b := newBroker()
	b.address, b.self = hung.Addr().String(), false
	s := start(t, 1, b, func(l *Limits) { l.LeaderWait, l.HandshakeTimeout = time.Minute, time.Minute })
	p := connect(t, s)
	id := p.send(wire.SubmitTask, submitPB(1))
	nc, err := hung.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	b.lead("", true)
	p.ack(id, new(wirepb.SubmitReply))
}

// TestLeaderThatDoesNotLead: the follower's view is old; what it dials says so in its welcome.
func TestLeaderThatDoesNotLead(t *testing.T) {
	n := startPair(t, func(l *Limits) { l.LeaderWait = 200 * time.Millisecond })
	n.leader.lead("", false)
	p := connect(t, n.followerS)
	p.nack(p.send(wire.SubmitTask, submitPB(1)), task.ErrNoLeader)
	n.leader.lead("", true)
	p.call(wire.SubmitTask, submitPB(1), new(wirepb.SubmitReply))
}

// TestOneHopOnly: what a member relayed to a node that does not lead is not relayed again.
func TestOneHopOnly(t *testing.T) {
	n := startPair(t, nil)
	n.follower.members[member.ID{3}] = true
	p := dial(t, n.followerS)
	from := member.ID{3}
	p.write(hello(t, 1, &wirepb.Hello{ProtocolVersion: 1, ForwardedBy: &wirepb.ForwardedBy{NodeId: from[:]}}))
	p.id = 1
	p.ack(1, new(wirepb.HelloReply))
	for _, kind := range []wire.Type{wire.SubmitTask, wire.ClaimTask, wire.GetStats, wire.Mark} {
		e := p.nack(p.send(kind, wire.NewRequest(kind)), task.ErrNotLeader)
		if e.Leader != n.leaderS.Addr().String() || !e.Retryable {
			t.Errorf("%s: leader hint %q", kind, e.Leader)
		}
	}
	if len(n.leaderS.clients()) != 0 {
		t.Error("it was relayed")
	}
}

// TestSlowClientHoldsBackTheLeader: large replies wait at the leader, not in the follower's memory, until they are
// read.
func TestSlowClientHoldsBackTheLeader(t *testing.T) {
	n := startPair(t, nil)
	g := newGate()
	n.leader.claim = func(ctx context.Context, _ task.ClaimRequest) ([]*task.Task, error) {
		g.pass(ctx)
		return []*task.Task{bigTask(8 << 20)}, nil
	}
	p, other := connectAs(t, n.followerS, task.NewSessionID()), connect(t, n.followerS)
	for range 6 {
		p.send(wire.ClaimTask, waitingClaim())
	}
	g.full(t, 6)
	close(g.open)
	eventually(t, "a reply at the follower", func() bool { return n.followerS.replies.used.Load() > softQueueBytes })
	for before := int64(-1); before != n.leaderS.replies.used.Load(); { // until nothing moves any more
		before = n.leaderS.replies.used.Load()
		for range 300 {
			other.call(wire.GetStats, new(wirepb.StatsRequest), new(wirepb.StatsReply))
		}
	}
	if held := n.followerS.replies.used.Load(); held > 17<<20 {
		t.Errorf("the follower holds %d bytes", held)
	}
	for range 6 {
		if f := p.receive(); f.Type != wire.Ack {
			t.Fatal(nackError(f))
		}
	}
}

// TestUpstreamThatAnswersWhatNobodyAsked is broken off.
func TestUpstreamThatAnswersWhatNobodyAsked(t *testing.T) {
	fake, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer fake.Close()
	b := newBroker()
	b.address, b.self = fake.Addr().String(), false
	p := connect(t, start(t, 1, b, func(l *Limits) { l.LeaderWait = 300 * time.Millisecond }))
	id := p.send(wire.SubmitTask, submitPB(1))
	nc, err := fake.Accept()
	if err != nil {
		t.Fatal(err)
	}
	up := &peer{t: t, nc: nc}
	defer nc.Close()
	frame, err := wire.AppendMessage(nil, wire.Ack, 1, &wirepb.HelloReply{ProtocolVersion: 1, IsLeader: true})
	if err != nil {
		t.Fatal(err)
	}
	up.write(frame)
	up.write(wire.AppendFrame(nil, wire.Ack, 999, nil))
	p.nack(id, task.ErrUnknownOutcome)
	p.works()
}
