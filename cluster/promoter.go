package cluster

import (
	"context"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// promote moves tasks whose time has come into the ready order. It is the leader's duty.
func (l *leadership) promote(ctx context.Context) {
	l.watchTime(ctx, l.due, &fsm.Promote{Max: task.MaxTouch}, store.DueKind, store.RetryKind)
}
