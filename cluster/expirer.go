package cluster

import (
	"context"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// expire ends tasks that were not started in time. It is the leader's duty.
func (l *leadership) expire(ctx context.Context) {
	l.watchTime(ctx, l.expiry, &fsm.Expire{Max: task.MaxTouch}, store.ExpiresKind)
}
