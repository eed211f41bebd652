package transport

import (
	"context"
	"time"
)

const (
	lightPage     = 2 << 20 // about the most that a list without payloads takes
	fullWarnEvery = 10      // seconds between two warnings of a full node
)

// enterBulk waits for one of the connection's few places for reads whose replies may be large, and for the replies
// before it to be sent, then reserves the reply's bytes at the node: without that, clients that do not read could have
// any number of replies made. The request keeps all of it until its reply is queued, so that the next one sees how full
// the queue is.
func (c *conn) enterBulk(requestID uint32, size int64) error {
	select {
	case c.bulk <- struct{}{}:
	case <-c.ctx.Done():
		return context.Canceled
	}
	c.w.hasRoom(c.ctx.Done())
	if !c.s.replies.take(size) {
		<-c.bulk
		c.s.warnFull("replies")
		return busy("this node has all the bytes of replies to be sent that it allows")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bulky[requestID] = append(c.bulky[requestID], size) // a client may use a number again before leaveBulk
	return nil
}

// leaveBulk gives back what a request whose reply is queued holds, if it does.
func (c *conn) leaveBulk(requestID uint32) {
	c.mu.Lock()
	held := c.bulky[requestID]
	if len(held) > 1 {
		c.bulky[requestID] = held[1:]
	} else {
		delete(c.bulky, requestID)
	}
	c.mu.Unlock()
	if len(held) > 0 {
		c.s.replies.add(-held[0])
		<-c.bulk
	}
}

// warnFull logs, now and then, that clients are refused because others take so much.
func (s *Server) warnFull(what string) {
	now := time.Now().Unix()
	last := s.fullAt.Load()
	if now-last >= fullWarnEvery && s.fullAt.CompareAndSwap(last, now) {
		s.log.Warn("full: clients are refused", "of", what, "requests", s.total.used.Load(), "replies", s.replies.used.Load(),
			"limit", s.total.limit)
	}
}
