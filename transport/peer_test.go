package transport

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// patience is how long a test waits for what has to come.
const patience = 10 * time.Second

var cluster = member.ID{0xc1}

// listen starts a port without serving clients. When the test ends, it closes it and checks that nothing is counted any
// more.
func listen(t *testing.T, change func(*Limits)) *Server {
	t.Helper()
	cfg := Default()
	cfg.Addr = "127.0.0.1:0"
	cfg.Limits.DrainTimeout = 100 * time.Millisecond
	cfg.Logger = slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if change != nil {
		change(&cfg.Limits)
	}
	s, err := Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if n := s.total.used.Load() + s.replies.used.Load(); n != 0 {
			t.Errorf("%d bytes are still counted after Close", n)
		}
		if n := s.unknown.Load(); n != 0 {
			t.Errorf("%d connections are still counted after Close", n)
		}
	})
	return s
}

type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Logf("%s", p)
	return len(p), nil
}

// start serves clients as node number n.
func start(t *testing.T, n byte, b *fakeBroker, change func(*Limits)) *Server {
	t.Helper()
	s := listen(t, change)
	serve(s, n, b)
	return s
}

func serve(s *Server, n byte, b *fakeBroker) {
	name := fmt.Sprintf("node-%d", n)
	s.Serve(Identity{
		NodeID: member.ID{n}, ClusterID: cluster, NodeName: name, Version: "test", HeartbeatInterval: 10 * time.Second,
		MinLease: 6 * time.Second, Advertise: s.Addr().String(),
	}, b, &fakeAdmin{name: name})
}

// peer is a client that speaks frames.
type peer struct {
	t  *testing.T
	nc net.Conn
	r  *bufio.Reader
	id uint32
}

func dial(t *testing.T, s *Server) *peer {
	t.Helper()
	nc, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return &peer{t: t, nc: nc, r: bufio.NewReader(nc)}
}

// connect dials and says Hello.
func connect(t *testing.T, s *Server) *peer {
	t.Helper()
	p := dial(t, s)
	p.greet(task.SessionID{})
	return p
}

// connectAs connects with a session.
func connectAs(t *testing.T, s *Server, session task.SessionID) *peer {
	t.Helper()
	p := dial(t, s)
	p.greet(session)
	return p
}

func (p *peer) greet(session task.SessionID) wire.Welcome {
	p.t.Helper()
	var reply wirepb.HelloReply
	g := wire.Greeting{Version: wire.Version, ClientName: "test", Session: session}
	p.call(wire.Hello, wire.GreetingToPB(&g), &reply)
	w, err := wire.WelcomeFromPB(&reply)
	if err != nil {
		p.t.Fatal(err)
	}
	return w
}

// send sends a request and returns its id.
func (p *peer) send(t wire.Type, m wire.Message) uint32 {
	p.t.Helper()
	p.id++
	frame, err := wire.AppendMessage(nil, t, p.id, m)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(frame)
	return p.id
}

func (p *peer) write(b []byte) {
	p.t.Helper()
	if err := p.nc.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.nc.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// receive returns the next frame.
func (p *peer) receive() wire.Frame {
	p.t.Helper()
	if err := p.nc.SetReadDeadline(time.Now().Add(patience)); err != nil {
		p.t.Fatal(err)
	}
	f, err := wire.ReadFrame(p.r, 0)
	if err != nil {
		p.t.Fatalf("receive: %v", err)
	}
	return f
}

// call sends a request and decodes its Ack into reply.
func (p *peer) call(t wire.Type, m, reply wire.Message) {
	p.t.Helper()
	id := p.send(t, m)
	p.ack(id, reply)
}

func (p *peer) ack(id uint32, reply wire.Message) {
	p.t.Helper()
	f := p.receive()
	if f.Type != wire.Ack || f.RequestID != id {
		p.t.Fatalf("got %s for request %d (%v), want Ack for %d", f.Type, f.RequestID, nackError(f), id)
	}
	if err := wire.Decode(f, reply); err != nil {
		p.t.Fatal(err)
	}
}

// failure sends a request and returns the error that it gets; nil for an Ack.
func (p *peer) failure(t wire.Type, m wire.Message) error {
	p.t.Helper()
	p.send(t, m)
	if f := p.receive(); f.Type == wire.Nack {
		return nackError(f)
	}
	return nil
}

// nack expects the next frame to be a Nack of that error for that request.
func (p *peer) nack(id uint32, want error) *wire.RemoteError {
	p.t.Helper()
	f := p.receive()
	err := nackError(f)
	if f.RequestID != id || !errors.Is(err, want) {
		p.t.Fatalf("got %s for request %d (%v), want Nack %v for %d", f.Type, f.RequestID, err, want, id)
	}
	var remote *wire.RemoteError
	errors.As(err, &remote)
	return remote
}

func nackError(f wire.Frame) error {
	var n wirepb.Nack
	if f.Type != wire.Nack {
		return nil
	}
	if err := wire.Decode(f, &n); err != nil {
		return err
	}
	return wire.ErrorFromNack(&n)
}

// closed expects that the server sends nothing more and hangs up, and does the same.
func (p *peer) closed() {
	p.t.Helper()
	if err := p.nc.SetReadDeadline(time.Now().Add(patience)); err != nil {
		p.t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, p.r)
	var timeout net.Error
	if n != 0 || (errors.As(err, &timeout) && timeout.Timeout()) {
		p.t.Fatalf("got %d bytes and error %v, want a closed connection", n, err)
	}
	p.nc.Close()
}

// works shows that the connection is served.
func (p *peer) works() {
	p.t.Helper()
	p.call(wire.GetStats, &wirepb.StatsRequest{Stale: true}, new(wirepb.StatsReply))
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(patience)
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for !is() {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("not seen within %s: %s", patience, what)
		}
	}
}

// unsent waits until more than n bytes of replies pile up for clients that do not read.
func unsent(t *testing.T, s *Server, n int64) {
	t.Helper()
	eventually(t, "the replies in the queue", func() bool {
		var sum int64
		for _, c := range s.clients() {
			c.w.mu.Lock()
			sum += c.w.backlog()
			c.w.mu.Unlock()
		}
		return sum > n
	})
}

func specPB() *wirepb.TaskSpec {
	id := task.NewID()
	return &wirepb.TaskSpec{Id: id[:], Type: "mail"}
}

func submitPB(n int) *wirepb.SubmitRequest {
	m := &wirepb.SubmitRequest{}
	for range n {
		m.Tasks = append(m.Tasks, specPB())
	}
	return m
}

func waitingClaim() *wirepb.ClaimRequest {
	return &wirepb.ClaimRequest{WorkerId: "w", Max: 1, WaitUs: time.Minute.Microseconds()}
}

// receivePush expects the next frame to be a push.
func (p *peer) receivePush(drain bool) [][]byte {
	p.t.Helper()
	f := p.receive()
	var push wirepb.Push
	if f.Type != wire.Push || f.RequestID != 0 {
		p.t.Fatalf("got %s for request %d (%v), want a push", f.Type, f.RequestID, nackError(f))
	}
	if err := wire.Decode(f, &push); err != nil {
		p.t.Fatal(err)
	}
	if push.Drain != drain {
		p.t.Fatalf("push with drain %t, want %t", push.Drain, drain)
	}
	return push.Cancel
}

// receiveEnd reads the push that asks a worker to end.
func (p *peer) receiveEnd() {
	p.t.Helper()
	f := p.receive()
	var push wirepb.Push
	if err := wire.Decode(f, &push); err != nil || f.Type != wire.Push || f.RequestID != 0 || !push.End || push.Drain {
		p.t.Fatalf("got %s %v, %v, want a push with end", f.Type, &push, err)
	}
}
