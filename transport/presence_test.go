package transport

import (
	"testing"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

func TestSessionIsOpenAtTheLeader(t *testing.T) {
	b := newBroker()
	s := start(t, 1, b, nil)
	session := task.NewSessionID()
	isOpen := func(n int) func() bool {
		return func() bool { open, _ := b.connections(session); return open == n }
	}
	p := connectAs(t, s, session)
	eventually(t, "the session", isOpen(1))
	q := connectAs(t, s, session)
	eventually(t, "its second connection", isOpen(2))
	connect(t, s).works() // a client without a session opens none
	if _, ever := b.connections(session); ever != 2 {
		t.Errorf("opened %d times", ever)
	}
	p.nc.Close()
	eventually(t, "the end of one", isOpen(1))

	b.lead("other:1", false)
	eventually(t, "the loss of leadership", isOpen(0))
	b.lead("", true)
	eventually(t, "the leadership of a new term", isOpen(1))
	q.nc.Close()
	eventually(t, "the end of both", isOpen(0))
}

// TestSessionIsOpenedAnewInEachTerm although the loss of leadership in between went unseen.
func TestSessionIsOpenedAnewInEachTerm(t *testing.T) {
	b := newBroker()
	s := start(t, 1, b, nil)
	session := task.NewSessionID()
	connectAs(t, s, session)
	eventually(t, "the session", func() bool { open, _ := b.connections(session); return open == 1 })
	b.lead("", true)
	eventually(t, "the new opening", func() bool {
		open, ever := b.connections(session)
		return open == 1 && ever >= 2
	})
}

func TestPush(t *testing.T) {
	b := newBroker()
	s := start(t, 1, b, nil)
	session := task.NewSessionID()
	p, other := connectAs(t, s, session), connectAs(t, s, task.NewSessionID())
	eventually(t, "the session", func() bool { open, _ := b.connections(session); return open == 1 })
	id := task.NewID()
	b.push(session, []task.ID{id}, false)
	if got := p.receivePush(false); len(got) != 1 || string(got[0]) != string(id[:]) {
		t.Errorf("cancel %x", got)
	}
	b.push(session, nil, true)
	p.receiveEnd()
	p.works()
	other.works() // and got nothing before it
}

// TestIdleWorkerIsSeenAgainAfterItsUpstreamBroke: a busy worker sends nothing, but the leader, the same or a new one, has
// to see its session again soon, or it takes the leases back.
func TestIdleWorkerIsSeenAgainAfterItsUpstreamBroke(t *testing.T) {
	n := startPair(t, nil)
	session := task.NewSessionID()
	seen := func(b *fakeBroker, ever int) func() bool {
		return func() bool { open, opened := b.connections(session); return open == 1 && opened == ever }
	}
	connectAs(t, n.followerS, session).call(wire.GetStats, new(wirepb.StatsRequest), new(wirepb.StatsReply))
	eventually(t, "the session", seen(n.leader, 1))
	for _, c := range n.leaderS.clients() {
		c.net.Close()
	}
	eventually(t, "the session on a new upstream", seen(n.leader, 2))

	next := newBroker()
	next.members[member.ID{2}] = true
	nextS := start(t, 3, next, nil)
	n.follower.lead(nextS.Addr().String(), false)
	eventually(t, "the session at the next leader", seen(next, 1))
	n.follower.lead("", true)
	eventually(t, "the session at the node itself", seen(n.follower, 1))
}
