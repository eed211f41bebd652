package transport

import (
	"fmt"

	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// maxVital is how large a frame may be that is taken although the node is full.
const maxVital = 1 << 20

// reserve counts the bytes of a frame that is about to be read. The error says which limit they would break. A full node
// still takes heartbeats and results: it would lose work that is done.
func (c *conn) reserve(t wire.Type, n int64) error {
	if !c.bytes.take(n) {
		return busy("this connection has %d bytes of requests in work", c.bytes.used.Load())
	}
	take := c.s.total.take
	if n <= maxVital && (t == wire.Heartbeat || t == wire.TaskResult || t == wire.ClusterStatus) {
		take = c.s.total.takeVital
	}
	if !take(n) {
		c.bytes.add(-n)
		c.s.warnFull("requests")
		return busy("this node has all the bytes of requests in work that it allows")
	}
	return nil
}

// release gives back what reserve counted, once the frame is decoded no more.
func (c *conn) release(n int64) {
	c.bytes.add(-n)
	c.s.total.add(-n)
}

// frameSize is the value of the frame's length field, at most wire.MaxFrame.
func frameSize(f wire.Frame) int64 { return int64(wire.Overhead - 4 + len(f.Body)) }

// admit takes a frame into work, or refuses it with a Nack. Its bytes are reserved. Only the reading goroutine admits.
func (c *conn) admit(f wire.Frame) {
	if err := c.enroll(f); err != nil {
		c.release(frameSize(f))
		c.nack(f.RequestID, err, 0)
		return
	}
	c.w.owed.Add(1)
	if c.relayNow(f) {
		return
	}
	c.requests.Add(1)
	c.s.runners.serve(request{c, f})
}

// enroll notes the request as being in work. The error says why it may not be.
func (c *conn) enroll(f wire.Frame) error {
	switch {
	case f.RequestID == 0:
		return fmt.Errorf("%w: request id 0 is the server's", task.ErrInvalid)
	case !f.Type.Known():
		return fmt.Errorf("%w: %d", task.ErrUnknownType, f.Type)
	case !f.Type.IsRequest():
		return fmt.Errorf("%w: a client does not send %s", task.ErrInvalid, f.Type)
	case f.Type == wire.Hello:
		return fmt.Errorf("%w: a second Hello", task.ErrInvalid)
	}
	if err := c.maySend(f.Type); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ousted != nil {
		return c.ousted
	}
	if _, dup := c.inWork[f.RequestID]; dup {
		return fmt.Errorf("%w: request id %d is in work already", task.ErrInvalid, f.RequestID)
	}
	if c.draining {
		return fmt.Errorf("%w: connect to another node", task.ErrShutdown)
	}
	if n := c.w.owed.Load(); n >= int64(c.s.limits.MaxRequests) {
		return busy("this connection has %d requests without answer", n)
	}
	waits := f.Type == wire.ClaimTask
	c.inWork[f.RequestID] = waits
	if waits {
		c.waiting++
	}
	return nil
}

// mayWait notes of a request in work that it may wait for long, so that a stop of this node does not wait for it.
func (c *conn) mayWait(requestID uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if waits, ok := c.inWork[requestID]; ok && !waits {
		c.inWork[requestID] = true
		c.waiting++
		c.checkQuiet()
	}
}

// settle notes that the request is about to be answered: from then on its id may be used again.
func (c *conn) settle(requestID uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	waits, ok := c.inWork[requestID]
	if !ok {
		return
	}
	delete(c.inWork, requestID)
	if waits {
		c.waiting--
	}
	c.checkQuiet()
}
