package transport

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// relay passes a client's requests to the leader, over one upstream connection that it opens on first need.
type relay struct {
	c       *conn
	dialing chan struct{} // held by the one who dials

	mu     sync.Mutex
	up     *upstream // the last one opened; it may be broken
	target string    // address that is being dialled
	abort  context.CancelFunc
	closed bool
	wg     sync.WaitGroup // the upstreams' goroutines
}

func (r *relay) init(c *conn) {
	r.c = c
	r.dialing = make(chan struct{}, 1)
}

// relayNow passes a request on from the reading goroutine if only the leader can answer it and its upstream stands: the
// frames of a busy client then keep their order and cost no goroutine, and a slow leader holds back its reader.
func (c *conn) relayNow(f wire.Frame) bool {
	switch f.Type {
	case wire.QueryStatus, wire.ListTasks, wire.GetStats, wire.Queues, wire.Tokens, wire.ClusterStatus, wire.Leave, wire.Adopt,
		wire.SaveSnapshot, wire.Doctor:
		return false // perhaps for this node
	}
	address, self := c.s.broker.Leader()
	if self || address == "" || c.client.Forwarded != nil {
		return false
	}
	u := c.relay.current(address)
	if u == nil {
		return false
	}
	u.w.hasRoom(c.reads.Done())
	if !u.send(f) {
		return false
	}
	c.release(frameSize(f))
	return true
}

// forward passes a request on, when a leader is known and can be reached, within the leader wait. It reports here if
// this node has become the leader meanwhile; the request is then still to be served. In an error nothing took effect.
func (r *relay) forward(f wire.Frame) (here bool, err error) {
	c := r.c
	ctx, cancel := context.WithTimeout(c.ctx, c.s.limits.LeaderWait)
	defer cancel()
	why := "none is known"
	for {
		changed := c.s.broker.LeaderChanged() // before Leader, so that no change is missed
		address, self := c.s.broker.Leader()
		var pause <-chan time.Time
		switch {
		case self:
			c.presence.begin(c)
			return true, nil
		case c.client.Forwarded != nil:
			return false, fmt.Errorf("%w: a relayed request goes one hop only", task.ErrNotLeader)
		case address != "":
			u, err := r.connect(ctx, address)
			if err == nil && u.send(f) {
				return false, nil
			}
			if err != nil {
				why = err.Error()
			}
			pause = time.After(redialPause)
		}
		select {
		case <-changed:
		case <-pause:
		case <-ctx.Done():
			return false, fmt.Errorf("%w: %s", task.ErrNoLeader, why)
		}
	}
}

// current returns the upstream to that address if it stands.
func (r *relay) current(address string) *upstream {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.up == nil || r.up.address != address || r.up.isBroken() {
		return nil
	}
	return r.up
}

// connect returns the upstream to that address, dialling if need be.
func (r *relay) connect(ctx context.Context, address string) (*upstream, error) {
	select {
	case r.dialing <- struct{}{}:
		defer func() { <-r.dialing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if u := r.current(address); u != nil {
		return u, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.mu.Lock()
	old := r.up
	r.up, r.target, r.abort = nil, address, cancel
	r.mu.Unlock()
	if old != nil {
		old.close()
	}
	u, err := dialUpstream(ctx, r.c, address)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target, r.abort = "", nil
	if err != nil {
		return nil, err
	}
	if r.closed || ctx.Err() != nil {
		u.conn.Close()
		return nil, errClosed
	}
	r.up = u
	r.wg.Add(2)
	go u.run(&r.wg)
	go u.read(&r.wg)
	return u, nil
}

// restore opens a new upstream after one has ended, without waiting for a request, if the client has a session: a worker
// that is busy has nothing to send, and loses its leases when the leader sees no connection of its session. It is called
// by a goroutine that r.wg counts.
func (r *relay) restore() {
	c := r.c
	if c.client.Session.IsZero() {
		return
	}
	r.wg.Add(1)
	go func() {
		defer r.wg.Done()
		defer c.onPanic("upstream", func() { c.fail(errClosed) })
		for {
			changed := c.s.broker.LeaderChanged()
			address, self := c.s.broker.Leader()
			if self {
				c.presence.begin(c)
				return
			}
			if address != "" {
				if _, err := r.connect(c.waits, address); err == nil {
					return
				}
			}
			select {
			case <-changed:
			case <-time.After(redialPause):
			case <-c.waits.Done():
				return
			}
		}
	}()
}

// leaderIs ends an upstream, or the dialling of one, to a node that no longer leads. While no leader is known it is
// kept: the old one may come back, and it says itself what it can no longer do.
func (r *relay) leaderIs(address string, self bool) {
	if address == "" && !self {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.abort != nil && (self || r.target != address) {
		r.abort()
	}
	if r.up != nil && (self || r.up.address != address) {
		r.up.close()
	}
}

// close ends the upstream for good and waits for it: every request that it owes an answer has got one then.
func (r *relay) close() {
	r.mu.Lock()
	r.closed = true
	if r.abort != nil {
		r.abort()
	}
	if r.up != nil {
		r.up.close()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

// leaderIs follows a change of leadership.
func (c *conn) leaderIs(address string, self bool) {
	defer c.onPanic("change of leader", func() { c.fail(errClosed) })
	c.mu.Lock()
	greeted := c.greeted
	c.mu.Unlock()
	if !greeted {
		return // the handshake looks for itself
	}
	c.presence.renew(c, self)
	c.relay.leaderIs(address, self)
}
