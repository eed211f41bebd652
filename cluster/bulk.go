package cluster

import (
	"context"
	"fmt"
	"slices"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/task"
)

// Retry has tasks run again that have ended without success or wait for a retry; one receipt each. Duplicate says that the
// task waits or runs already.
func (n *Node) Retry(ctx context.Context, ids []task.ID) ([]task.Receipt, error) {
	return n.changeEach(ctx, ids, &fsm.Retry{IDs: ids})
}

// Delete deletes tasks that do not run; one receipt each. Those that wait are cancelled first. Duplicate says that the task
// was deleted already.
func (n *Node) Delete(ctx context.Context, ids []task.ID) ([]task.Receipt, error) {
	return n.changeEach(ctx, ids, &fsm.Delete{IDs: ids, DedupWindow: n.cfg.DedupWindow})
}

func (n *Node) changeEach(ctx context.Context, ids []task.ID, c fsm.Command) ([]task.Receipt, error) {
	if err := checkCount("ids", len(ids)); err != nil {
		return nil, err
	}
	r, err := n.perform(ctx, c)
	return r.Receipts, err
}

// perform proposes a command that older members may not know.
func (n *Node) perform(ctx context.Context, c fsm.Command) (fsm.Result, error) {
	l, err := n.leading()
	if err == nil {
		err = n.allApply(c.Kind())
	}
	if err != nil {
		return fsm.Result{}, err
	}
	r, err := l.do(ctx, c)
	if err == nil {
		err = r.Err
	}
	return r, err
}

// StartOperation begins to change all tasks of a selection, and returns at once. The same order again is the same
// operation.
func (n *Node) StartOperation(ctx context.Context, o task.OperationOrder) (task.Operation, error) {
	if err := o.Validate(); err != nil {
		return task.Operation{}, err
	}
	if _, err := n.perform(ctx, &fsm.StartOperation{Order: o}); err != nil {
		return task.Operation{}, err
	}
	return n.operation(ctx, o.ID)
}

// TryOperation counts what an operation would change, from a cursor on (nil for the beginning) and as far as one call
// looks; next is the cursor of the next call, nil when there is nothing left.
func (n *Node) TryOperation(ctx context.Context, o task.OperationOrder, cursor []byte) (would task.Operation, next []byte, err error) {
	would.OperationOrder = o
	if err := would.Validate(); err != nil {
		return would, nil, err
	}
	if len(cursor) > 0 {
		if would.Cursor, err = task.IDFromBytes(cursor); err != nil {
			return would, nil, fmt.Errorf("cursor: %w", err)
		}
	}
	err = n.read(ctx, false, func(l *leadership) error {
		would.Selection.Resolve(l.clock.Now())
		found, err := n.store.Select(&would.Selection, would.Cursor, task.MaxDryRun)
		if err != nil {
			return err
		}
		would.Examined, would.Changed, next = uint64(found.Examined), uint64(len(found.IDs)), nil
		if found.More {
			next = found.Last[:]
		}
		return nil
	})
	return would, next, err
}

// Operations lists the operations that run, and the ended ones that are kept: those that started last first.
func (n *Node) Operations(ctx context.Context, stale bool) (list []task.Operation, err error) {
	err = n.read(ctx, stale, func(*leadership) error {
		kept, err := fsm.Operations(n.store)
		list = nil
		for _, o := range kept {
			list = append(list, *o)
		}
		return err
	})
	slices.SortStableFunc(list, func(a, b task.Operation) int { return b.StartedAt.Compare(a.StartedAt) })
	return list, err
}

// CancelOperation ends a running operation. What it has changed stays.
func (n *Node) CancelOperation(ctx context.Context, id task.ID) error {
	_, err := n.perform(ctx, &fsm.EndOperation{ID: id})
	return err
}

// operation returns one operation.
func (n *Node) operation(ctx context.Context, id task.ID) (o task.Operation, err error) {
	err = n.read(ctx, false, func(*leadership) error {
		found, err := fsm.Operation(n.store, id)
		if err == nil && found == nil {
			err = fmt.Errorf("%w: operation %s", task.ErrNotFound, id)
		}
		if err == nil {
			o = *found
		}
		return err
	})
	return o, err
}
