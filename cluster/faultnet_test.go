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
	t  *testing.T
	wg sync.WaitGroup

	mu      sync.Mutex
	blocked map[[2]member.ID]bool // from, to
	pipes   map[*pipe]struct{}
	fronts  []net.Listener
	closed  bool
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

func newFaultNet(t *testing.T) *faultNet {
	f := &faultNet{t: t, blocked: make(map[[2]member.ID]bool), pipes: make(map[*pipe]struct{})}
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
	both.Go(func() { io.Copy(out, in); p.close() })
	both.Go(func() { io.Copy(in, out); p.close() })
	both.Wait()
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
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, other := range others {
		f.blocked[[2]member.ID{id, other}] = true
		f.blocked[[2]member.ID{other, id}] = true
	}
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
	for p := range f.pipes {
		p.close()
	}
	for _, l := range f.fronts {
		l.Close()
	}
	f.mu.Unlock()
	f.wg.Wait()
}
