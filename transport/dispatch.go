package transport

import (
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
	case wire.RetryTask:
		return c.retryTasks(f)
	case wire.DeleteTask:
		return c.deleteTasks(f)
	case wire.StartOperation:
		return c.startOperation(f)
	case wire.Operations:
		return c.operations(f)
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
	case wire.SaveSnapshot:
		return c.saveSnapshot(f)
	case wire.Doctor:
		return c.doctor(f)
	case wire.SetDispatch:
		return c.setDispatch(f)
	case wire.SetQueue:
		return c.setQueue(f)
	case wire.Queues:
		return c.queues(f)
	case wire.Retention:
		return c.retention(f)
	case wire.SetSchedule:
		return c.setSchedule(f)
	case wire.Schedules:
		return c.schedules(f)
	case wire.Workers:
		return c.workers(f)
	case wire.CreateToken:
		return c.createToken(f)
	case wire.Tokens:
		return c.tokens(f)
	case wire.RevokeToken:
		return c.revokeToken(f)
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
	if c.s.replies.isFull() {
		c.s.warnFull("replies")
		return nil, busy("this node has all the bytes of replies to be sent that it allows")
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
	if err == nil {
		err = c.mayClaim(&req)
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
	lost, err := c.withoutForeign(&h)
	if err != nil {
		return nil, err
	}
	reply, err := c.s.broker.Heartbeat(c.ctx, h)
	if err != nil {
		return nil, err
	}
	reply.Lost = append(reply.Lost, lost...)
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
	q, empty, err := c.mayRead(q)
	if err != nil || empty {
		return new(wirepb.QueryReply), err
	}
	tasks, index, err := c.get(f.RequestID, q)
	if err != nil {
		return nil, err
	}
	return &wirepb.QueryReply{Tasks: wire.TasksToPB(c.visible(tasks)), AppliedIndex: index}, nil
}

// get reads tasks. Who waits for one waits without its payload, which is read when it is sent.
func (c *conn) get(requestID uint32, q task.Query) (tasks []*task.Task, index uint64, err error) {
	if q.WithPayload && q.Wait > 0 {
		light := q
		light.WithPayload = false
		if tasks, index, err = c.s.broker.Get(c.waits, light); err != nil || len(tasks) == 0 {
			return tasks, index, err
		}
		q.Wait = 0
	}
	if q.WithPayload {
		if err := c.enterBulk(requestID, wire.MaxFrame); err != nil {
			return nil, 0, err
		}
	}
	return c.s.broker.Get(c.waits, q)
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
	if filter.Queue != "" {
		err = c.access.Check(filter.Queue)
	}
	if err != nil {
		return nil, err
	}
	filter.QueuePrefixes = c.access.Queues
	size := int64(lightPage)
	if filter.WithPayload {
		size = wire.MaxFrame
	}
	if err := c.enterBulk(f.RequestID, size); err != nil {
		return nil, err
	}
	page, err := c.s.broker.List(c.waits, filter)
	if err != nil {
		return nil, err
	}
	return wire.PageToPB(&page), nil
}

func (c *conn) stats(f wire.Frame) (wire.Message, error) {
	var m wirepb.StatsRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	q := wire.StatsQueryFromPB(&m)
	if err := q.Validate(); err != nil {
		return nil, err
	}
	if q.Queue != "" {
		if err := c.access.Check(q.Queue); err != nil {
			return nil, err
		}
	}
	stats, err := c.s.broker.Stats(c.ctx, q)
	if err != nil {
		return nil, err
	}
	c.ownStats(&stats)
	return wire.StatsToPB(&stats), nil
}
