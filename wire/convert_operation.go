package wire

import (
	"fmt"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
)

// OrderToPB says the order of an operation on the wire.
func OrderToPB(o *task.OperationOrder) *wirepb.StartOperationRequest {
	return &wirepb.StartOperationRequest{
		Id: bytesOf(o.ID), Action: uint32(o.Action), Selection: selectionToPB(&o.Selection), Rate: o.Rate,
	}
}

// OrderFromPB reads an order. The error wraps task.ErrInvalid and names the field. OperationOrder.Validate is left to the
// caller.
func OrderFromPB(p *wirepb.StartOperationRequest) (task.OperationOrder, error) {
	return orderFrom(p.GetId(), p.GetAction(), p.GetSelection(), p.GetRate())
}

func orderFrom(id []byte, action uint32, s *wirepb.Selection, rate uint32) (o task.OperationOrder, err error) {
	o.Rate = rate
	if o.ID, err = id16[task.ID]("id", id); err != nil {
		return o, err
	}
	number, err := small("action", action)
	if err != nil {
		return o, err
	}
	if o.Action = task.Action(number); s == nil {
		return o, fmt.Errorf("%w: selection is missing", task.ErrInvalid)
	}
	o.Selection, err = selectionFromPB(s)
	return o, err
}

func selectionToPB(s *task.Selection) *wirepb.Selection {
	p := &wirepb.Selection{
		Queue: s.Queue, Type: s.Type, MinPriority: uint32(s.MinPriority), UpdatedBeforeUs: micros(s.UpdatedBefore),
		ErrorContains: s.ErrorContains, IdleUs: s.Idle.Microseconds(),
	}
	for _, status := range s.Statuses {
		p.Statuses = append(p.Statuses, uint32(status))
	}
	if s.MaxPriority != nil {
		v := uint32(*s.MaxPriority)
		p.MaxPriority = &v
	}
	return p
}

func selectionFromPB(p *wirepb.Selection) (task.Selection, error) {
	s := task.Selection{Queue: p.Queue, Type: p.Type, ErrorContains: p.ErrorContains}
	if len(p.Statuses) > len(task.Statuses) { // packed: the count of fields says nothing
		return s, fmt.Errorf("%w: %d statuses, there are %d", task.ErrInvalid, len(p.Statuses), len(task.Statuses))
	}
	var f fields
	statuses, err := each(p.Statuses, statusFromPB)
	s.Statuses = take(&f, statuses, err)
	low, err := small("min_priority", p.MinPriority)
	s.MinPriority = task.Priority(take(&f, low, err))
	high, err := optionalPriority("max_priority", p.MaxPriority)
	s.MaxPriority = take(&f, high, err)
	at, err := moment("updated_before_us", p.UpdatedBeforeUs)
	s.UpdatedBefore = take(&f, at, err)
	idle, err := duration("idle_us", p.IdleUs)
	s.Idle = take(&f, idle, err)
	return s, f.err
}

// OperationToPB says an operation on the wire.
func OperationToPB(o *task.Operation) *wirepb.Operation {
	return &wirepb.Operation{
		Id: bytesOf(o.ID), Action: uint32(o.Action), Selection: selectionToPB(&o.Selection), Rate: o.Rate,
		State: uint32(o.State), Examined: o.Examined, Changed: o.Changed, Failed: o.Failed, Error: o.Error,
		StartedAtUs: micros(o.StartedAt), EndedAtUs: micros(o.EndedAt),
	}
}

// OperationFromPB reads an operation. The error wraps task.ErrInvalid and names the field.
func OperationFromPB(p *wirepb.Operation) (task.Operation, error) {
	o := task.Operation{Examined: p.GetExamined(), Changed: p.GetChanged(), Failed: p.GetFailed(), Error: p.GetError()}
	var f fields
	order, err := orderFrom(p.GetId(), p.GetAction(), p.GetSelection(), p.GetRate())
	o.OperationOrder = take(&f, order, err)
	state, err := small("state", p.GetState())
	if o.State = task.OperationState(take(&f, state, err)); o.State != 0 && !o.State.Valid() && f.err == nil {
		f.err = fmt.Errorf("%w: state %d is none of 0 to 3", task.ErrInvalid, p.GetState())
	}
	at, err := moment("started_at_us", p.GetStartedAtUs())
	o.StartedAt = take(&f, at, err)
	at, err = moment("ended_at_us", p.GetEndedAtUs())
	o.EndedAt = take(&f, at, err)
	return o, f.err
}

// OperationsToPB says a list of operations on the wire.
func OperationsToPB(list []task.Operation) *wirepb.OperationsReply {
	p := &wirepb.OperationsReply{}
	for i := range list {
		p.Operations = append(p.Operations, OperationToPB(&list[i]))
	}
	return p
}

// OperationsFromPB reads a list of operations. The error wraps task.ErrInvalid and names the place and the field.
func OperationsFromPB(p *wirepb.OperationsReply) ([]task.Operation, error) {
	return each(p.GetOperations(), OperationFromPB)
}

// OptionalIDFromPB reads a task id, or none for the zero id. The error wraps task.ErrInvalid and names the field.
func OptionalIDFromPB(field string, b []byte) (task.ID, error) {
	return optionalID16[task.ID](field, b)
}
