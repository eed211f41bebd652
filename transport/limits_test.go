package transport

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

func TestLimitsAreChecked(t *testing.T) {
	if cfg := Default(); cfg.Limits.Validate() != nil {
		t.Errorf("the defaults are refused: %v", cfg.Limits.Validate())
	}
	_, err := Listen(Config{Addr: "127.0.0.1:0", Limits: Limits{DrainTimeout: -1}})
	for _, key := range []string{
		"connections", "raft_connections", "requests", "connection_bytes", "total_bytes", "reply_bytes",
		"handshake_timeout", "frame_timeout", "idle_timeout", "write_timeout", "leader_wait", "drain_timeout",
	} {
		if err == nil || !strings.Contains("\n"+err.Error(), key+" ") {
			t.Errorf("%s is not named in: %v", key, err)
		}
	}
	l := Default().Limits
	l.TotalBytes = l.ConnBytes - 1
	if l.Validate() == nil {
		t.Error("total_bytes below connection_bytes is allowed")
	}
}

// gate is a broker function's place to wait in.
type gate struct{ entered, open chan struct{} }

func newGate() *gate { return &gate{make(chan struct{}, 1000), make(chan struct{})} }

// pass returns when the gate is open or ctx ends.
func (g *gate) pass(ctx context.Context) {
	g.entered <- struct{}{}
	select {
	case <-g.open:
	case <-ctx.Done():
	}
}

// full waits until n calls are inside.
func (g *gate) full(t *testing.T, n int) {
	t.Helper()
	for range n {
		select {
		case <-g.entered:
		case <-time.After(patience):
			t.Fatal("the broker was not called")
		}
	}
}

func gatedSubmit(g *gate) func(context.Context, []task.Spec, bool) ([]task.Receipt, error) {
	return func(ctx context.Context, specs []task.Spec, _ bool) ([]task.Receipt, error) {
		g.pass(ctx)
		return make([]task.Receipt, len(specs)), nil
	}
}

func TestRequestsInWorkAreCounted(t *testing.T) {
	b, g := newBroker(), newGate()
	b.submit = gatedSubmit(g)
	s := start(t, 1, b, func(l *Limits) { l.MaxRequests = 3 })
	p, other := connect(t, s), connect(t, s)
	for range 3 {
		p.send(wire.SubmitTask, submitPB(1))
	}
	g.full(t, 3)
	if e := p.nack(p.send(wire.GetStats, new(wirepb.StatsRequest)), task.ErrBusy); !e.Retryable || e.RetryAfter <= 0 {
		t.Errorf("busy without retry: %+v", e)
	}
	other.works()
	close(g.open)
	for range 3 {
		if f := p.receive(); f.Type != wire.Ack {
			t.Fatal(nackError(f))
		}
	}
	for range 100 { // each at the limit of what is allowed: no reply may be followed by a busy one
		p.works()
	}
}

func TestFullHouseIsServedWithoutBusy(t *testing.T) {
	s := start(t, 1, newBroker(), func(l *Limits) { l.MaxRequests = 2 })
	p := connect(t, s)
	p.send(wire.GetStats, new(wirepb.StatsRequest))
	for range 2000 { // always one or two in work
		p.send(wire.GetStats, new(wirepb.StatsRequest))
		if f := p.receive(); f.Type != wire.Ack {
			t.Fatal(nackError(f))
		}
	}
	p.receive()
}

func TestDuplicateRequestID(t *testing.T) {
	b, g := newBroker(), newGate()
	b.submit = gatedSubmit(g)
	p := connect(t, start(t, 1, b, nil))
	id := p.send(wire.SubmitTask, submitPB(1))
	g.full(t, 1)
	p.write(wire.AppendFrame(nil, wire.GetStats, id, nil))
	p.nack(id, task.ErrInvalid)
	close(g.open)
	p.ack(id, new(wirepb.SubmitReply))
	p.write(wire.AppendFrame(nil, wire.GetStats, id, nil)) // answered, so free again
	p.ack(id, new(wirepb.StatsReply))
}

func bigSubmit(bytes int) *wirepb.SubmitRequest {
	m := submitPB(1)
	m.Tasks[0].Payload = make([]byte, bytes)
	return m
}

func TestBytesOfOneConnectionAreCounted(t *testing.T) {
	b, g := newBroker(), newGate()
	b.submit = gatedSubmit(g)
	s := start(t, 1, b, func(l *Limits) { l.ConnBytes = 16 << 20 })
	p, other := connect(t, s), connect(t, s)
	first := p.send(wire.SubmitTask, bigSubmit(10<<20))
	g.full(t, 1)
	p.nack(p.send(wire.SubmitTask, bigSubmit(10<<20)), task.ErrBusy)
	p.works() // a small one still fits
	second := other.send(wire.SubmitTask, bigSubmit(10<<20))
	g.full(t, 1)
	close(g.open)
	p.ack(first, new(wirepb.SubmitReply))
	other.ack(second, new(wirepb.SubmitReply))
	p.call(wire.SubmitTask, bigSubmit(10<<20), new(wirepb.SubmitReply))
}

func TestBytesOfAllConnectionsAreCounted(t *testing.T) {
	b, g := newBroker(), newGate()
	b.submit = gatedSubmit(g)
	s := start(t, 1, b, func(l *Limits) { l.ConnBytes, l.TotalBytes = 16<<20, 16<<20 })
	p, other := connect(t, s), connect(t, s)
	id := p.send(wire.SubmitTask, bigSubmit(10<<20))
	g.full(t, 1)
	other.nack(other.send(wire.SubmitTask, bigSubmit(10<<20)), task.ErrBusy)
	other.works()
	close(g.open)
	p.ack(id, new(wirepb.SubmitReply))
	eventually(t, "the bytes given back", func() bool { return s.total.used.Load()+s.replies.used.Load() == 0 })
	other.call(wire.SubmitTask, bigSubmit(10<<20), new(wirepb.SubmitReply))
}

func TestLargestFrameIsServed(t *testing.T) {
	s := start(t, 1, newBroker(), func(l *Limits) { l.ConnBytes = 16 << 20 })
	p := connect(t, s)
	p.write(wire.AppendFrame(nil, wire.GetStats, 1, make([]byte, wire.MaxFrame-5)))
	p.nack(1, task.ErrInvalid) // read whole, and not a message
	p.works()
}
