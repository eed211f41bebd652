package haikutest

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// operation is one that has begun.
type operation struct {
	task.Operation
	ordered task.OperationOrder // as it came
	due     time.Time           // when its rate allows the next task
}

// StartOperation is transport.Admin's. One without a rate is done when it returns.
func (c *cluster) StartOperation(_ context.Context, o task.OperationOrder) (task.Operation, error) {
	if err := o.Validate(); err != nil {
		return task.Operation{}, err
	}
	q := c.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	running := 0
	for _, op := range q.operations {
		switch {
		case op.ID == o.ID && reflect.DeepEqual(op.ordered, o):
			return op.Operation, nil
		case op.ID == o.ID:
			return task.Operation{}, fmt.Errorf("%w: operation %s is there with other content", task.ErrConflict, o.ID)
		case op.State == task.OperationRunning:
			running++
		}
	}
	if running >= task.MaxRunningOperations {
		return task.Operation{}, fmt.Errorf("%w: %d operations are running, no more are allowed at once", task.ErrTooLarge, running)
	}
	op := &operation{ordered: o, due: q.now}
	op.OperationOrder, op.State, op.StartedAt = o, task.OperationRunning, q.now
	op.Selection.Resolve(q.now)
	q.operations = append(q.operations, op)
	q.settle()
	return op.Operation, nil
}

// selected are the tasks of a selection after one, in the order of their ids, and how many were looked at.
func (q *queue) selected(s *task.Selection, after task.ID) (ids []task.ID, examined int) {
	for id, t := range q.tasks {
		if bytes.Compare(id[:], after[:]) > 0 && (s.Type == "" || s.Type == t.Type) &&
			slices.Contains(s.Statuses, t.Status) {
			examined++
			if s.Matches(t) {
				ids = append(ids, id)
			}
		}
	}
	slices.SortFunc(ids, func(a, b task.ID) int { return bytes.Compare(a[:], b[:]) })
	return ids, examined
}

// operate carries on with the operations that run, as far as their rates allow by now.
func (q *queue) operate() {
	for _, op := range q.operations {
		if op.State != task.OperationRunning || op.due.After(q.now) {
			continue
		}
		ids, examined := q.selected(&op.Selection, op.Cursor)
		if op.Rate > 0 && len(ids) > 0 {
			allowed := 1 + int(q.now.Sub(op.due).Milliseconds()*int64(op.Rate)/1000)
			if allowed < len(ids) {
				ids = ids[:allowed]
				examined = len(ids)
			}
			op.due = op.due.Add(time.Duration(len(ids)) * time.Second / time.Duration(op.Rate))
		}
		op.Examined += uint64(examined)
		for _, id := range ids {
			op.Cursor = id
			if t := q.tasks[id]; t != nil && op.Selection.Matches(t) {
				q.act(op, id)
			}
		}
		if left, _ := q.selected(&op.Selection, op.Cursor); len(left) == 0 {
			q.endOperation(op, task.OperationDone)
		}
	}
}

func (q *queue) act(op *operation, id task.ID) {
	var receipt task.Receipt
	switch op.Action {
	case task.ActionRetry:
		receipt = q.rerun(id)
	case task.ActionCancel:
		receipt = q.cancel(id)
	default:
		receipt = q.delete(id)
	}
	switch {
	case receipt.Err != nil:
		op.Refused(receipt.Err)
	case !receipt.Duplicate:
		op.Changed++
	}
}

func (q *queue) endOperation(op *operation, state task.OperationState) {
	op.State, op.EndedAt = state, q.now
}

// TryOperation is transport.Admin's. It counts all at once.
func (c *cluster) TryOperation(_ context.Context, o task.OperationOrder, _ []byte) (would task.Operation, _ []byte, err error) {
	would.OperationOrder = o
	if err := would.Validate(); err != nil {
		return would, nil, err
	}
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	would.Selection.Resolve(c.queue.now)
	ids, examined := c.queue.selected(&would.Selection, task.ID{})
	would.Changed, would.Examined = uint64(len(ids)), uint64(examined)
	return would, nil, nil
}

// Operations is transport.Admin's.
func (c *cluster) Operations(context.Context, bool) ([]task.Operation, error) {
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	var list []task.Operation
	for _, op := range slices.Backward(c.queue.operations) {
		list = append(list, op.Operation)
	}
	return list, nil
}

// CancelOperation is transport.Admin's.
func (c *cluster) CancelOperation(_ context.Context, id task.ID) error {
	q := c.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, op := range q.operations {
		if op.ID != id {
			continue
		}
		switch op.State {
		case task.OperationDone:
			return fmt.Errorf("%w: operation %s is done", task.ErrTransition, id)
		case task.OperationRunning:
			q.endOperation(op, task.OperationCancelled)
		}
		return nil
	}
	return fmt.Errorf("%w: operation %s", task.ErrNotFound, id)
}
