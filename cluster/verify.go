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
//
// raft.VerifyLeader alone is not enough: it counts every answer that comes in after it was asked, however long ago the
// follower gave it. After the process was stopped for a while (SIGSTOP, a frozen machine), answers from before are still
// to be read, and another node may have led meanwhile. So a round counts only what was sent after its beginning.
type verifier struct {
	raft     *raft.Raft
	self     raft.ServerID
	term     uint64
	contacts *contacts
	members  func() raft.Configuration
	ctx      context.Context // of the leadership

	mu      sync.Mutex
	changed *sync.Cond
	waiting []chan error
	closed  bool
	done    sync.WaitGroup
}

// newVerifier starts a verifier of the leadership in a term, which ends ctx before it closes the verifier.
func newVerifier(ctx context.Context, n *Node, term uint64) *verifier {
	v := &verifier{
		raft: n.raft, self: serverID(n.id), term: term, contacts: n.transport.contacts, members: n.configuration, ctx: ctx,
	}
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
	case <-v.ctx.Done(): // Raft may not answer for as long as its disk hangs
		return task.ErrNotLeader
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
			err = v.round()
		}
		for _, answer := range round {
			answer <- err
		}
		if closed {
			return
		}
	}
}

// round asks the followers. VerifyLeader has Raft send each of them a heartbeat at once, and sees a later term.
func (v *verifier) round() error {
	moment := v.contacts.begin()
	err := v.raft.VerifyLeader().Error()
	if err == nil {
		err = v.contacts.await(v.ctx, v.self, v.term, moment, v.members)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", task.ErrNotLeader, err)
	}
	return nil
}
