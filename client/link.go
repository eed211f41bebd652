package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// dialing is one attempt to connect, shared by all who wait for it.
type dialing struct {
	done chan struct{} // closed at the end; then one of the others is set
	conn *conn
	err  error
}

// notSent is the error of a request of which no byte was sent.
type notSent struct{ err error }

func (e *notSent) Error() string { return e.err.Error() }
func (e *notSent) Unwrap() error { return e.err }

// connect returns the connection for the next request, dialling if there is none. A *notSent error may pass by itself.
func (c *Client) connect(ctx context.Context) (*conn, error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, ErrClosed
	}
	if c.conn != nil && c.conn.usable() {
		defer c.mu.Unlock()
		return c.conn, nil
	}
	if c.dial == nil {
		c.dial = &dialing{done: make(chan struct{})}
		c.wg.Add(1)
		go c.dialAll(c.dial)
	}
	d := c.dial
	c.mu.Unlock()
	select {
	case <-d.done:
		return d.conn, d.err
	case <-ctx.Done():
		return nil, &notSent{fmt.Errorf("%w: no node of %v has answered: %w", task.ErrNoLeader, c.cfg.Addrs, context.Cause(ctx))}
	}
}

// dialAll tries each address once, the leader's first if it is known, and goes on from a follower to its leader.
func (c *Client) dialAll(d *dialing) {
	defer c.wg.Done()
	conn, err := c.dialAny()
	if conn != nil && !c.cfg.Stay {
		conn = c.toLeader(conn)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if conn != nil {
		if c.welcome = conn.welcome; conn.usable() { // it may have ended already, and told so
			c.conn = conn
		}
		c.cfg.Logger.Debug("connected", "address", conn.address, "leads", conn.welcome.IsLeader)
	}
	d.conn, d.err = conn, err
	c.dial = nil
	close(d.done)
}

func (c *Client) dialAny() (*conn, error) {
	c.mu.Lock()
	addresses := make([]string, 0, len(c.cfg.Addrs)+1)
	if c.hint != "" {
		addresses = append(addresses, c.hint)
	}
	for i := range c.cfg.Addrs {
		addresses = append(addresses, c.cfg.Addrs[(c.first+i)%len(c.cfg.Addrs)])
	}
	c.hint = ""
	c.mu.Unlock()
	var failed []error
	for _, address := range addresses {
		conn, err := c.open(c.ctx, address, c.cfg.DialTimeout, true)
		if err == nil {
			return conn, nil
		}
		if c.ctx.Err() != nil {
			return nil, ErrClosed
		}
		failed = append(failed, fmt.Errorf("%s: %w", address, err))
	}
	c.skip()
	return nil, unreachable(failed)
}

// unreachable is the error when no address could be used. It is final only if every node refused this client.
func unreachable(failed []error) error {
	all := errors.Join(failed...)
	for _, err := range failed {
		if !isRefusal(err) {
			return &notSent{fmt.Errorf("%w: no node can be used: %v", task.ErrNoLeader, all)}
		}
	}
	return all
}

// isRefusal reports whether a node does not want this client, now or later.
func isRefusal(err error) bool {
	var remote *wire.RemoteError
	return errors.As(err, &remote) && !remote.Retryable || errors.Is(err, task.ErrVersion)
}

// toLeader goes on to the leader that a follower named. If that cannot be reached, the follower will pass requests on.
func (c *Client) toLeader(follower *conn) *conn {
	leader := follower.welcome.LeaderAddress
	if follower.welcome.IsLeader || leader == "" || leader == follower.address || checkAddress(leader) != nil {
		return follower
	}
	conn, err := c.open(c.ctx, leader, min(c.cfg.DialTimeout, defaultDialTimeout/2), true)
	if err != nil {
		c.cfg.Logger.Debug("the leader cannot be reached; a follower passes requests on", "leader", leader, "error", err)
		return follower
	}
	follower.retire()
	return conn
}

// leave stops using a connection for new requests; those under way still get their answers. leader is the address to
// try next, if it is known.
func (c *Client) leave(from *conn, leader string) {
	c.mu.Lock()
	if c.conn == from {
		c.conn = nil
		if leader != "" && !c.cfg.Stay && checkAddress(leader) == nil {
			c.hint = leader
		} else {
			c.first = (c.first + 1) % len(c.cfg.Addrs)
		}
	}
	c.mu.Unlock()
	from.retire()
}

// skip has the next attempt begin with another address.
func (c *Client) skip() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.first = (c.first + 1) % len(c.cfg.Addrs)
}
