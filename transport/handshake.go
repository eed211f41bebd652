package transport

import (
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// handshake reads the Hello, which has to be the first frame, and answers it.
func (c *conn) handshake() error {
	limit := time.NewTimer(c.s.limits.HandshakeTimeout)
	defer limit.Stop()
	select {
	case <-c.s.served:
	case <-limit.C:
		return &refusal{0, busy("this node is starting")}
	case <-c.reads.Done():
		return errStopped
	}
	if err := c.within(c.s.limits.HandshakeTimeout, maxHello); err != nil {
		return err
	}
	f, err := wire.ReadFrame(c.r, maxHello)
	if err != nil {
		return c.readError(err)
	}
	if err := c.greet(f); err != nil {
		return &refusal{f.RequestID, err}
	}
	welcome := wire.WelcomeToPB(c.welcome())
	if err := c.w.message(wire.Ack, f.RequestID, welcome, 0); err != nil {
		return err
	}
	c.mu.Lock()
	c.greeted = true
	c.mu.Unlock()
	c.recheck() // what changed before then was not seen
	if _, self := c.s.broker.Leader(); self {
		c.presence.begin(c) // after the welcome: a push may follow at once
	}
	return nil
}

// greet checks who comes.
func (c *conn) greet(f wire.Frame) error {
	if f.RequestID == 0 {
		return fmt.Errorf("%w: request id 0 is the server's", task.ErrInvalid)
	}
	if f.Type != wire.Hello {
		return fmt.Errorf("%w: the first frame is a %s, not a Hello", task.ErrHandshake, f.Type)
	}
	var hello wirepb.Hello
	if err := wire.Decode(f, &hello); err != nil {
		return err
	}
	g, err := wire.GreetingFromPB(&hello)
	if err != nil {
		return err
	}
	if own := c.s.id.ClusterID; !g.ClusterID.IsZero() && g.ClusterID != own {
		return fmt.Errorf("%w: this node belongs to cluster %s, not %s", task.ErrHandshake, own, g.ClusterID)
	}
	if c.access, err = c.authenticate(&g); err != nil {
		return err
	}
	c.client = g
	return nil
}

func (c *conn) welcome() *wire.Welcome {
	id := &c.s.id
	leader, self := c.s.leader()
	return &wire.Welcome{
		Version: wire.Version, ServerVersion: id.Version, NodeID: id.NodeID, NodeName: id.NodeName,
		ClusterID: id.ClusterID, LeaderAddress: leader, IsLeader: self, HeartbeatInterval: id.HeartbeatInterval,
		MinLease: id.MinLease, MaxInFlight: uint32(c.s.limits.MaxRequests), Access: c.access,
	}
}

// leader returns the leader's address as clients should know it.
func (s *Server) leader() (address string, self bool) {
	address, self = s.broker.Leader()
	if self && address == "" {
		address = s.id.Advertise
	}
	return address, self
}
