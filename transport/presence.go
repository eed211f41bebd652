package transport

import "sync"

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
	if p.close == nil && !p.ended && !c.client.Session.IsZero() {
		p.close = c.s.broker.OpenSession(c.client.Session, c.push)
	}
}

// renew follows a change of leadership: a leader of a new term knows nothing of sessions that were opened in an earlier
// one. The new is opened before the old is closed, so that the session is never without a connection.
func (p *presence) renew(c *conn, leads bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.close
	p.close = nil
	if leads && !p.ended && !c.client.Session.IsZero() {
		p.close = c.s.broker.OpenSession(c.client.Session, c.push)
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
