package transport

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

func TestWelcome(t *testing.T) {
	b := newBroker()
	s := start(t, 1, b, func(l *Limits) { l.MaxRequests = 77 })
	got := dial(t, s).greet(task.SessionID{})
	want := wire.Welcome{
		Version: wire.Version, NodeID: member.ID{1}, NodeName: "node-1", ClusterID: cluster,
		LeaderAddress: s.Addr().String(), IsLeader: true,
		HeartbeatInterval: 10 * time.Second, MinLease: 6 * time.Second, MaxInFlight: 77, ServerVersion: "test",
		Access: member.Open(),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	b.lead("elsewhere:1", false)
	if got = dial(t, s).greet(task.SessionID{}); got.IsLeader || got.LeaderAddress != "elsewhere:1" {
		t.Errorf("as follower: %+v", got)
	}
}

func TestRefusedHandshakes(t *testing.T) {
	b := newBroker()
	b.members[member.ID{2}] = true
	s := start(t, 1, b, nil)
	other := connect(t, s)
	session, foreign := []byte("sixteen bytes ok"), bytes.Repeat([]byte{9}, 16)
	node := func(n byte) []byte { return append([]byte{n}, make([]byte, 15)...) }
	from := func(node []byte) *wirepb.Hello {
		return &wirepb.Hello{ProtocolVersion: 1, ForwardedBy: &wirepb.ForwardedBy{NodeId: node}}
	}
	for _, tc := range []struct {
		name  string
		frame []byte
		id    uint32
		want  error
	}{
		{"other version", hello(t, 5, &wirepb.Hello{ProtocolVersion: 2}), 5, task.ErrVersion},
		{"no version", hello(t, 5, &wirepb.Hello{}), 5, task.ErrVersion},
		{"other cluster", hello(t, 6, &wirepb.Hello{ProtocolVersion: 1, ClusterId: foreign}), 6, task.ErrHandshake},
		{"not a Hello", wire.AppendFrame(nil, wire.GetStats, 7, nil), 7, task.ErrHandshake},
		{"unknown type first", wire.AppendFrame(nil, 200, 7, nil), 7, task.ErrHandshake},
		{"request id 0", hello(t, 0, &wirepb.Hello{ProtocolVersion: 1}), 0, task.ErrInvalid},
		{"short session", hello(t, 8, &wirepb.Hello{ProtocolVersion: 1, Session: session[:15]}), 8, task.ErrInvalid},
		{"garbage body", wire.AppendFrame(nil, wire.Hello, 9, []byte{0xff, 0xff, 0xff}), 9, task.ErrInvalid},
		{"huge", wire.AppendFrame(nil, wire.Hello, 9, make([]byte, maxHello)), 0, task.ErrTooLarge},
		{"relayed by a stranger", hello(t, 3, from(node(3))), 3, task.ErrNotAllowed},
		{"relayed by nobody", hello(t, 3, from(nil)), 3, task.ErrInvalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := dial(t, s)
			p.write(tc.frame)
			p.nack(tc.id, tc.want)
			p.closed()
			other.works()
		})
	}
	p := dial(t, s)
	good := from(node(2))
	good.ClusterId, good.Session = cluster[:], session
	p.write(hello(t, 1, good))
	p.ack(1, new(wirepb.HelloReply))
	p.works()
}

func hello(t *testing.T, id uint32, m *wirepb.Hello) []byte {
	t.Helper()
	frame, err := wire.AppendMessage(nil, wire.Hello, id, m)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

func TestHelloDeadline(t *testing.T) {
	s := start(t, 1, newBroker(), func(l *Limits) { l.HandshakeTimeout = 30 * time.Millisecond })
	p := dial(t, s)
	p.write([]byte{0, 0})
	p.nack(0, task.ErrTimeout)
	p.closed()
}

func TestClientsWaitForServe(t *testing.T) {
	s := listen(t, nil)
	p := dial(t, s)
	p.write(hello(t, 1, &wirepb.Hello{ProtocolVersion: 1}))
	eventually(t, "the connection", func() bool { return len(s.clients()) == 1 })
	serve(s, 1, newBroker())
	p.ack(1, new(wirepb.HelloReply))
}

func TestClientsDoNotWaitLongForServe(t *testing.T) {
	s := listen(t, func(l *Limits) { l.HandshakeTimeout = 20 * time.Millisecond })
	p := dial(t, s)
	p.write(hello(t, 1, &wirepb.Hello{ProtocolVersion: 1}))
	p.nack(0, task.ErrBusy)
	p.closed()
}
