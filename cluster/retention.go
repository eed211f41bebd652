package cluster

import (
	"context"
	"fmt"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/task"
)

// Retentions lists how long ended tasks are kept: what is set for all types first, then the types with a setting of
// their own.
func (n *Node) Retentions(ctx context.Context, stale bool) (list []task.Retention, err error) {
	err = n.read(ctx, stale, func(*leadership) error {
		if list, err = fsm.Retentions(n.store); err == nil && (len(list) == 0 || list[0].Type != "") {
			list = append([]task.Retention{{}}, list...)
		}
		return err
	})
	return list, err
}

// SetRetention changes the setting of one type, or of all types if the type is empty; with nothing set it is removed.
// It counts for tasks that end from now on. Unless match is empty or the tag of all settings, nothing is changed.
func (n *Node) SetRetention(ctx context.Context, r task.Retention, match string) error {
	if err := r.Validate(); err != nil {
		return err
	}
	l, err := n.leading()
	if err != nil {
		return err
	}
	l.settings.Lock()
	defer l.settings.Unlock()
	if match != "" {
		list, err := fsm.Retentions(n.store)
		if err == nil && task.RetentionsTag(list) != match {
			err = fmt.Errorf("%w: the retention of ended tasks", task.ErrPrecondition)
		}
		if err != nil {
			return err
		}
	}
	result, err := l.do(ctx, &fsm.SetRetention{Retention: r})
	if err == nil {
		err = result.Err
	}
	return err
}
