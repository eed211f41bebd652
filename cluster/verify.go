package cluster

import (
	"context"
	"fmt"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/task"
)

// verifier lets reads make sure, after they have read, that this node still led. Reads that come while a round of the
// majority is under way share the next one.
type verifier struct {
	raft *raft.Raft

	mu      sync.Mutex
	changed *sync.Cond
	waiting []chan error
	closed  bool
	done    sync.WaitGroup
}

func newVerifier(r *raft.Raft) *verifier {
	v := &verifier{raft: r}
	v.changed = sync.NewCond(&v.mu)
	v.done.Go(v.run)
	return v
}

// verify waits for a round that began after the call. The error wraps task.ErrNotLeader.
func (v *verifier) verify(ctx context.Context) error {
	answer := make(chan error, 1)
	v.mu.Lock()
	if v.closed {
		v.mu.Unlock()
		return task.ErrNotLeader
	}
	v.waiting = append(v.waiting, answer)
	v.changed.Signal()
	v.mu.Unlock()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (v *verifier) close() {
	v.mu.Lock()
	v.closed = true
	v.changed.Signal()
	v.mu.Unlock()
	v.done.Wait()
}

func (v *verifier) run() {
	for {
		v.mu.Lock()
		for len(v.waiting) == 0 && !v.closed {
			v.changed.Wait()
		}
		round, closed := v.waiting, v.closed
		v.waiting = nil
		v.mu.Unlock()
		err := error(task.ErrNotLeader)
		if !closed {
			err = v.raft.VerifyLeader().Error()
		}
		if err != nil && !closed {
			err = fmt.Errorf("%w: %w", task.ErrNotLeader, err)
		}
		for _, answer := range round {
			answer <- err
		}
		if closed {
			return
		}
	}
}
