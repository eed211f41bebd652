package cluster

import (
	"context"
	"fmt"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/task"
)

// Requeue puts every running task back to wait, in its old place, and returns how many those were. Their leases end:
// what their workers still report is refused. It is the leader's. progress is told how many are done; nil for nobody.
func (n *Node) Requeue(ctx context.Context, progress func(done uint64)) (moved uint64, err error) {
	l, err := n.leading()
	if err != nil {
		return 0, err
	}
	if err := n.allApply(fsm.KindRequeue); err != nil {
		return 0, err
	}
	for after, more := (task.ID{}), true; more; {
		r, err := l.do(ctx, &fsm.Requeue{After: after, Max: task.MaxTouch})
		if err == nil {
			err = r.Err
		}
		if err != nil {
			return moved, fmt.Errorf("requeue after %d tasks: %w", moved, err)
		}
		moved += uint64(len(r.Moved))
		if progress != nil {
			progress(moved)
		}
		if more = r.More && len(r.Moved) > 0; more {
			after = r.Moved[len(r.Moved)-1].ID
		}
	}
	return moved, nil
}

// allApply refuses a kind of command that a member does not know: it would end that node.
func (n *Node) allApply(kind fsm.Kind) error {
	members, err := n.members()
	if err != nil {
		return err
	}
	version := uint32(fsm.CommandVersion(kind))
	for i := range members {
		if m := &members[i]; m.ID != n.id && m.MaxCommandVersion < version {
			return fmt.Errorf("%w: node %s (%s) applies commands up to version %d, this one has version %d",
				task.ErrVersion, m.ID, m.Name, m.MaxCommandVersion, version)
		}
	}
	return nil
}
