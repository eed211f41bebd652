package transport

import (
	"testing"

	"github.com/haiku-queue/haiku/task"
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
	p.receivePush(true)
	p.works()
	other.works() // and got nothing before it
}
