package transport

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// Guard says who clients are and what they may do, from what this node knows. Calls are concurrent.
type Guard interface {
	// Authenticate returns what the holder of a token may do: what everybody may as long as the cluster has no token. The
	// error wraps task.ErrUnauthenticated. It may wait a moment for a token that has just been made.
	Authenticate(ctx context.Context, token string) (member.Access, error)
	// AccessOf is Authenticate for a principal, member.Access.Token, which was established before; "" for one without.
	AccessOf(principal string) (member.Access, error)
	// TokensChanged returns a channel that is closed when tokens change next.
	TokensChanged() <-chan struct{}
	// Proof is the token that this node shows to other members; "" as long as there is none.
	Proof() string
}

const (
	oustGrace  = 5 * time.Second       // for requests in work when the connection's token no longer counts
	expirySlip = 50 * time.Millisecond // after a token's end: a timer may be early by the clock that tells it
)

// authenticate establishes who said a Hello. What a member relays is looked up by the name that the member established.
func (c *conn) authenticate(g *wire.Greeting) (member.Access, error) {
	guard := c.s.broker
	ctx, cancel := context.WithTimeout(c.reads, c.s.limits.HandshakeTimeout)
	defer cancel()
	if g.Forwarded != nil && !guard.IsMember(g.Forwarded.NodeID) {
		return member.Access{}, fmt.Errorf("%w: forwarded_by names a node that is no member", task.ErrNotAllowed)
	}
	a, err := guard.Authenticate(ctx, g.Token)
	if err != nil {
		return a, err
	}
	if !a.Authentication && c.s.requireToken {
		return a, busy("this node serves no one without a token, and the cluster has none yet as far as it knows")
	}
	if g.Forwarded == nil || !a.Authentication {
		return a, nil
	}
	if a.Token != member.Principal(g.Forwarded.NodeID) {
		return a, fmt.Errorf("%w: forwarded_by without the proof of node %s", task.ErrUnauthenticated, g.Forwarded.NodeID)
	}
	return guard.AccessOf(g.Forwarded.Principal)
}

// watchTokens ends the connections whose tokens no longer count.
func (s *Server) watchTokens() {
	defer s.wg.Done()
	for {
		changed := s.broker.TokensChanged() // before the look, so that no change is missed
		for _, c := range s.clients() {
			c.recheck()
		}
		select {
		case <-changed:
		case <-s.closing:
			return
		}
	}
}

// recheck ends the connection if what was established at its Hello is no longer so.
func (c *conn) recheck() {
	defer c.onPanic("change of tokens", func() { c.fail(errClosed) })
	c.mu.Lock()
	greeted := c.greeted
	c.mu.Unlock()
	if !greeted {
		return // the handshake looks once more at its end
	}
	now, err := c.s.broker.AccessOf(c.access.Token)
	if err == nil && now.Authentication != c.access.Authentication {
		err = fmt.Errorf("%w: the cluster's tokens changed", task.ErrUnauthenticated)
	}
	if err != nil {
		c.oust(err)
		return
	}
	if end := c.access.ExpiresAt; !end.IsZero() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.expiry != nil {
			c.expiry.Stop()
		}
		if !c.ended {
			c.expiry = time.AfterFunc(time.Until(end)+expirySlip, c.recheck)
		}
	}
}

// oust takes no further request and ends the connection once those in work are answered.
func (c *conn) oust(why error) {
	c.mu.Lock()
	if c.ousted == nil {
		c.ousted = why
	}
	c.mu.Unlock()
	c.stop()
}

// stopError is how a stopped connection ends; mu is held.
func (c *conn) stopError() error {
	if c.ousted != nil {
		return &refusal{0, c.ousted}
	}
	return errStopped
}

// settleOusted waits for the requests in work of a connection that is ousted, but for those that may wait for long: one
// of them may be the very one that changed the tokens.
func (c *conn) settleOusted(why error) {
	c.mu.Lock()
	c.ended = true
	if c.expiry != nil {
		c.expiry.Stop()
	}
	ousted := c.ousted
	if ousted == nil || !errors.Is(why, ousted) {
		c.mu.Unlock()
		return
	}
	c.draining = true
	c.checkQuiet()
	c.mu.Unlock()
	c.endWaits(ousted)
	timer := time.NewTimer(oustGrace)
	defer timer.Stop()
	select {
	case <-c.quiet:
	case <-timer.C:
	}
}
