package client

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

const (
	readBuffer      = 64 << 10
	maxQueued       = 8 << 20 // bytes not yet sent above which a request waits
	maxSpare        = 1 << 20 // a larger buffer is not kept
	writeTimeout    = 30 * time.Second
	frameTimeout    = time.Minute // from a frame's first byte to its last
	defaultInFlight = 64          // where the node names no limit
	maxWelcome      = 64 << 10    // length of the answer to a Hello
)

// errRetired ends a connection whose last request was answered after another had taken its place.
var errRetired = errors.New("another connection has taken its place")

// conn is one connection: requests are queued, sent by one goroutine and answered by another.
type conn struct {
	c       *Client
	address string
	net     net.Conn
	r       *bufio.Reader
	welcome wire.Welcome
	wake    chan struct{} // something is queued
	slots   chan struct{} // a place for each request without answer, but for urgent ones
	done    chan struct{} // closed when the connection has ended

	mu      sync.Mutex
	calls   map[uint32]*call // requests without answer
	lastID  uint32
	queue   []byte
	queued  uint64        // bytes ever put into the queue
	taken   uint64        // bytes ever taken out of it to be sent
	room    chan struct{} // closed when the queue has room again; nil if nobody waits
	spare   []byte
	retired bool  // no new requests; ends with the last answer
	err     error // why it ended
}

// call is one request on its way.
type call struct {
	kind   wire.Type
	begin  uint64      // place of its frame in all that was ever queued
	slot   bool        // it holds a slot
	answer chan answer // one value, unless it was abandoned
	left   bool        // nobody waits for the answer any more
}

type answer struct {
	frame wire.Frame
	err   error
}

// open dials an address and shakes hands. Unless the connection is shared it says no session: it comes and goes without
// meaning for a worker.
func (c *Client) open(ctx context.Context, address string, limit time.Duration, shared bool) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second,
		Interval: 2 * time.Second, Count: 3}}
	var nc net.Conn
	var err error
	if c.cfg.TLS != nil {
		nc, err = (&tls.Dialer{NetDialer: &dialer, Config: c.cfg.TLS}).DialContext(ctx, "tcp", address)
	} else {
		nc, err = dialer.DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return nil, err
	}
	n := &conn{
		c: c, address: address, net: nc, r: bufio.NewReaderSize(nc, readBuffer), wake: make(chan struct{}, 1),
		done: make(chan struct{}), calls: make(map[uint32]*call),
	}
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	err = n.hello(shared)
	if !stop() { // an error of hello says only that the connection was closed
		err = fmt.Errorf("no answer to the Hello: %w", context.Cause(ctx))
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	n.start()
	return n, nil
}

func (n *conn) hello(shared bool) error {
	greeting := wire.Greeting{Version: wire.Version, ClientName: n.c.cfg.Name, Token: n.c.cfg.Token}
	if shared {
		greeting.Session = n.c.cfg.Session
	}
	frame, err := wire.AppendMessage(nil, wire.Hello, 1, wire.GreetingToPB(&greeting))
	if err != nil {
		return err
	}
	if _, err := n.net.Write(frame); err != nil {
		return err
	}
	f, err := wire.ReadFrame(n.r, maxWelcome)
	if err != nil {
		return fmt.Errorf("no answer to the Hello: %v", err) // not wrapped: the request is not invalid because it broke off
	}
	var reply wirepb.HelloReply
	if err := read(f, &reply); err != nil {
		return err
	}
	n.lastID = 1
	n.welcome, err = wire.WelcomeFromPB(&reply)
	return err
}

// read takes an answer: it decodes an Ack into reply, and returns the error that a Nack says.
func read(f wire.Frame, reply wire.Message) error {
	switch f.Type {
	case wire.Ack:
		return wire.Decode(f, reply)
	case wire.Nack:
		var nack wirepb.Nack
		if err := wire.Decode(f, &nack); err != nil {
			return err
		}
		return wire.ErrorFromNack(&nack)
	}
	return fmt.Errorf("%w: %s is no answer", task.ErrInvalid, f.Type)
}

func (n *conn) start() {
	places := int(n.welcome.MaxInFlight)
	if places <= 0 {
		places = defaultInFlight
	}
	n.slots = make(chan struct{}, max(1, places-places/4)) // the rest is for urgent requests
	n.c.wg.Add(3)
	go n.write()
	go n.listen()
	go func() { // ends the connection with the client
		defer n.c.wg.Done()
		select {
		case <-n.c.ctx.Done():
			n.fail(ErrClosed)
		case <-n.done:
		}
	}()
}

// usable reports whether new requests can be sent.
func (n *conn) usable() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err == nil && !n.retired
}

// retire takes no new requests and ends the connection with the last answer.
func (n *conn) retire() {
	n.mu.Lock()
	n.retired = true
	over := len(n.calls) == 0
	n.mu.Unlock()
	if over {
		n.fail(errRetired)
	}
}

// fail ends the connection. Every request without answer gets an error, which says whether it may have taken effect.
func (n *conn) fail(why error) {
	n.mu.Lock()
	if n.err != nil {
		n.mu.Unlock()
		return
	}
	n.err = why
	calls, taken := n.calls, n.taken
	n.calls, n.queue, n.spare = nil, nil, nil
	close(n.done)
	n.mu.Unlock()
	n.net.Close()
	for _, call := range calls {
		if !call.left {
			call.answer <- answer{err: n.lost(why, call.begin < taken)}
		}
	}
	n.c.connEnded(n)
}

// lost is the error of a request that the end of the connection left without answer. What ended it is only text: a
// frame that broke off does not make the request invalid.
func (n *conn) lost(why error, sent bool) error {
	switch {
	case why == ErrClosed && sent:
		return fmt.Errorf("%w: %w", task.ErrUnknownOutcome, ErrClosed)
	case why == ErrClosed:
		return ErrClosed
	case sent:
		return fmt.Errorf("%w: connection to %s ended: %v", task.ErrUnknownOutcome, n.address, why)
	}
	return &notSent{fmt.Errorf("%w: connection to %s ended: %v", task.ErrNoLeader, n.address, why)}
}

// write is the sending goroutine: what is queued while it sends goes out together in the next write.
func (n *conn) write() {
	defer n.c.wg.Done()
	for {
		select {
		case <-n.wake:
		case <-n.done:
			return
		}
		for {
			batch := n.take()
			if len(batch) == 0 {
				break
			}
			err := n.net.SetWriteDeadline(time.Now().Add(writeTimeout))
			if err == nil {
				_, err = n.net.Write(batch)
			}
			if err != nil {
				n.fail(err)
				return
			}
			if cap(batch) <= maxSpare {
				n.mu.Lock()
				n.spare = batch
				n.mu.Unlock()
			}
		}
	}
}

// take empties the queue.
func (n *conn) take() []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	batch := n.queue
	n.queue, n.spare = n.spare[:0], nil
	n.taken += uint64(len(batch))
	if n.room != nil {
		close(n.room)
		n.room = nil
	}
	return batch
}
