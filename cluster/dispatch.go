package cluster

import (
	"context"

	"github.com/haiku-queue/haiku/fsm"
)

// SetDispatch stops or resumes the handing out of tasks to all workers of the cluster. Leases that were granted go on,
// submits and results are taken; claims wait.
func (n *Node) SetDispatch(ctx context.Context, paused bool) error {
	l, err := n.leading()
	if err != nil {
		return err
	}
	r, err := l.do(ctx, &fsm.SetDispatch{Paused: paused})
	if err == nil {
		err = r.Err
	}
	if err == nil {
		n.log.Info("dispatch was set", "paused", paused)
	}
	return err
}

// dispatchSet lets the claims that wait try again after a pause. One that found nothing under way goes on waiting before
// it looks at paused, so that none is forgotten.
func (l *leadership) dispatchSet(paused bool) {
	l.paused.Store(paused)
	if paused {
		return
	}
	for _, w := range l.waiters.idlers() {
		if l.mayFind(&w.request) {
			l.tryClaim(w)
		}
	}
}
