package cluster

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/member"
)

// maxWriteTime is how long one write to another node may take.
const maxWriteTime = 60 * time.Second

// stream is a connection that its layer closes at the end, for Raft's transport leaves some open.
type stream struct {
	net.Conn
	layer    *streamLayer
	incoming bool
	from     member.ID // who opened it; guarded by the layer's mu, zero until the handshake is over and if this node did
	surplus  bool      // over the limit: told so, then closed
	once     sync.Once
	err      error

	mu        sync.Mutex
	window    time.Duration // for each write to get on, and for the answer after the last; 0 for no deadline
	readUntil time.Time     // set together with window; zero if reads have a deadline of their own
}

// Raft gives one deadline to a whole request, however large. Sixteen entries of 10 MiB would miss it on a slow link for
// ever, and that of a snapshot is hours away, in which a follower that hangs is not noticed. So here the time given
// counts from the last write that got on, and a single write has a minute at most.

// SetDeadline gives writes and the answer to them their time.
func (c *stream) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readUntil = t
	return errors.Join(c.Conn.SetReadDeadline(t), c.limitWrites(t))
}

// SetReadDeadline gives reads a time of their own.
func (c *stream) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readUntil = time.Time{}
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline gives writes their time.
func (c *stream) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.limitWrites(t)
}

func (c *stream) limitWrites(t time.Time) error {
	if t.IsZero() {
		c.window = 0
		return c.Conn.SetWriteDeadline(t)
	}
	c.window = min(time.Until(t), maxWriteTime)
	return c.Conn.SetWriteDeadline(time.Now().Add(c.window))
}

// Read reads. What this node closed itself has ended, which is nothing for Raft to warn of.
func (c *stream) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if errors.Is(err, net.ErrClosed) {
		err = io.EOF
	}
	return n, err
}

// Write writes, and gives what comes next its time anew.
func (c *stream) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err != nil {
		return n, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.window <= 0 {
		return n, nil
	}
	next := time.Now().Add(c.window)
	if !c.readUntil.IsZero() && c.readUntil.Before(next) {
		c.readUntil = next
		err = c.Conn.SetReadDeadline(next)
	}
	return n, errors.Join(err, c.Conn.SetWriteDeadline(next))
}

// Close closes the connection. It is idempotent.
func (c *stream) Close() error {
	c.once.Do(func() {
		c.layer.mu.Lock()
		c.layer.forget(c)
		c.layer.mu.Unlock()
		c.err = c.Conn.Close()
	})
	return c.err
}
