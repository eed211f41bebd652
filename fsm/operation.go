package fsm

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/haiku-queue/haiku/internal/pb/commandpb"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// In meta an operation stands under "op/" | id 16, as version uint8 = 1 | commandpb.Operation.
const (
	operationPrefix  = "op/"
	operationVersion = 1
)

// Operations lists the operations that run, and the ended ones that are kept, oldest first.
func Operations(st *store.Store) ([]*task.Operation, error) {
	kvs, err := st.ScanMeta(operationPrefix)
	if err != nil {
		return nil, err
	}
	return readOperations(kvs)
}

// Operation returns one operation; nil if there is none.
func Operation(st *store.Store, id task.ID) (*task.Operation, error) {
	value, err := st.Meta(operationKey(id))
	if err != nil || value == nil {
		return nil, err
	}
	return readOperation(operationKey(id), value)
}

func operationKey(id task.ID) string { return operationPrefix + string(id[:]) }

func readOperations(kvs []store.KV) ([]*task.Operation, error) {
	out := make([]*task.Operation, len(kvs))
	for i, kv := range kvs {
		var err error
		if out[i], err = readOperation(kv.Key, kv.Value); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func readOperation(key string, value []byte) (*task.Operation, error) {
	m := &commandpb.Operation{}
	if len(value) == 0 || value[0] != operationVersion {
		return nil, fmt.Errorf("operation %x is damaged", key)
	}
	err := m.UnmarshalVT(value[1:])
	if err == nil {
		err = refuseUnknown(m)
	}
	if err != nil {
		return nil, fmt.Errorf("operation %x: %w", key, err)
	}
	o, err := operationFromPB(m)
	if err == nil && operationKey(o.ID) != key {
		err = fmt.Errorf("it is %s", o.ID)
	}
	if err != nil {
		return nil, fmt.Errorf("operation %x: %w", key, err)
	}
	return o, nil
}

func (m *machine) operation(id task.ID) (*task.Operation, error) {
	value, err := m.batch.Meta(operationKey(id))
	if err != nil || value == nil {
		return nil, err
	}
	return readOperation(operationKey(id), value)
}

func (m *machine) putOperation(o *task.Operation) error {
	p := operationToPB(o)
	value := make([]byte, 1+p.SizeVT())
	value[0] = operationVersion
	if _, err := p.MarshalToSizedBufferVT(value[1:]); err != nil {
		return err
	}
	m.batch.PutMeta(operationKey(o.ID), value)
	return nil
}

// startOperation adds an operation. The same order twice is one operation.
func (m *machine) startOperation(c *StartOperation) (Result, error) {
	r := Result{Receipts: []task.Receipt{{ID: c.Order.ID}}}
	kvs, err := m.batch.ScanMeta(operationPrefix, 0)
	if err != nil {
		return r, err
	}
	all, err := readOperations(kvs)
	if err != nil {
		return r, err
	}
	running := 0
	for _, o := range all {
		if o.State == task.OperationRunning {
			running++
		}
		if o.ID == c.Order.ID {
			r.Receipts[0].Duplicate = true
			kept := o.OperationOrder
			if kept.Selection.Idle > 0 {
				kept.Selection.UpdatedBefore = time.Time{}
			}
			if !proto.Equal(orderToPB(&kept), orderToPB(&c.Order)) {
				return Result{Err: fmt.Errorf("%w: operation %s is there with other content", task.ErrConflict, o.ID)}, nil
			}
			return r, nil
		}
	}
	if running >= task.MaxRunningOperations {
		return Result{Err: fmt.Errorf("%w: %d operations are running, no more are allowed at once", task.ErrTooLarge, running)}, nil
	}
	o := &task.Operation{OperationOrder: c.Order, State: task.OperationRunning, StartedAt: m.now}
	if s := &o.Selection; s.Idle > 0 { // kept, so that the same order again is known
		s.UpdatedBefore = m.now.Add(-s.Idle)
	}
	return r, m.putOperation(o)
}

// stepOperation does what the leader found for the operation to do next, as far as it still holds.
func (m *machine) stepOperation(c *StepOperation) (Result, error) {
	var r Result
	o, err := m.operation(c.ID)
	if err != nil {
		return r, err
	}
	if o == nil || o.State != task.OperationRunning || o.Cursor != c.From || o.Action != c.Action {
		return Result{Err: fmt.Errorf("%w: operation %s does not run, or is elsewhere", task.ErrTransition, c.ID)}, nil
	}
	d, err := m.deletion(c.DedupWindow)
	if err != nil {
		return r, err
	}
	o.Cursor, o.Examined = c.To, o.Examined+uint64(c.Examined)
	last := c.Last
	for _, id := range c.IDs[:min(len(c.IDs), task.MaxTouch)] {
		t, err := m.batch.Task(id)
		if err != nil {
			return r, err
		}
		if t == nil || !o.Selection.Matches(t) {
			continue
		}
		receipt, err := m.act(o.Action, id, &d)
		if err != nil {
			return r, err
		}
		if errors.Is(receipt.Err, task.ErrTooLarge) { // it is the next step's first
			o.Cursor, last = before(id), false
			break
		}
		r.Receipts = append(r.Receipts, receipt)
		switch {
		case receipt.Err != nil:
			o.Refused(receipt.Err)
		case !receipt.Duplicate:
			o.Changed++
		}
	}
	if last {
		err = m.finishOperation(o, task.OperationDone)
	} else {
		err = m.putOperation(o)
	}
	if err != nil {
		return r, err
	}
	return m.settled(r, len(r.Receipts))
}

// before is the id after which id is the next that can be.
func before(id task.ID) task.ID {
	for i := len(id) - 1; i >= 0; i-- {
		id[i]--
		if id[i] != 0xff {
			break
		}
	}
	return id
}

func (m *machine) act(a task.Action, id task.ID, d *deletion) (task.Receipt, error) {
	switch a {
	case task.ActionRetry:
		return m.retryOne(id)
	case task.ActionCancel:
		return m.cancelOne(id)
	}
	return m.deleteOne(id, d)
}

// endOperation cancels a running operation.
func (m *machine) endOperation(c *EndOperation) (Result, error) {
	r := Result{Receipts: []task.Receipt{{ID: c.ID}}}
	o, err := m.operation(c.ID)
	switch {
	case err != nil:
		return r, err
	case o == nil:
		return Result{Err: fmt.Errorf("%w: operation %s", task.ErrNotFound, c.ID)}, nil
	case o.State == task.OperationDone:
		return Result{Err: fmt.Errorf("%w: operation %s is done", task.ErrTransition, c.ID)}, nil
	case o.State == task.OperationCancelled:
		r.Receipts[0].Duplicate = true
		return r, nil
	}
	return r, m.finishOperation(o, task.OperationCancelled)
}

// finishOperation ends an operation, and forgets those that ended first if too many have.
func (m *machine) finishOperation(o *task.Operation, state task.OperationState) error {
	o.State, o.EndedAt = state, m.now
	if err := m.putOperation(o); err != nil {
		return err
	}
	kvs, err := m.batch.ScanMeta(operationPrefix, 0)
	if err != nil {
		return err
	}
	all, err := readOperations(kvs)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(o *task.Operation) bool { return o.State == task.OperationRunning })
	slices.SortStableFunc(all, func(a, b *task.Operation) int { return a.EndedAt.Compare(b.EndedAt) })
	for len(all) > task.KeptOperations {
		m.batch.DeleteMeta(operationKey(all[0].ID))
		all = all[1:]
	}
	return nil
}
