package transport

import (
	"fmt"
	"slices"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

func (c *conn) startOperation(f wire.Frame) (wire.Message, error) {
	var m wirepb.StartOperationRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	order, err := wire.OrderFromPB(&m)
	if err == nil {
		err = order.Validate()
	}
	if err == nil {
		err = c.mayNamed(order.Selection.Queue)
	}
	if err == nil && len(m.Cursor) > 0 && !m.DryRun {
		err = fmt.Errorf("%w: only a dry run takes a cursor", task.ErrInvalid)
	}
	if err != nil {
		return nil, err
	}
	var reply wirepb.StartOperationReply
	var o task.Operation
	if m.DryRun {
		o, reply.Next, err = c.s.admin.TryOperation(c.ctx, order, m.Cursor)
	} else {
		o, err = c.s.admin.StartOperation(c.ctx, order)
	}
	if err != nil {
		return nil, err
	}
	reply.Operation = wire.OperationToPB(&o)
	return &reply, nil
}

func (c *conn) operations(f wire.Frame) (wire.Message, error) {
	var m wirepb.OperationsRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	id, err := wire.OptionalIDFromPB("id", m.Id)
	if err == nil && m.Cancel && len(m.Id) == 0 {
		err = fmt.Errorf("%w: cancel needs the id of an operation", task.ErrInvalid)
	}
	if err == nil && m.Cancel {
		err = c.cancelOperation(f, id)
	}
	if err != nil {
		return nil, err
	}
	list, err := c.ownOperations(m.Stale && !m.Cancel)
	if err != nil || len(m.Id) == 0 {
		return wire.OperationsToPB(list), err
	}
	list = slices.DeleteFunc(list, func(o task.Operation) bool { return o.ID != id })
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: operation %s", task.ErrNotFound, id)
	}
	return wire.OperationsToPB(list), nil
}

// cancelOperation cancels an operation that the client may see.
func (c *conn) cancelOperation(f wire.Frame, id task.ID) error {
	if err := c.mayChange(f.Type); err != nil {
		return err
	}
	if c.access.IsRestricted() {
		list, err := c.ownOperations(false)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(list, func(o task.Operation) bool { return o.ID == id }) {
			return fmt.Errorf("%w: operation %s", task.ErrNotFound, id)
		}
	}
	return c.s.admin.CancelOperation(c.ctx, id)
}

// ownOperations lists those that the client may see: of one of its queues.
func (c *conn) ownOperations(stale bool) ([]task.Operation, error) {
	list, err := c.s.admin.Operations(c.ctx, stale)
	return slices.DeleteFunc(list, func(o task.Operation) bool { return c.mayNamed(o.Selection.Queue) != nil }), err
}
