package cluster

import (
	"context"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/task"
)

// Retentions lists how long ended tasks are kept: what is set for all types first, then the types with a setting of
// their own.
func (n *Node) Retentions(ctx context.Context) (list []task.Retention, err error) {
	err = n.read(ctx, false, func(*leadership) error {
		if list, err = fsm.Retentions(n.store); err == nil && (len(list) == 0 || list[0].Type != "") {
			list = append([]task.Retention{{}}, list...)
		}
		return err
	})
	return list, err
}

// SetRetention changes the setting of one type, or of all types if the type is empty; with nothing set it is removed.
// It counts for tasks that end from now on.
func (n *Node) SetRetention(ctx context.Context, r task.Retention) error {
	if err := r.Validate(); err != nil {
		return err
	}
	l, err := n.leading()
	if err != nil {
		return err
	}
	result, err := l.do(ctx, &fsm.SetRetention{Retention: r})
	if err == nil {
		err = result.Err
	}
	return err
}
