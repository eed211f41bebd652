package cluster

import (
	"context"
	"io"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

const (
	rpcTimeout  = 10 * time.Second
	pooledConns = 3 // kept open to each peer
)

// safeTransport is raft.NetworkTransport without its fast path for heartbeats. That path answers a heartbeat on the
// goroutine of its connection, where it may raise the term under the feet of Raft's main loop: a deposed leader then
// writes an entry of its own under the new leader's term, and logs diverge (hashicorp/raft#695). Here every heartbeat
// goes through the main loop. The price is that one waits behind an fsync, hence the long timeouts.
//
// It embeds the concrete type, for Raft looks for RequestPreVote and Close beside the raft.Transport interface.
type safeTransport struct {
	*raft.NetworkTransport
	progress catchUp
	contacts *contacts
	ownLast  func() (uint64, error) // of this node's log; nil: followers' lag is not noted
	durable  durable

	// connected is a context that ends when this node cuts itself off from the others. What was held back then is never
	// passed on.
	connected func() context.Context
	intake    *intake
}

// durable waits until the entry at an index is on this node's disk. A leader's answers from followers are held back by it:
// see behind.
type durable func(ctx context.Context, index uint64) error

var (
	_ raft.Transport   = (*safeTransport)(nil)
	_ raft.WithPreVote = (*safeTransport)(nil)
	_ raft.WithClose   = (*safeTransport)(nil)
)

// catchUp hears how far followers are that were sent a snapshot. *snapshotStore fits.
type catchUp interface {
	streamed(id raft.ServerID, index uint64) // has restored a snapshot and now needs the log after it
	caughtUp(id raft.ServerID)               // has the log up to about its end
}

// newSafeTransport starts a transport over layer, which Close closes too. progress may be nil. Nothing of what it receives
// reaches Raft before its intake begins.
func newSafeTransport(layer raft.StreamLayer, progress catchUp, d durable, log hclog.Logger) *safeTransport {
	return &safeTransport{
		progress: progress, contacts: newContacts(), durable: d, connected: context.Background, intake: newIntake(),
		NetworkTransport: raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
			Stream:  layer,
			MaxPool: pooledConns,
			Timeout: rpcTimeout,
			Logger:  log,
		}),
	}
}

// Consumer gives Raft what the intake passes on.
func (t *safeTransport) Consumer() <-chan raft.RPC { return t.intake.out }

// Close ends every stream and waits for the intake. It is idempotent.
func (t *safeTransport) Close() error {
	err := t.NetworkTransport.Close()
	t.intake.close()
	return err
}

// SetHeartbeatHandler does nothing: see safeTransport.
func (t *safeTransport) SetHeartbeatHandler(func(raft.RPC)) {}

// AppendEntries sends entries or a heartbeat, and notes that the follower accepted it.
func (t *safeTransport) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest,
	resp *raft.AppendEntriesResponse) error {
	connected, begun := t.connected(), t.contacts.begin()
	err := t.NetworkTransport.AppendEntries(id, target, args, resp)
	if err == nil && resp.Success {
		t.contacts.accepted(id, args.Term, begun)
		ctx, cancel := context.WithTimeout(connected, rpcTimeout)
		defer cancel()
		err = t.durable.has(ctx, args.Entries)
	}
	if err == nil && t.ownLast != nil {
		if own, err := t.ownLast(); err == nil {
			t.contacts.answered(id, args.Term, own, resp.LastLog)
		}
	}
	return err
}

// RequestVote asks for a vote. Nobody who hears from a leader is to give it to a node that stands without being asked to
// by a leader, though Raft takes it for one that was: see intake.
func (t *safeTransport) RequestVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestVoteRequest,
	resp *raft.RequestVoteResponse) error {
	if args.LeadershipTransfer && !t.intake.invited.Load() {
		unasked := *args
		unasked.LeadershipTransfer = false
		args = &unasked
	}
	return t.NetworkTransport.RequestVote(id, target, args, resp)
}

// InstallSnapshot sends a snapshot and notes that the follower has it.
func (t *safeTransport) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, args *raft.InstallSnapshotRequest,
	resp *raft.InstallSnapshotResponse, data io.Reader) error {
	err := t.NetworkTransport.InstallSnapshot(id, target, args, resp, data)
	if err == nil && resp.Success && t.progress != nil {
		t.progress.streamed(id, args.LastLogIndex)
	}
	return err
}

// AppendEntriesPipeline opens a pipeline, which Raft does for a follower once that has taken everything up to what was
// the end of the log a moment before.
func (t *safeTransport) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	if t.progress != nil {
		t.progress.caughtUp(id)
	}
	connected := t.connected()
	p, err := t.NetworkTransport.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	return holdBack(connected, p, t.durable), nil
}
