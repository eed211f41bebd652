package transport

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// TestRepliesComeInAnyOrder: a claim that waits holds up nobody, and 200 requests are in work at once.
func TestRepliesComeInAnyOrder(t *testing.T) {
	b, g := newBroker(), newGate()
	b.submit = func(ctx context.Context, specs []task.Spec, _ bool) ([]task.Receipt, error) {
		g.pass(ctx)
		return []task.Receipt{{ID: specs[0].ID}}, nil
	}
	p := connectAs(t, start(t, 1, b, nil), task.NewSessionID())
	p.send(wire.ClaimTask, waitingClaim())
	want := map[uint32]string{}
	for range 200 {
		m := submitPB(1)
		want[p.send(wire.SubmitTask, m)] = string(m.Tasks[0].Id)
	}
	g.full(t, 200)
	p.works()
	close(g.open)
	for range 200 {
		f := p.receive()
		var reply wirepb.SubmitReply
		if err := wire.Decode(f, &reply); f.Type != wire.Ack || err != nil {
			t.Fatal(f.Type, err)
		}
		if string(reply.Receipts[0].Id) != want[f.RequestID] {
			t.Errorf("request %d got the reply of another", f.RequestID)
		}
		delete(want, f.RequestID)
	}
	if len(want) != 0 {
		t.Errorf("%d requests have no reply", len(want))
	}
}

func bigTask(bytes int) *task.Task {
	return &task.Task{
		ID: task.NewID(), Type: "mail", Queue: "default", Status: task.InProgress, Payload: make([]byte, bytes),
	}
}

// TestClaimRepliesNotReadEndTheConnection: what was claimed cannot be kept for a client that does not take it.
func TestClaimRepliesNotReadEndTheConnection(t *testing.T) {
	b, g := newBroker(), newGate()
	b.claim = func(ctx context.Context, _ task.ClaimRequest) ([]*task.Task, error) {
		g.pass(ctx)
		return []*task.Task{bigTask(8 << 20)}, nil
	}
	s := start(t, 1, b, func(l *Limits) { l.QueueBytes = 32 << 20 })
	other := connect(t, s)
	p := connectAs(t, s, task.NewSessionID())
	for range 12 {
		p.send(wire.ClaimTask, waitingClaim())
	}
	g.full(t, 12)
	close(g.open)
	eventually(t, "the end of the connection", func() bool { return len(s.clients()) == 1 })
	eventually(t, "the memory given back", func() bool { return s.total.used.Load()+s.replies.used.Load() == 0 })
	other.works()
}

// TestWaitingReadsFetchPayloadsInTurn: however many reads wait for a task with its payload, few payloads are read before
// the client takes them.
func TestWaitingReadsFetchPayloadsInTurn(t *testing.T) {
	b, g := newBroker(), newGate()
	var read atomic.Int64
	b.get = func(ctx context.Context, q task.Query) ([]*task.Task, uint64, error) {
		if !q.WithPayload {
			g.pass(ctx)
			return []*task.Task{bigTask(0)}, 1, nil
		}
		read.Add(1)
		return []*task.Task{bigTask(15 << 20)}, 1, nil
	}
	p := connect(t, start(t, 1, b, nil))
	id := task.NewID()
	q := &wirepb.QueryRequest{Ids: [][]byte{id[:]}, WithPayload: true, WaitUs: time.Minute.Microseconds()}
	const waiting = 12
	for range waiting {
		p.send(wire.QueryStatus, q)
	}
	g.full(t, waiting)
	close(g.open)
	for taken := range waiting {
		if n := int(read.Load()); n > taken+3*bulkReads {
			t.Fatalf("%d payloads were read before %d were taken", n, taken)
		}
		if f := p.receive(); f.Type != wire.Ack {
			t.Fatal(nackError(f))
		}
	}
	p.works()
}

// TestUnreadRepliesLockNobodyOut: clients that have large replies made and do not read them use up what the node gives to
// replies. Others go on, but for further large reads, and the memory stays bounded.
func TestUnreadRepliesLockNobodyOut(t *testing.T) {
	b := newBroker()
	b.list = func(context.Context, task.Filter) (task.Page, error) {
		return task.Page{Tasks: []*task.Task{bigTask(15 << 20)}}, nil
	}
	s := start(t, 1, b, func(l *Limits) { l.TotalBytes = l.ConnBytes })
	list := &wirepb.ListRequest{WithPayload: true}
	for range 8 {
		p := connect(t, s)
		for range 4 {
			p.send(wire.ListTasks, list)
		}
	}
	other := connectAs(t, s, task.NewSessionID())
	eventually(t, "a full node", func() bool { return other.failure(wire.ListTasks, list) != nil })
	other.works()
	other.call(wire.Heartbeat, new(wirepb.HeartbeatRequest), new(wirepb.HeartbeatReply))
	other.call(wire.SubmitTask, submitPB(1), new(wirepb.SubmitReply))
	if err := other.failure(wire.ListTasks, list); !errors.Is(err, task.ErrBusy) {
		t.Errorf("a further large read: %v", err)
	}
	if used, most := s.replies.used.Load(), s.limits.TotalBytes+s.limits.TotalBytes/8; used > most { // see takeVital
		t.Errorf("%d bytes of replies are held, %d are allowed", used, most)
	}
}

// TestBulkReadsTakeTurns: however many lists a client asks for without reading, few are made.
func TestBulkReadsTakeTurns(t *testing.T) {
	b, g := newBroker(), newGate()
	b.list = func(context.Context, task.Filter) (task.Page, error) {
		g.entered <- struct{}{}
		return task.Page{Tasks: []*task.Task{bigTask(15 << 20)}}, nil
	}
	p := connect(t, start(t, 1, b, nil))
	const lists = 15
	for range lists {
		p.send(wire.ListTasks, &wirepb.ListRequest{WithPayload: true})
	}
	g.full(t, 1)
	for read := range lists {
		if made := len(g.entered) + 1; made > read+3*bulkReads {
			t.Fatalf("%d lists were made before %d were read", made, read)
		}
		if f := p.receive(); f.Type != wire.Ack {
			t.Fatal(nackError(f))
		}
	}
}

// TestWriteDeadline: a client that stops reading in the middle of a reply.
func TestWriteDeadline(t *testing.T) {
	b := newBroker()
	b.list = func(context.Context, task.Filter) (task.Page, error) {
		return task.Page{Tasks: []*task.Task{bigTask(15 << 20)}}, nil
	}
	s := start(t, 1, b, func(l *Limits) { l.WriteTimeout = 30 * time.Millisecond })
	other, p := connect(t, s), connect(t, s)
	p.send(wire.ListTasks, new(wirepb.ListRequest))
	eventually(t, "the end of the connection", func() bool { return len(s.clients()) == 1 })
	eventually(t, "the memory given back", func() bool { return s.total.used.Load()+s.replies.used.Load() == 0 })
	other.works()
}

// TestUnreadRepliesHoldBackTheReader: no request is taken while the replies before it pile up, but for one that the
// reader waited for already.
func TestUnreadRepliesHoldBackTheReader(t *testing.T) {
	b, g := newBroker(), newGate()
	b.get = func(ctx context.Context, _ task.Query) ([]*task.Task, uint64, error) {
		g.pass(ctx)
		return []*task.Task{bigTask(12 << 20)}, 1, nil
	}
	s := start(t, 1, b, nil)
	other, p := connect(t, s), connect(t, s)
	id := task.NewID()
	query := &wirepb.QueryRequest{Ids: [][]byte{id[:]}}
	for range 2 {
		p.send(wire.QueryStatus, query)
	}
	g.full(t, 2)
	close(g.open)
	unsent(t, s, 12<<20+4<<10) // both
	for range 5 {
		p.send(wire.QueryStatus, query)
	}
	for range 100 {
		other.works()
	}
	if n := len(g.entered); n > 1 {
		t.Errorf("%d more requests were served while nothing was read", n)
	}
	for range 7 {
		if f := p.receive(); f.Type != wire.Ack {
			t.Error(nackError(f))
		}
	}
}

func TestReplyTooLargeForAFrame(t *testing.T) {
	b := newBroker()
	b.list = func(context.Context, task.Filter) (task.Page, error) {
		return task.Page{Tasks: []*task.Task{bigTask(9 << 20), bigTask(9 << 20)}}, nil
	}
	p := connect(t, start(t, 1, b, nil))
	p.nack(p.send(wire.ListTasks, new(wirepb.ListRequest)), task.ErrTooLarge)
	p.works()
}

// TestEndOfConnectionEndsItsRequests: the broker's contexts end, and nothing else does.
func TestEndOfConnectionEndsItsRequests(t *testing.T) {
	b := newBroker()
	ended := make(chan error, 2)
	started := make(chan struct{}, 2)
	b.submit = func(ctx context.Context, _ []task.Spec, _ bool) ([]task.Receipt, error) {
		started <- struct{}{}
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, ctx.Err()
	}
	s := start(t, 1, b, nil)
	p, other := connect(t, s), connect(t, s)
	p.send(wire.SubmitTask, submitPB(1))
	other.send(wire.SubmitTask, submitPB(1))
	<-started
	<-started
	p.nc.Close()
	<-ended
	eventually(t, "the end of the connection", func() bool { return len(s.clients()) == 1 })
	if len(ended) != 0 {
		t.Error("the other connection's request ended too")
	}
}

// logBuffer keeps what is logged.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestPanicEndsItsConnectionOnly in a request, at the opening of a session, and at a change of leadership.
func TestPanicEndsItsConnectionOnly(t *testing.T) {
	b := newBroker()
	b.list = func(context.Context, task.Filter) (task.Page, error) { panic("planted in list") }
	s := listen(t, nil)
	var text logBuffer
	s.log = slog.New(slog.NewTextHandler(&text, nil))
	bad := task.SessionID{0xbd}
	broker := &panickyBroker{fakeBroker: b, bad: bad}
	s.Serve(Identity{ClusterID: cluster}, broker, &fakeAdmin{})

	other := connectAs(t, s, task.NewSessionID())
	p := connectAs(t, s, task.NewSessionID())
	p.send(wire.ListTasks, new(wirepb.ListRequest))
	p.closed()
	if log := text.String(); !strings.Contains(log, "planted in list") || !strings.Contains(log, "flow_test.go") {
		t.Errorf("no message or no stack in the log: %s", log)
	}

	p = dial(t, s)
	p.write(hello(t, 1, &wirepb.Hello{ProtocolVersion: 1, Session: bad[:]}))
	if _, err := io.Copy(io.Discard, p.r); err != nil { // perhaps the welcome, then the end
		t.Log(err)
	}
	if log := text.String(); !strings.Contains(log, "planted in OpenSession") {
		t.Errorf("no message in the log: %s", log)
	}

	b.lead("", false)
	p = connectAs(t, s, bad)
	b.lead("", true)
	p.closed()
	other.works()
}

// panickyBroker panics when a certain session is opened.
type panickyBroker struct {
	*fakeBroker
	bad task.SessionID
}

func (b *panickyBroker) OpenSession(id task.SessionID, from member.Origin, push func([]task.ID, bool)) func() {
	if id == b.bad {
		panic("planted in OpenSession")
	}
	return b.fakeBroker.OpenSession(id, from, push)
}
