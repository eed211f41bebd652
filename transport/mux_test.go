package transport

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/task"
)

func TestGarbageIsClosedAtOnce(t *testing.T) {
	s := start(t, 1, newBroker(), nil)
	other := connect(t, s)
	for _, first := range []string{"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01", "r", "\x01\x00\x00\x00", "\xff"} {
		p := dial(t, s)
		p.write([]byte(first))
		p.closed()
	}
	other.works()
}

func TestFirstByteDeadline(t *testing.T) {
	s := start(t, 1, newBroker(), func(l *Limits) { l.HandshakeTimeout = 20 * time.Millisecond })
	dial(t, s).closed()
}

func TestCloseEndsConnectionsWithoutFirstByte(t *testing.T) {
	s := listen(t, func(l *Limits) { l.HandshakeTimeout = time.Minute })
	p := dial(t, s)
	eventually(t, "the connection", func() bool { return s.unknown.Load() == 1 })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	p.closed()
}

func TestRaftStreamIsHandedOnUnread(t *testing.T) {
	s := listen(t, nil) // before Serve
	if s.Raft().Addr().String() != s.Addr().String() {
		t.Errorf("Addr %s, want %s", s.Raft().Addr(), s.Addr())
	}
	p := dial(t, s)
	p.write([]byte("Raft stream"))
	nc, err := s.Raft().Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	got := make([]byte, len("Raft stream"))
	if _, err := io.ReadFull(nc, got); err != nil || string(got) != "Raft stream" {
		t.Fatalf("read %q, %v", got, err)
	}
	if _, err := nc.Write([]byte("yes")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(p.r, got[:3]); err != nil || string(got[:3]) != "yes" {
		t.Fatalf("the other side read %q, %v", got[:3], err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Write([]byte("yes")); err != nil {
		t.Errorf("Close has ended a stream that was handed on: %v", err)
	}
}

func TestRaftConnectionsAreCounted(t *testing.T) {
	s := listen(t, func(l *Limits) { l.MaxRaftConns = 1 })
	dial(t, s).write([]byte("R"))
	nc, err := s.Raft().Accept()
	if err != nil {
		t.Fatal(err)
	}
	second := dial(t, s)
	second.write([]byte("R"))
	second.closed()
	nc.Close()
	nc.Close() // counts once
	third := dial(t, s)
	third.write([]byte("R"))
	nc, err = s.Raft().Accept()
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
}

func TestRaftListenerCloses(t *testing.T) {
	s := start(t, 1, newBroker(), nil)
	p := dial(t, s)
	p.write([]byte("R"))
	eventually(t, "the stream in the backlog", func() bool { return s.raft.open.Load() == 1 })
	accepted := make(chan error)
	if err := s.Raft().Close(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := s.Raft().Accept()
		accepted <- err
	}()
	if err := <-accepted; err != net.ErrClosed {
		t.Errorf("Accept after Close: %v", err)
	}
	p.closed()
	late := dial(t, s)
	late.write([]byte("R"))
	late.closed()
	connect(t, s).works()
}

func TestTooManyConnections(t *testing.T) {
	s := start(t, 1, newBroker(), func(l *Limits) { l.MaxConns = 2 })
	first, second := connect(t, s), connect(t, s)
	third := dial(t, s)
	third.write([]byte{0})
	if e := third.nack(0, task.ErrBusy); !e.Retryable || e.RetryAfter <= 0 {
		t.Errorf("busy without retry: %+v", e)
	}
	third.closed()
	first.works()
	second.nc.Close()
	eventually(t, "the free place", func() bool { return len(s.clients()) == 1 })
	connect(t, s).works()
}

func TestListenRefusesPortInUse(t *testing.T) {
	s := listen(t, nil)
	cfg := Default()
	cfg.Addr = s.Addr().String()
	if _, err := Listen(cfg); err == nil {
		t.Fatal("no error")
	}
}
