package cluster

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/haiku-queue/haiku/member"
)

// faultNet stands between the nodes of a test: each node is reached through a proxy that reads who dials from the
// stream's header and cuts what a partition forbids.
type faultNet struct {
	t  testing.TB
	wg sync.WaitGroup

	mu      sync.Mutex
	blocked map[[2]member.ID]bool  // from, to
	held    map[held]chan struct{} // closed when what is held goes on
	waiting map[held]int           // writes that are held
	pipes   map[*pipe]struct{}
	fronts  []net.Listener
	closed  bool
}

// held is one direction of the streams that a node has opened: what it says, or the answers to it.
type held struct {
	dialer  member.ID
	answers bool
}

// pipe is one proxied stream.
type pipe struct {
	from, to member.ID
	ends     [2]net.Conn
}

func (p *pipe) close() {
	p.ends[0].Close()
	p.ends[1].Close()
}

func newFaultNet(t testing.TB) *faultNet {
	f := &faultNet{t: t, blocked: make(map[[2]member.ID]bool), pipes: make(map[*pipe]struct{}),
		held: make(map[held]chan struct{}), waiting: make(map[held]int)}
	t.Cleanup(f.close)
	return f
}

// front opens an address through which others reach the node whose listener is at back().
func (f *faultNet) front(back func() string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	f.fronts = append(f.fronts, l)
	f.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			f.wg.Go(func() { f.relay(conn, back()) })
		}
	})
	return l.Addr().String()
}

func (f *faultNet) relay(in net.Conn, back string) {
	defer in.Close()
	raw := make([]byte, headerSize)
	if _, err := io.ReadFull(in, raw); err != nil {
		return
	}
	out, err := net.Dial("tcp", back)
	if err != nil {
		return
	}
	defer out.Close()
	p := &pipe{from: member.ID(raw[22:38]), to: member.ID(raw[38:54]), ends: [2]net.Conn{in, out}}
	if !f.add(p) {
		return
	}
	defer f.drop(p)
	if _, err := out.Write(raw); err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { io.Copy(valve{f, held{p.from, false}, out}, in); p.close() })
	both.Go(func() { io.Copy(valve{f, held{p.from, true}, in}, out); p.close() })
	both.Wait()
}

// valve is a writer that waits while its direction is held.
type valve struct {
	f  *faultNet
	of held
	net.Conn
}

func (g valve) Write(b []byte) (int, error) {
	g.f.mu.Lock()
	open := g.f.held[g.of]
	if open != nil {
		g.f.waiting[g.of]++
	}
	g.f.mu.Unlock()
	if open != nil {
		<-open
	}
	return g.Conn.Write(b)
}

// hold keeps back what goes one way on the streams that a node has opened, as if the node at the end had been stopped.
func (f *faultNet) hold(dialer member.ID, answers bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held[held{dialer, answers}] = make(chan struct{})
}

// holds returns how many writes have been held.
func (f *faultNet) holds(dialer member.ID, answers bool) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.waiting[held{dialer, answers}]
}

// release lets everything go on that is held.
func (f *faultNet) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.letGo()
}

// letGo is release with mu held.
func (f *faultNet) letGo() {
	for of, open := range f.held {
		close(open)
		delete(f.held, of)
	}
}

func (f *faultNet) add(p *pipe) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.blocked[[2]member.ID{p.from, p.to}] {
		return false
	}
	f.pipes[p] = struct{}{}
	return true
}

func (f *faultNet) drop(p *pipe) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.pipes, p)
}

// isolate cuts a node off from all others, both ways.
func (f *faultNet) isolate(id member.ID, others ...member.ID) {
	for _, other := range others {
		f.cut(id, other)
		f.cut(other, id)
	}
}

// cut ends the streams that one node has opened to another, and lets it open no more.
func (f *faultNet) cut(from, to member.ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.blocked[[2]member.ID{from, to}] = true
	for p := range f.pipes {
		if f.blocked[[2]member.ID{p.from, p.to}] {
			p.close()
		}
	}
}

func (f *faultNet) heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.blocked)
}

func (f *faultNet) close() {
	f.mu.Lock()
	f.closed = true
	f.letGo()
	for p := range f.pipes {
		p.close()
	}
	for _, l := range f.fronts {
		l.Close()
	}
	f.mu.Unlock()
	f.wg.Wait()
}
