package transport

import (
	"context"
	"fmt"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// items are those of a request's items that could be read. A bad one gets a receipt of its own and does not harm the
// others.
type items[T any] struct {
	good     []T
	place    []int          // of each good item in the request
	receipts []task.Receipt // of all; Err is set for the bad ones
	bad      int
	id       func(*T) task.ID
}

// read converts each item; id names it in its receipt.
func read[P, T any](list []P, convert func(P) (T, error), id func(*T) task.ID) (*items[T], error) {
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: the request has no item", task.ErrInvalid)
	}
	it := &items[T]{
		good: make([]T, 0, len(list)), place: make([]int, 0, len(list)), receipts: make([]task.Receipt, len(list)),
		id: id,
	}
	for i, p := range list {
		v, err := convert(p)
		if err != nil {
			it.receipts[i] = task.Receipt{ID: id(&v), Err: err}
			it.bad++
			continue
		}
		it.good = append(it.good, v)
		it.place = append(it.place, i)
	}
	return it, nil
}

// refuse takes out, with a receipt of its own, each good item that why has an error for.
func (it *items[T]) refuse(why func(*T) error) {
	n := 0
	for i := range it.good {
		if err := why(&it.good[i]); err != nil {
			it.receipts[it.place[i]] = task.Receipt{ID: it.id(&it.good[i]), Err: err}
			it.bad++
			continue
		}
		it.good[n], it.place[n] = it.good[i], it.place[i]
		n++
	}
	it.good, it.place = it.good[:n], it.place[:n]
}

// merge puts the broker's receipts of the good items at their places.
func (it *items[T]) merge(receipts []task.Receipt) ([]*wirepb.Receipt, error) {
	if len(receipts) != len(it.good) {
		return nil, fmt.Errorf("%w: %d receipts for %d items", task.ErrInternal, len(receipts), len(it.good))
	}
	for i, r := range receipts {
		it.receipts[it.place[i]] = r
	}
	return wire.ReceiptsToPB(it.receipts), nil
}

func (c *conn) submit(f wire.Frame) (wire.Message, error) {
	came := c.s.trace.Now()
	var m wirepb.SubmitRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	it, err := read(m.Tasks, wire.SpecFromPB, func(s *task.Spec) task.ID { return s.ID })
	if err != nil {
		return nil, err
	}
	if err := c.maySubmit(it); err != nil {
		return nil, err
	}
	request := c.s.trace.Receive(it.good, came)
	receipts, err := c.submitItems(request.In(c.ctx), it, m.Atomic)
	request.End(receipts, err)
	if err != nil {
		return nil, err
	}
	merged, err := it.merge(receipts)
	if err != nil {
		return nil, err
	}
	return &wirepb.SubmitReply{Receipts: merged}, nil
}

// submitItems calls the broker with the items that could be read.
func (c *conn) submitItems(ctx context.Context, it *items[task.Spec], atomic bool) (receipts []task.Receipt, err error) {
	switch {
	case atomic && it.bad > 0:
		for i := range it.good {
			receipts = append(receipts, task.Receipt{ID: it.good[i].ID, Err: task.ErrAborted})
		}
	case len(it.good) > 0:
		return c.s.broker.Submit(ctx, it.good, atomic)
	}
	return receipts, nil
}

func (c *conn) result(f wire.Frame) (wire.Message, error) {
	var m wirepb.ResultRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	it, err := read(m.Outcomes, wire.OutcomeFromPB, func(o *task.Outcome) task.ID { return o.ID })
	if err != nil {
		return nil, err
	}
	next, err := c.claimOf(m.Next)
	if err != nil {
		return nil, fmt.Errorf("next claim: %w", err)
	}
	if err := c.mayFinish(it); err != nil {
		return nil, err
	}
	if c.s.replies.isFull() {
		next = nil // the results count, a claim can be made again
	}
	receipts, tasks, err := c.finish(it.good, next)
	if err != nil {
		return nil, err
	}
	merged, err := it.merge(receipts)
	if err != nil {
		return nil, err
	}
	reply := &wirepb.ResultReply{Receipts: merged}
	if m.Next != nil {
		reply.Next = &wirepb.ClaimReply{Tasks: wire.TasksToPB(tasks)}
	}
	return reply, nil
}

// finish calls the broker with what is left to do. An error of the next claim is no error of the outcomes: the worker
// gets its receipts and no task, and claims again.
func (c *conn) finish(outcomes []task.Outcome, next *task.ClaimRequest) (
	receipts []task.Receipt, tasks []*task.Task, err error,
) {
	switch {
	case len(outcomes) > 0:
		receipts, tasks, err = c.s.broker.Finish(c.ctx, c.client.Session, outcomes, next)
	case next != nil:
		next.Wait = 0 // the receipts of the bad outcomes are not held back
		tasks, err = c.s.broker.Claim(c.ctx, *next)
	}
	if err != nil && len(receipts) == len(outcomes) {
		c.log.Debug("next claim", "error", err)
		err = nil
	}
	return receipts, tasks, err
}

func (c *conn) cancelTasks(f wire.Frame) (wire.Message, error) {
	var m wirepb.CancelRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	receipts, err := c.changeEach(m.Ids, c.s.broker.Cancel)
	return &wirepb.CancelReply{Receipts: receipts}, err
}

func (c *conn) retryTasks(f wire.Frame) (wire.Message, error) {
	var m wirepb.RetryRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	receipts, err := c.changeEach(m.Ids, c.s.broker.Retry)
	return &wirepb.RetryReply{Receipts: receipts}, err
}

func (c *conn) deleteTasks(f wire.Frame) (wire.Message, error) {
	var m wirepb.DeleteRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	receipts, err := c.changeEach(m.Ids, c.s.broker.Delete)
	return &wirepb.DeleteReply{Receipts: receipts}, err
}

// changeEach reads ids and has the broker change their tasks.
func (c *conn) changeEach(
	raw [][]byte, change func(context.Context, []task.ID) ([]task.Receipt, error),
) ([]*wirepb.Receipt, error) {
	ids, err := wire.IDsFromPB("ids", raw)
	if err != nil {
		return nil, err
	}
	it, err := read(ids, func(id task.ID) (task.ID, error) { return id, nil }, func(id *task.ID) task.ID { return *id })
	if err != nil {
		return nil, fmt.Errorf("%w; ids is empty", err)
	}
	hidden, err := c.foreignOf(ids)
	if err != nil {
		return nil, err
	}
	it.refuse(func(id *task.ID) error { return hidden.check(*id) })
	var receipts []task.Receipt
	if len(it.good) > 0 {
		if receipts, err = change(c.ctx, it.good); err != nil {
			return nil, err
		}
	}
	return it.merge(receipts)
}
