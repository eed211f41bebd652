package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// next reads one frame and admits it. An error ends the connection: a refusal after a Nack, errStopped after the
// replies that are queued, any other at once.
func (c *conn) next() error {
	c.w.hasRoom(c.reads.Done())
	if c.ctx.Err() != nil {
		return errClosed // failed, though frames may be buffered yet
	}
	c.mu.Lock()
	ousted := c.ousted
	c.mu.Unlock()
	if ousted != nil {
		return &refusal{0, ousted} // likewise
	}
	length, err := c.length()
	if err != nil {
		return err
	}
	if err := c.within(c.s.limits.FrameTimeout, length+4); err != nil {
		return err
	}
	head, err := c.r.Peek(wire.Overhead)
	if err != nil {
		return c.readError(err)
	}
	id := binary.BigEndian.Uint32(head[5:])
	if why := c.reserve(wire.Type(head[4]), int64(length)); why != nil {
		if _, err := c.r.Discard(length + 4); err != nil {
			return c.readError(err)
		}
		c.nack(id, why, 0)
		return nil
	}
	f, err := wire.ReadFrame(c.r, 0)
	if err != nil {
		c.release(int64(length))
		return c.readError(err)
	}
	c.admit(f)
	return nil
}

// length waits for the next frame and returns the value of its length field, which is within bounds.
func (c *conn) length() (int, error) {
	for {
		if err := c.within(c.s.limits.IdleTimeout, 1); err != nil {
			return 0, err
		}
		_, err := c.r.Peek(1)
		if err == nil {
			break
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || c.isStopping() {
			return 0, c.readError(err)
		}
		if c.w.owed.Load() == 0 {
			return 0, &refusal{0, fmt.Errorf("%w: no frame for %s", task.ErrTimeout, c.s.limits.IdleTimeout)}
		}
	}
	if err := c.within(c.s.limits.FrameTimeout, wire.Overhead); err != nil {
		return 0, err
	}
	head, err := c.r.Peek(4)
	if err != nil {
		return 0, c.readError(err)
	}
	length := binary.BigEndian.Uint32(head)
	if length > wire.MaxFrame || length < wire.Overhead-4 {
		_, err := wire.ReadFrame(c.r, 0) // says what is wrong
		return 0, c.readError(err)
	}
	return int(length), nil
}

// within sets the read deadline unless the n bytes are here already.
func (c *conn) within(d time.Duration, n int) error {
	if c.r.Buffered() >= n {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping {
		return c.stopError()
	}
	return c.net.SetReadDeadline(time.Now().Add(d))
}

// readError says how the connection ends after an error of its reader.
func (c *conn) readError(err error) error {
	switch {
	case c.isStopping():
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.stopError()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &refusal{0, fmt.Errorf("%w: the frame did not come whole in time", task.ErrTimeout)}
	case errors.Is(err, task.ErrTooLarge), errors.Is(err, task.ErrInvalid):
		return &refusal{0, err}
	}
	return err
}

func (c *conn) isStopping() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopping
}
