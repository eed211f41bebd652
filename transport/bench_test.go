package transport

import (
	"bufio"
	"log/slog"
	"net"
	"testing"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/wire"
)

// BenchmarkSubmit sends submits of one task, 100 in work on one connection, to a broker that does nothing.
func BenchmarkSubmit(b *testing.B) {
	leader, follower := newBroker(), newBroker()
	leader.members[member.ID{2}] = true
	direct := benchServer(b, 1, leader)
	follower.address, follower.self = direct.Addr().String(), false
	relayed := benchServer(b, 2, follower)
	b.Run("leader", func(b *testing.B) { benchSubmit(b, direct) })
	b.Run("follower", func(b *testing.B) { benchSubmit(b, relayed) })
}

func benchServer(b *testing.B, n byte, broker *fakeBroker) *Server {
	cfg := Default()
	cfg.Addr, cfg.Logger = "127.0.0.1:0", slog.New(slog.DiscardHandler)
	s, err := Listen(cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	serve(s, n, broker)
	return s
}

func benchSubmit(b *testing.B, s *Server) {
	nc, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	hello, err := wire.AppendMessage(nil, wire.Hello, 1, wire.GreetingToPB(&wire.Greeting{Version: wire.Version}))
	if err != nil {
		b.Fatal(err)
	}
	frame, err := wire.AppendMessage(nil, wire.SubmitTask, 1, submitPB(1))
	if err != nil {
		b.Fatal(err)
	}
	r, w := bufio.NewReader(nc), bufio.NewWriter(nc)
	if _, err := nc.Write(hello); err != nil {
		b.Fatal(err)
	}
	if _, err := wire.ReadFrame(r, 0); err != nil {
		b.Fatal(err)
	}
	places := make(chan uint32, 100)
	for id := range uint32(100) {
		places <- id + 1
	}
	b.ReportAllocs()
	go func() {
		for range b.N {
			id := <-places
			frame[5], frame[6], frame[7], frame[8] = byte(id>>24), byte(id>>16), byte(id>>8), byte(id)
			_, _ = w.Write(frame)
			if len(places) == 0 {
				w.Flush()
			}
		}
		w.Flush()
	}()
	for range b.N {
		f, err := wire.ReadFrame(r, 0)
		if err != nil || f.Type != wire.Ack {
			b.Fatal(f.Type, nackError(f), err)
		}
		places <- f.RequestID
	}
}
