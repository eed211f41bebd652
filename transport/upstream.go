package transport

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// upstream is a connection to the leader on behalf of one client. Frames pass through it unread, with the client's own
// request ids.
type upstream struct {
	c       *conn
	address string
	conn    net.Conn
	r       *bufio.Reader
	w       *writer

	mu     sync.Mutex
	owes   map[uint32]wire.Type // requests sent and not answered
	broken bool
}

// dialUpstream connects and says Hello as this node, for the client. The leader has to answer that it leads.
func dialUpstream(ctx context.Context, c *conn, address string) (*upstream, error) {
	dialer := net.Dialer{Timeout: c.s.limits.HandshakeTimeout}
	nc, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	u := &upstream{
		c: c, address: address, conn: nc, r: bufio.NewReaderSize(nc, readBuffer),
		w: newWriter(nc, &c.s.limits, &c.s.total), owes: make(map[uint32]wire.Type),
	}
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	err = u.hello()
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return u, nil
}

func (u *upstream) hello() error {
	c := u.c
	if err := u.conn.SetDeadline(time.Now().Add(c.s.limits.HandshakeTimeout)); err != nil {
		return err
	}
	greeting := wire.Greeting{
		Version: wire.Version, ClientName: c.client.ClientName, Session: c.client.Session, ClusterID: c.s.id.ClusterID,
		Token: c.s.broker.Proof(), Forwarded: &wire.Forwarded{NodeID: c.s.id.NodeID, Principal: c.access.Token},
	}
	frame, err := wire.AppendMessage(nil, wire.Hello, 1, wire.GreetingToPB(&greeting))
	if err != nil {
		return err
	}
	if _, err := u.conn.Write(frame); err != nil {
		return err
	}
	f, err := wire.ReadFrame(u.r, maxHello)
	if err != nil {
		return err
	}
	if f.Type == wire.Nack {
		var nack wirepb.Nack
		if err := wire.Decode(f, &nack); err != nil {
			return err
		}
		return fmt.Errorf("the leader refused: %w", wire.ErrorFromNack(&nack))
	}
	var reply wirepb.HelloReply
	if err := wire.Decode(f, &reply); err != nil {
		return err
	}
	if f.Type != wire.Ack || !reply.IsLeader {
		return fmt.Errorf("%s does not lead", u.address)
	}
	return u.conn.SetDeadline(time.Time{})
}

func (u *upstream) isBroken() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.broken
}

// send passes a request on. It reports false if the upstream is broken, and the request then was not sent.
func (u *upstream) send(f wire.Frame) bool {
	u.mu.Lock()
	if u.broken {
		u.mu.Unlock()
		return false
	}
	u.owes[f.RequestID] = f.Type
	u.mu.Unlock()
	_ = u.w.frame(f, 0) // in an error the reader is ending, which answers what is owed
	return true
}

// close ends the upstream. Its reader answers what is owed.
func (u *upstream) close() { u.conn.Close() }

// run is the sending goroutine.
func (u *upstream) run(wg *sync.WaitGroup) {
	defer wg.Done()
	u.w.run()
}

// read passes the leader's frames down until the connection ends, then tells the client that the outcome of what is still
// owed is unknown, or of a read that it has to be repeated.
func (u *upstream) read(wg *sync.WaitGroup) {
	defer wg.Done()
	defer u.c.onPanic("upstream", func() { u.c.fail(errClosed) })
	err := u.pass()
	u.c.log.Debug("upstream ended", "leader", u.address, "reason", err)
	u.mu.Lock()
	u.broken = true
	owed := u.owes
	u.owes = nil
	u.mu.Unlock()
	u.conn.Close()
	u.w.finish()
	for id, kind := range owed {
		outcome := task.ErrUnknownOutcome
		if isRead(kind) {
			outcome = task.ErrNoLeader // it had none
		}
		u.c.settle(id)
		u.c.nack(id, fmt.Errorf("%w: the connection to the leader ended", outcome), 1)
	}
	u.c.relay.restore()
}

func (u *upstream) pass() error {
	for {
		f, err := wire.ReadFrame(u.r, 0)
		if err != nil {
			return err
		}
		u.c.w.hasRoom(u.c.ctx.Done())
		switch {
		case f.RequestID == 0 && f.Type == wire.Push:
			if err := u.c.w.frame(f, 0); err != nil {
				return err
			}
		case f.Type != wire.Ack && f.Type != wire.Nack, !u.paid(f.RequestID):
			return fmt.Errorf("%s for request %d, to which it is no answer", f.Type, f.RequestID)
		default:
			u.c.settle(f.RequestID)
			if err := u.c.w.frame(f, 1); err != nil {
				return err
			}
		}
	}
}

// paid notes that a request is answered. It reports false if no answer to it was owed.
func (u *upstream) paid(requestID uint32) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, ok := u.owes[requestID]
	delete(u.owes, requestID)
	return ok
}
