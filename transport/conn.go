package transport

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// errStopped ends a connection that Drain has given up.
var errStopped = errors.New("stopped")

// refusal ends a connection with a Nack. Request id 0 means the connection itself.
type refusal struct {
	requestID uint32
	err       error
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// conn is one client connection, from its first byte to its end.
type conn struct {
	s   *Server
	log *slog.Logger
	net net.Conn
	r   *bufio.Reader
	w   *writer

	ctx      context.Context // of its requests; ends with the connection
	cancel   context.CancelCauseFunc
	waits    context.Context // of requests that may wait; ends when the node drains, too
	endWaits context.CancelCauseFunc
	reads    context.Context // of the reading goroutine; ends with stop, too
	endReads context.CancelFunc
	requests sync.WaitGroup
	bytes    budget        // of requests in work
	bulk     chan struct{} // a place for each list or read with payload in work

	client   wire.Greeting // set by the handshake, constant afterwards
	access   member.Access // likewise
	presence presence
	saving   saving
	relay    relay

	mu       sync.Mutex
	inWork   map[uint32]bool    // requests without reply; true for those that may wait for long
	bulky    map[uint32][]int64 // for those that hold places in bulk, the bytes reserved with each
	waiting  int                // how many of them may wait for long
	greeted  bool
	draining bool
	stopping bool
	isQuiet  bool
	ousted   error       // why the connection's token no longer counts
	expiry   *time.Timer // of the token; nil if it does not end
	ended    bool

	quiet chan struct{} // closed when draining and no request is in work but such that may wait for long
	gone  chan struct{} // closed when run has ended
}

func newConn(s *Server, nc net.Conn, r io.Reader) *conn {
	c := &conn{
		s: s, net: nc, r: bufio.NewReaderSize(r, readBuffer), w: newWriter(nc, &s.limits, &s.replies),
		log:   s.log.With("client", nc.RemoteAddr().String()),
		bytes: budget{limit: s.limits.ConnBytes}, bulk: make(chan struct{}, bulkReads),
		inWork: make(map[uint32]bool),
		saving: saving{idle: savingIdle}, bulky: make(map[uint32][]int64), quiet: make(chan struct{}), gone: make(chan struct{}),
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	c.waits, c.endWaits = context.WithCancelCause(c.ctx)
	c.reads, c.endReads = context.WithCancel(c.ctx)
	c.relay.init(c)
	return c
}

// run serves the connection until it ends. A panic of its own goroutine ends it like a lost connection.
func (c *conn) run() {
	defer close(c.gone)
	go c.w.run() // end waits for it
	err := c.serveFrames()
	c.end(err)
}

func (c *conn) serveFrames() (err error) {
	defer c.onPanic("connection", func() { err = errClosed })
	if err := c.handshake(); err != nil {
		return err
	}
	for {
		if err := c.next(); err != nil {
			return err
		}
	}
}

// onPanic is deferred by every goroutine that works for the connection.
func (c *conn) onPanic(where string, then func()) {
	if p := recover(); p != nil {
		c.log.Error("panic; the connection is closed", "in", where, "panic", p, "stack", string(debug.Stack()))
		then()
	}
}

// fail ends the connection at once, from any goroutine.
func (c *conn) fail(why error) {
	c.cancel(why)
	c.net.Close()
}

// end releases all that the connection holds. In a refusal and when stopped the client gets the replies of the requests
// in work first.
func (c *conn) end(why error) {
	var r *refusal
	refused := errors.As(why, &r)
	polite := refused || errors.Is(why, errStopped)
	cause := fmt.Errorf("%w: the connection ended", task.ErrUnknownOutcome)
	if polite {
		cause = fmt.Errorf("%w: the connection is being closed", task.ErrShutdown)
	} else {
		c.net.Close()
	}
	c.log.Debug("connection ends", "reason", why)
	c.settleOusted(why)
	c.cancel(cause)
	c.relay.close()
	c.requests.Wait()
	c.saving.close()
	c.endPresence()
	if refused {
		c.nack(r.requestID, r.err, 0)
	}
	deadline := time.AfterFunc(lingerTimeout, func() { c.net.Close() })
	defer deadline.Stop()
	c.w.finish()
	<-c.w.done
	if polite && c.net.SetReadDeadline(time.Now().Add(lingerTimeout)) == nil {
		linger(c.net)
	}
	c.net.Close()
}

func (c *conn) endPresence() {
	defer c.onPanic("end of the session", func() {})
	c.presence.end()
}

// beginDrain tells the client to go elsewhere. A member that relays is not told: its clients are well where they are.
func (c *conn) beginDrain() {
	c.mu.Lock()
	c.draining = true
	tell := c.greeted && c.client.Forwarded == nil
	c.checkQuiet()
	c.mu.Unlock()
	if tell {
		c.push(&wirepb.Push{Drain: true}) // before the claims that wait are refused: so the client knows why
	}
	c.endWaits(fmt.Errorf("%w: connect to another node", task.ErrShutdown))
}

// stop ends the reading of further frames.
func (c *conn) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopping = true
	c.endReads()
	_ = c.net.SetReadDeadline(time.Unix(1, 0)) // an error means that the connection is closed, which ends the read too
}

// checkQuiet is called with mu held. What may wait does not count: here it ends by itself, relayed with its
// upstream.
func (c *conn) checkQuiet() {
	if c.draining && !c.isQuiet && len(c.inWork) == c.waiting {
		c.isQuiet = true
		close(c.quiet)
	}
}
