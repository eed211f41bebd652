package transport

import (
	"context"
	"fmt"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// dispatch calls the broker for one request and returns the body of its Ack. To add a request, add a case.
func (c *conn) dispatch(f wire.Frame) (wire.Message, error) {
	switch f.Type {
	case wire.SubmitTask:
		return c.submit(f)
	case wire.ClaimTask:
		return c.claim(f)
	case wire.TaskResult:
		return c.result(f)
	case wire.Heartbeat:
		return c.heartbeat(f)
	case wire.QueryStatus:
		return c.query(f)
	case wire.CancelTask:
		return c.cancelTasks(f)
	case wire.ListTasks:
		return c.list(f)
	case wire.GetStats:
		return c.stats(f)
	case wire.ClusterStatus:
		return c.clusterStatus(f)
	case wire.Join:
		return c.join(f)
	case wire.Remove:
		return c.remove(f)
	case wire.Leave:
		return c.leave(f)
	case wire.Transfer:
		return c.transfer(f)
	case wire.Mark:
		return c.mark(f)
	case wire.Adopt:
		return c.adopt(f)
	}
	return nil, fmt.Errorf("%w: %s", task.ErrUnknownType, f.Type)
}

func (c *conn) claim(f wire.Frame) (wire.Message, error) {
	var m wirepb.ClaimRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	req, err := c.claimOf(&m)
	if err != nil {
		return nil, err
	}
	tasks, err := c.s.broker.Claim(c.waits, *req)
	if err != nil {
		return nil, err
	}
	return &wirepb.ClaimReply{Tasks: wire.TasksToPB(tasks)}, nil
}

// claimOf reads a claim of this connection's session; nil gives nil.
func (c *conn) claimOf(m *wirepb.ClaimRequest) (*task.ClaimRequest, error) {
	if m == nil {
		return nil, nil
	}
	req, err := wire.ClaimFromPB(m, c.client.Session)
	if err == nil {
		err = req.Validate()
	}
	return &req, err
}

func (c *conn) heartbeat(f wire.Frame) (wire.Message, error) {
	var m wirepb.HeartbeatRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	h, err := wire.HeartbeatFromPB(&m, c.client.Session)
	if err == nil {
		err = h.Validate()
	}
	if err != nil {
		return nil, err
	}
	reply, err := c.s.broker.Heartbeat(c.ctx, h)
	if err != nil {
		return nil, err
	}
	return wire.HeartbeatReplyToPB(&reply), nil
}

func (c *conn) query(f wire.Frame) (wire.Message, error) {
	var m wirepb.QueryRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	q, err := wire.QueryFromPB(&m)
	if err == nil {
		err = q.Validate()
	}
	if err != nil {
		return nil, err
	}
	if q.WithPayload && q.Wait == 0 {
		if err := c.enterBulk(f.RequestID); err != nil {
			return nil, err
		}
	}
	tasks, index, err := c.s.broker.Get(c.waits, q)
	if err != nil {
		return nil, err
	}
	return &wirepb.QueryReply{Tasks: wire.TasksToPB(tasks), AppliedIndex: index}, nil
}

func (c *conn) list(f wire.Frame) (wire.Message, error) {
	var m wirepb.ListRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	filter, err := wire.FilterFromPB(&m)
	if err == nil {
		err = filter.Validate()
	}
	if err != nil {
		return nil, err
	}
	if err := c.enterBulk(f.RequestID); err != nil {
		return nil, err
	}
	page, err := c.s.broker.List(c.waits, filter)
	if err != nil {
		return nil, err
	}
	return wire.PageToPB(&page), nil
}

// enterBulk waits for one of the few places for reads whose replies may be large, and for the replies before it to be
// sent: without it a client could have hundreds of them made at once. The request keeps its place until its reply is
// queued, so that the next one sees how full the queue is.
func (c *conn) enterBulk(requestID uint32) error {
	select {
	case c.bulk <- struct{}{}:
	case <-c.ctx.Done():
		return context.Canceled
	}
	c.mu.Lock()
	c.bulky[requestID]++ // a client may use a number again before leaveBulk
	c.mu.Unlock()
	c.w.hasRoom(c.ctx.Done())
	return nil
}

// leaveBulk gives back the place of a request whose reply is queued, if it has one.
func (c *conn) leaveBulk(requestID uint32) {
	c.mu.Lock()
	held := c.bulky[requestID]
	if held > 1 {
		c.bulky[requestID]--
	} else {
		delete(c.bulky, requestID)
	}
	c.mu.Unlock()
	if held > 0 {
		<-c.bulk
	}
}

func (c *conn) stats(f wire.Frame) (wire.Message, error) {
	var m wirepb.StatsRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	stats, err := c.s.broker.Stats(c.ctx, m.Stale)
	if err != nil {
		return nil, err
	}
	return wire.StatsToPB(&stats), nil
}
