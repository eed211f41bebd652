package cluster

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// Node is one member of a cluster: Raft, the state machine on its store, and, while it leads, the leader's duties. Its
// methods may be called concurrently.
type Node struct {
	cfg       Config
	log       *slog.Logger
	id        member.ID
	clusterID member.ID

	store     *store.Store
	fsm       *fsm.FSM
	watchdog  *watchdog
	logs      *logStore
	snapshots *snapshotStore
	streams   *streamLayer
	transport *safeTransport
	raft      *raft.Raft

	sessions *sessions
	endings  *endings
	journal  *changeLog
	marks    *marks
	disks    *diskspace
	pulse    pulse
	guard    guard
	joining  sync.Mutex // held by the one join that changes the membership
	tuning   sync.Mutex // held while Raft's settings are changed

	leaderChanges atomic.Uint64
	slow          chan struct{} // a write hangs: see retreat

	mu         sync.Mutex
	leadership *leadership   // nil unless this node leads and has caught up
	recent     *leadership   // the last one, until all of it has ended
	changed    chan struct{} // closed when leadership or the known leader changes

	ctx    context.Context // ends with the node
	cancel context.CancelFunc
	work   sync.WaitGroup
	done   chan error // one value: why the node ended by itself
	ending sync.Once
	closed sync.Once
	result error
}

// Done gives one value when the node has ended by itself: nil after it left its cluster, ErrRestart when it is to be
// opened again, else the error of its storage, after which the process should end. Close is still to be called.
func (n *Node) Done() <-chan error { return n.done }

// end reports the node's own end, once.
func (n *Node) end(err error) {
	n.ending.Do(func() { n.done <- err })
}

// fatal ends the node because its storage failed: it must not answer for what it cannot keep.
func (n *Node) fatal(err error) {
	n.log.Error("storage failed, the node ends", "error", err)
	n.end(err)
}

// Close hands leadership on if this node leads others, stops everything in reverse order and waits for it. It is
// idempotent. After a storage error it may hang where that storage hangs: then the process should end without it.
func (n *Node) Close() error {
	n.closed.Do(func() { n.result = n.shutDown() })
	return n.result
}

func (n *Node) shutDown() error {
	if l, _ := n.leading(); l != nil && voters(n.configuration()) > 1 {
		if err := n.raft.LeadershipTransfer().Error(); err != nil {
			n.log.Warn("leadership was not handed on", "error", err)
		}
	}
	n.cancel()
	n.work.Wait() // while Raft runs: what is proposed when it ends may never be answered
	stopped := n.raft.Shutdown()
	err := n.transport.Close() // before Raft is waited for, which may be in the middle of a snapshot
	err = errors.Join(err, stopped.Error())
	n.fsm.Settle()
	n.sessions.close()
	err = errors.Join(err, n.snapshots.Close(), n.logs.Close())
	n.watchdog.Close()
	return errors.Join(err, n.store.Close())
}

// ClusterID is the cluster's id.
func (n *Node) ClusterID() member.ID { return n.clusterID }

// ID is this node's id.
func (n *Node) ID() member.ID { return n.id }

// StateHash hashes the replicated state as it is now. Nodes that have applied the same log have the same.
func (n *Node) StateHash() ([32]byte, error) {
	n.fsm.Settle()
	return n.store.StateHash()
}

// Check compares every index and counter of the store with its records.
func (n *Node) Check() error {
	n.fsm.Settle()
	return n.store.Check()
}

// onCommit is called by the state machine after each write.
func (n *Node) onCommit(c fsm.Committed) {
	n.endings.tell(c.Ended)
	n.cfg.Observer.Changed(c.Changes)
	n.journal.note(n.AppliedIndex(), c.Changes)
	if l, err := n.leading(); err == nil {
		l.wake(c.Claimable)
		for _, name := range c.Freed {
			l.wakeNamed(name)
		}
	}
}

// onSessionLost releases the leases of a worker that has been gone for the grace.
func (n *Node) onSessionLost(id task.SessionID) {
	if l, err := n.leading(); err == nil {
		l.release(l.leases.ofSession(id))
	}
}
