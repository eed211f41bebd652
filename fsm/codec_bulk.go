package fsm

import (
	"fmt"

	"github.com/haiku-queue/haiku/internal/pb/commandpb"
	"github.com/haiku-queue/haiku/task"
)

func bulkToPB(c Command) (message, error) {
	switch c := c.(type) {
	case *Retry:
		return &commandpb.Retry{Ids: joinIDs(c.IDs)}, nil
	case *Delete:
		return &commandpb.Delete{Ids: joinIDs(c.IDs), DedupWindowUs: c.DedupWindow.Microseconds()}, nil
	case *StartOperation:
		return orderToPB(&c.Order), nil
	case *StepOperation:
		return &commandpb.StepOperation{
			Id: c.ID[:], From: c.From[:], To: c.To[:], Ids: joinIDs(c.IDs), Examined: uint64(c.Examined), Last: c.Last,
			DedupWindowUs: c.DedupWindow.Microseconds(), Action: uint32(c.Action),
		}, nil
	case *EndOperation:
		return &commandpb.EndOperation{Id: c.ID[:]}, nil
	}
	return nil, fmt.Errorf("%w: %T", errKind, c)
}

func bulkFromPB(kind Kind, body []byte) (Command, error) {
	switch kind {
	case KindRetry:
		return decode(body, &commandpb.Retry{}, func(m *commandpb.Retry) (Command, error) {
			ids, err := splitIDs(m.Ids)
			return &Retry{IDs: ids}, err
		})
	case KindDelete:
		return decode(body, &commandpb.Delete{}, func(m *commandpb.Delete) (Command, error) {
			ids, err := splitIDs(m.Ids)
			return &Delete{IDs: ids, DedupWindow: micros(m.DedupWindowUs)}, err
		})
	case KindStartOperation:
		return decode(body, &commandpb.StartOperation{}, func(m *commandpb.StartOperation) (Command, error) {
			order, err := orderFromPB(m)
			return &StartOperation{order}, err
		})
	case KindStepOperation:
		return decode(body, &commandpb.StepOperation{}, stepOperationFromPB)
	case KindEndOperation:
		return decode(body, &commandpb.EndOperation{}, func(m *commandpb.EndOperation) (Command, error) {
			id, err := task.IDFromBytes(m.Id)
			return &EndOperation{ID: id}, err
		})
	}
	return nil, errKind
}

func stepOperationFromPB(m *commandpb.StepOperation) (Command, error) {
	c := &StepOperation{Action: task.Action(m.Action), Examined: int(m.Examined), Last: m.Last, DedupWindow: micros(m.DedupWindowUs)}
	for _, of := range [...]struct {
		id  *task.ID
		raw []byte
	}{{&c.ID, m.Id}, {&c.From, m.From}, {&c.To, m.To}} {
		id, err := task.IDFromBytes(of.raw)
		if err != nil {
			return nil, err
		}
		*of.id = id
	}
	var err error
	c.IDs, err = splitIDs(m.Ids)
	return c, err
}

func orderToPB(o *task.OperationOrder) *commandpb.StartOperation {
	s := &o.Selection
	p := &commandpb.Selection{
		Queue: s.Queue, Type: s.Type, MinPriority: uint32(s.MinPriority), UpdatedBeforeUs: timeToMicros(s.UpdatedBefore),
		ErrorContains: s.ErrorContains, IdleUs: s.Idle.Microseconds(),
	}
	for _, status := range s.Statuses {
		p.Statuses = append(p.Statuses, byte(status))
	}
	if s.MaxPriority != nil {
		v := uint32(*s.MaxPriority)
		p.MaxPriority = &v
	}
	return &commandpb.StartOperation{Id: o.ID[:], Action: uint32(o.Action), Selection: p, Rate: o.Rate}
}

func orderFromPB(m *commandpb.StartOperation) (o task.OperationOrder, err error) {
	if o.ID, err = task.IDFromBytes(m.Id); err != nil {
		return o, err
	}
	if m.Selection == nil {
		return o, fmt.Errorf("%w: no selection", errField)
	}
	p, s := m.Selection, &o.Selection
	o.Action, o.Rate = task.Action(m.Action), m.Rate
	*s = task.Selection{
		Queue: p.Queue, Type: p.Type, MinPriority: task.Priority(p.MinPriority), UpdatedBefore: timeFromMicros(p.UpdatedBeforeUs),
		ErrorContains: p.ErrorContains, Idle: micros(p.IdleUs),
	}
	for _, status := range p.Statuses {
		s.Statuses = append(s.Statuses, task.Status(status))
	}
	if p.MaxPriority != nil {
		v := task.Priority(*p.MaxPriority)
		s.MaxPriority = &v
	}
	return o, refuseUnknown(p)
}

func operationToPB(o *task.Operation) *commandpb.Operation {
	m := &commandpb.Operation{
		Start: orderToPB(&o.OperationOrder), State: uint32(o.State), Examined: o.Examined, Changed: o.Changed, Failed: o.Failed,
		Error: o.Error, StartedAtUs: timeToMicros(o.StartedAt), EndedAtUs: timeToMicros(o.EndedAt),
	}
	if o.Cursor != (task.ID{}) {
		m.Cursor = o.Cursor[:]
	}
	return m
}

func operationFromPB(m *commandpb.Operation) (*task.Operation, error) {
	if m.Start == nil {
		return nil, fmt.Errorf("%w: no order", errField)
	}
	order, err := orderFromPB(m.Start)
	if err != nil {
		return nil, err
	}
	o := &task.Operation{
		OperationOrder: order, State: task.OperationState(m.State), Examined: m.Examined, Changed: m.Changed, Failed: m.Failed,
		Error: m.Error, StartedAt: timeFromMicros(m.StartedAtUs), EndedAt: timeFromMicros(m.EndedAtUs),
	}
	if len(m.Cursor) > 0 {
		o.Cursor, err = task.IDFromBytes(m.Cursor)
	}
	return o, err
}
