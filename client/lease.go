package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// Claim leases tasks to the client's session and waits up to req.Wait for the first one; none is no error. It is sent
// again only while it surely took no effect. After an error that wraps task.ErrUnknownOutcome tasks may be leased: the
// session has to send a heartbeat before it claims again. Tasks that come after the context has ended are given back.
func (c *Client) Claim(ctx context.Context, req task.ClaimRequest) ([]*task.Task, error) {
	req.Session = c.cfg.Session
	if err := req.Validate(); err != nil {
		return nil, err
	}
	var reply wirepb.ClaimReply
	if err := c.do(ctx, wire.ClaimTask, wire.ClaimToPB(&req), &reply, false); err != nil {
		return nil, err
	}
	return wire.TasksFromPB(reply.Tasks)
}

// Finish reports outcomes and, if next is not nil, claims more tasks in the same round trip, without waiting for any.
// Outcomes are sent until they are answered: there is one receipt for each, Duplicate if an earlier sending had taken
// effect. next is not repeated: with receipts, the error is that of the claim, as of Claim. Without, it is that of
// outcomes; those may be reported again.
func (c *Client) Finish(ctx context.Context, outcomes []task.Outcome, next *task.ClaimRequest) ([]task.Receipt,
	[]*task.Task, error) {
	f := finish{c: c, receipts: make([]task.Receipt, len(outcomes))}
	if next != nil {
		claim := *next
		claim.Session = c.cfg.Session
		if err := claim.Validate(); err != nil {
			return nil, nil, err
		}
		f.next = wire.ClaimToPB(&claim)
	}
	if len(outcomes) == 0 {
		return nil, nil, fmt.Errorf("%w: no outcome to report", task.ErrInvalid)
	}
	for i := range outcomes {
		f.receipts[i].ID = outcomes[i].ID
		if f.receipts[i].Err = outcomes[i].Validate(); f.receipts[i].Err == nil {
			f.outcomes = append(f.outcomes, wire.OutcomeToPB(&outcomes[i]))
			f.places = append(f.places, i)
		}
	}
	for begin := 0; begin < len(f.outcomes); {
		end := f.chunk(begin)
		if err := f.send(ctx, begin, end); err != nil {
			return nil, nil, err
		}
		begin = end
	}
	return f.receipts, f.tasks, f.claimErr
}

// finish is a list of outcomes on its way.
type finish struct {
	c        *Client
	receipts []task.Receipt
	outcomes []*wirepb.Outcome // to be sent
	places   []int             // of each in receipts
	next     *wirepb.ClaimRequest
	tasks    []*task.Task
	claimErr error
}

// chunk returns the end of the part from begin that goes into one frame.
func (f *finish) chunk(begin int) (end int) {
	size, items := 0, 0
	for end = begin; end < len(f.outcomes); end++ {
		size += f.outcomes[end].SizeVT() + 8
		items += 1 + len(f.outcomes[end].Submit)
		if end > begin && (size > maxChunk || items > task.MaxItems) {
			break
		}
	}
	return end
}

// send reports one part; the last one carries the claim, until its outcome is unknown.
func (f *finish) send(ctx context.Context, begin, end int) error {
	req := &wirepb.ResultRequest{Outcomes: f.outcomes[begin:end]}
	if end == len(f.outcomes) {
		req.Next = f.next
	}
	var reply wirepb.ResultReply
	err := f.c.retry(ctx, true, func() error {
		reply = wirepb.ResultReply{}
		err := f.c.do(ctx, wire.TaskResult, req, &reply, req.Next == nil)
		if req.Next != nil && errors.Is(err, task.ErrUnknownOutcome) {
			f.claimErr = fmt.Errorf("next claim: %w", err)
			req = &wirepb.ResultRequest{Outcomes: req.Outcomes}
		}
		return err
	})
	if err != nil {
		return err
	}
	receipts, err := receiptsOf(reply.Receipts, end-begin)
	if err != nil {
		return err
	}
	for i, place := range f.places[begin:end] {
		f.receipts[place] = receipts[i]
	}
	if req.Next != nil {
		f.tasks, f.claimErr = wire.TasksFromPB(reply.GetNext().GetTasks())
	}
	return nil
}

// Heartbeat renews leases of the client's session: all that it holds. An error says nothing of them.
func (c *Client) Heartbeat(ctx context.Context, leases []task.LeaseRef) (task.HeartbeatReply, error) {
	h := task.Heartbeat{Session: c.cfg.Session, Leases: leases}
	if err := h.Validate(); err != nil {
		return task.HeartbeatReply{}, err
	}
	var reply wirepb.HeartbeatReply
	if err := c.do(ctx, wire.Heartbeat, wire.HeartbeatToPB(&h), &reply, true); err != nil {
		return task.HeartbeatReply{}, err
	}
	return wire.HeartbeatReplyFromPB(&reply)
}
