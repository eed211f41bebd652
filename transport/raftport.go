package transport

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// raftListener gives out the connections that begin like a Raft stream, with that byte still to be read.
type raftListener struct {
	addr   net.Addr
	conns  chan net.Conn
	limit  int64
	open   atomic.Int64
	mu     sync.Mutex // held while conns is sent to, so that close leaves none behind
	closed bool
	done   chan struct{}
}

func newRaftListener(addr net.Addr, limit int) *raftListener {
	return &raftListener{
		addr: addr, conns: make(chan net.Conn, raftBacklog), limit: int64(limit), done: make(chan struct{}),
	}
}

// hand queues a connection for Accept, or closes it when there are too many.
func (l *raftListener) hand(nc net.Conn, first byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.open.Load() >= l.limit || nc.SetReadDeadline(time.Time{}) != nil {
		nc.Close()
		return
	}
	c := &raftConn{Conn: nc, listener: l, first: []byte{first}}
	select {
	case l.conns <- c:
		l.open.Add(1)
	default:
		nc.Close()
	}
}

// Accept implements net.Listener.
func (l *raftListener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, net.ErrClosed
	default:
	}
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener: later Raft streams are closed at once, those not yet accepted too.
func (l *raftListener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	close(l.done)
	for {
		select {
		case c := <-l.conns:
			c.Close()
		default:
			return nil
		}
	}
}

// Addr implements net.Listener with the address of the shared port.
func (l *raftListener) Addr() net.Addr { return l.addr }

// raftConn gives back the byte that was read to classify it. One goroutine reads at a time, as net.Conn's users do.
type raftConn struct {
	net.Conn
	listener *raftListener
	first    []byte
	once     sync.Once
}

func (c *raftConn) Read(p []byte) (int, error) {
	if len(c.first) > 0 && len(p) > 0 {
		n := copy(p, c.first)
		c.first = nil
		return n, nil
	}
	return c.Conn.Read(p)
}

func (c *raftConn) Close() error {
	c.once.Do(func() { c.listener.open.Add(-1) })
	return c.Conn.Close()
}
