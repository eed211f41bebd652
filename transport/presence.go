package transport

import (
	"sync"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/wire"
)

// presence keeps the broker told that a connection of the client's session exists, while this node leads.
type presence struct {
	mu    sync.Mutex
	close func() // of the session as opened at the broker; nil if it is not
	ended bool
}

// begin opens the session at the broker unless it is open. Clients without a session have none to open.
func (p *presence) begin(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.close == nil && !p.ended && c.works() {
		p.close = c.s.broker.OpenSession(c.client.Session, c.origin(), c.pushSession)
	}
}

// renew follows a change of leadership: a leader of a new term knows nothing of sessions that were opened in an earlier
// one. The new is opened before the old is closed, so that the session is never without a connection.
func (p *presence) renew(c *conn, leads bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.close
	p.close = nil
	if leads && !p.ended && c.works() {
		p.close = c.s.broker.OpenSession(c.client.Session, c.origin(), c.pushSession)
	}
	if old != nil {
		old()
	}
}

// end closes the session for good.
func (p *presence) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	if p.close != nil {
		p.close()
		p.close = nil
	}
}

// works reports whether the client is one that may hold leases.
func (c *conn) works() bool { return !c.client.Session.IsZero() && c.maySend(wire.ClaimTask) == nil }

// origin is where the client is connected: here, or at the node that relays for it.
func (c *conn) origin() member.Origin {
	from := member.Origin{ClientName: c.client.ClientName, Node: c.s.id.NodeID}
	if c.client.Forwarded != nil {
		from.Node = c.client.Forwarded.NodeID
	}
	return from
}
