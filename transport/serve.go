package transport

import (
	"context"
	"errors"
	"fmt"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// serve answers one admitted request, here or through the leader, in a goroutine that serves nothing else meanwhile.
func (c *conn) serve(f wire.Frame) {
	defer c.requests.Done()
	defer c.onPanic(f.Type.String(), func() { c.fail(errClosed) })
	defer c.leaveBulk(f.RequestID)
	m, relayed, err := c.work(f)
	if !relayed {
		c.reply(f, m, err)
	}
}

// work calls the broker, or passes the request on.
func (c *conn) work(f wire.Frame) (m wire.Message, relayed bool, err error) {
	defer c.release(frameSize(f))
	here, err := c.servedHere(f)
	if err == nil && !here {
		here, err = c.relay.forward(f)
	}
	if err != nil || !here {
		return nil, err == nil, err
	}
	m, err = c.dispatch(f)
	return m, false, err
}

// servedHere reports whether a request is for this node: because it leads, or because the request concerns a node
// whoever leads, which reads say in a flag. An error is that of a body which does not decode.
func (c *conn) servedHere(f wire.Frame) (bool, error) {
	if _, self := c.s.broker.Leader(); self {
		c.presence.begin(c)
		return true, nil
	}
	switch f.Type {
	case wire.ClusterStatus, wire.Leave, wire.Adopt, wire.SaveSnapshot, wire.Doctor:
		return true, nil
	case wire.QueryStatus:
		var q wirepb.QueryRequest
		stale, err := here(f, &q, &q.Stale)
		if err == nil && !stale && q.WaitUs > 0 {
			c.mayWait(f.RequestID)
		}
		return stale, err
	case wire.ListTasks:
		var q wirepb.ListRequest
		return here(f, &q, &q.Stale)
	case wire.GetStats:
		var q wirepb.StatsRequest
		return here(f, &q, &q.Stale)
	case wire.Queues:
		var q wirepb.QueuesRequest
		return here(f, &q, &q.Stale)
	case wire.Tokens:
		var q wirepb.TokensRequest
		return here(f, &q, &q.Stale)
	case wire.Schedules:
		var q wirepb.SchedulesRequest
		return here(f, &q, &q.Stale)
	case wire.Operations:
		var q wirepb.OperationsRequest
		stale, err := here(f, &q, &q.Stale)
		return stale && !q.Cancel, err
	case wire.Retention:
		var q wirepb.RetentionRequest
		stale, err := here(f, &q, &q.Stale)
		return stale && q.Set == nil, err
	}
	return false, nil
}

func here(f wire.Frame, m wire.Message, stale *bool) (bool, error) {
	err := wire.Decode(f, m)
	return *stale, err
}

// reply queues the answer of a request in work.
func (c *conn) reply(f wire.Frame, m wire.Message, err error) {
	c.settle(f.RequestID)
	if err == nil {
		err = c.w.message(wire.Ack, f.RequestID, m, 1)
	}
	switch {
	case err == nil, errors.Is(err, errClosed):
		return
	case errors.Is(err, errOverflow) && !isRead(f.Type):
		c.log.Warn("client does not read its replies; the connection is closed")
		c.fail(err)
		return
	case errors.Is(err, errOverflow):
		err = busy("too many replies are waiting to be read")
	default:
		err = c.explain(f, err)
	}
	c.nack(f.RequestID, err, 1)
}

// isRead reports whether a request has no effect, so that its reply can be withheld.
func isRead(t wire.Type) bool {
	return t == wire.QueryStatus || t == wire.ListTasks || t == wire.GetStats || t == wire.ClusterStatus || t == wire.Doctor
}

// explain gives an error of the broker that wraps none of task's a sentinel for the client.
func (c *conn) explain(f wire.Frame, err error) error {
	if wire.CodeOf(err) != wire.CodeOf(task.ErrInternal) {
		return err
	}
	switch {
	case errors.Is(err, context.Canceled) && (isRead(f.Type) || f.Type == wire.ClaimTask):
		return context.Cause(c.waits)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%w: the node gave up waiting for it", task.ErrUnknownOutcome)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", task.ErrTimeout, err)
	}
	c.log.Error("request ended in an unexpected error", "request", f.Type.String(), "error", err)
	return err
}

// nack queues a refusal. reply is 1 if the request was admitted.
func (c *conn) nack(requestID uint32, why error, reply int) {
	var leader string
	if errors.Is(why, task.ErrNotLeader) || errors.Is(why, task.ErrNoLeader) {
		leader, _ = c.s.leader()
	}
	err := c.w.message(wire.Nack, requestID, wire.NackFromError(why, leader), reply)
	if err != nil && !errors.Is(err, errClosed) {
		c.fail(err)
	}
}

// pushSession sends what a worker did not ask for: tasks to cancel, or that it should end.
func (c *conn) pushSession(cancelled []task.ID, end bool) {
	c.push(&wirepb.Push{Cancel: wire.IDsToPB(cancelled), End: end})
}

func (c *conn) push(m *wirepb.Push) {
	err := c.w.message(wire.Push, 0, m, 0)
	if err != nil && !errors.Is(err, errClosed) {
		c.log.Warn("client does not read its pushes; the connection is closed", "error", err)
		c.fail(err)
	}
}
