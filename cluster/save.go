package cluster

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/snapshot"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

const (
	maxSaves   = 4 // at once, on one node
	reachTime  = 10 * time.Second
	reachPause = 10 * time.Millisecond
)

// SaveSnapshot opens a snapshot of this node's state, as package snapshot describes it, and says how many bytes it has.
// It first waits until the node has applied Raft's log up to minIndex. Nothing stops meanwhile and nothing is copied:
// what is read comes from a checkpoint, which goes with the last who reads it. The state hash is computed beside, so the
// last read may have to wait for it. Close it; all of it fails when ctx ends or the node closes.
func (n *Node) SaveSnapshot(ctx context.Context, minIndex uint64) (io.ReadCloser, int64, error) {
	if err := n.reach(ctx, minIndex); err != nil {
		return nil, 0, err
	}
	save, err := n.snapshots.openSave(n.ctx, n.store.Applied().Index)
	if err != nil {
		return nil, 0, err
	}
	c := save.checkpoint
	members, err := n.membersIn(c.Applied())
	if err == nil {
		save.Writer, err = snapshot.NewWriter(&snapshot.Info{
			ClusterID: n.clusterID, NodeID: n.id, NodeName: n.cfg.Name, TakenAt: time.Now().UTC().Truncate(time.Microsecond),
			Index: c.Applied().Index, Term: c.Applied().Term, Members: members, Tasks: c.Tasks(), StreamBytes: c.Size(),
			Version: n.cfg.Version,
		}, save.stream, save.stateHash)
	}
	if err != nil {
		save.Close()
		return nil, 0, fmt.Errorf("save snapshot: %w", err)
	}
	context.AfterFunc(ctx, save.cancel)
	return save, save.Size(), nil
}

// reach waits until this node has applied the log up to an index.
func (n *Node) reach(ctx context.Context, index uint64) error {
	late := time.NewTimer(reachTime)
	defer late.Stop()
	tick := time.NewTicker(reachPause)
	defer tick.Stop()
	for !n.reached(index) {
		select {
		case <-tick.C:
		case <-late.C:
			return fmt.Errorf("%w: this node has applied the log up to entry %d, asked for is %d", task.ErrTimeout, n.AppliedIndex(), index)
		case <-ctx.Done():
			return ctx.Err()
		case <-n.ctx.Done():
			return task.ErrShutdown
		}
	}
	return nil
}

// reached reports whether the database holds all up to an index. Entries of Raft's own never get there: behind the last
// one that did, the log says whether only such are missing.
func (n *Node) reached(index uint64) bool {
	n.fsm.Settle()
	applied := n.store.Applied().Index
	if applied >= index {
		return true
	}
	if n.raft.CommitIndex() < index {
		return false
	}
	for i := applied + 1; i <= index; i++ {
		var l raft.Log
		if err := n.logs.GetLog(i, &l); err != nil || l.Type == raft.LogCommand || l.Type == raft.LogConfiguration {
			return false
		}
	}
	return true
}

// membersIn joins the configuration in a checkpoint with the names that are known.
func (n *Node) membersIn(a store.Applied) ([]snapshot.Member, error) {
	told, err := fsm.Members(n.store)
	if err != nil {
		return nil, err
	}
	names := make(map[member.ID]string, len(told))
	for _, m := range told {
		names[m.ID] = m.Name
	}
	members := []snapshot.Member{}
	for _, s := range metaOf(a).Configuration.Servers {
		id, err := member.ParseID(string(s.ID))
		if err != nil {
			return nil, fmt.Errorf("member in Raft's configuration: %w", err)
		}
		members = append(members, snapshot.Member{ID: id, Name: names[id], Address: string(s.Address), Voter: s.Suffrage == raft.Voter})
	}
	return members, nil
}

// openSave opens a stream of a checkpoint that holds the log up to an index, for a file. ctx is the node's.
func (s *snapshotStore) openSave(ctx context.Context, index uint64) (*saved, error) {
	save := &saved{s: s}
	s.mu.Lock()
	if len(s.saves) >= maxSaves {
		s.mu.Unlock()
		return nil, fmt.Errorf("%w: %d snapshots are being saved from this node", task.ErrBusy, maxSaves)
	}
	s.saves[save] = struct{}{}
	s.mu.Unlock()
	save.ctx, save.cancel = context.WithCancel(ctx)
	var err error
	save.stream, save.checkpoint, err = s.openStream(&liveStream{s: s, saving: true, begun: time.Now()}, func() (uint64, error) { return index, nil })
	if err != nil {
		save.forget()
		return nil, err
	}
	save.work.Go(func() { save.hash, save.hashErr = save.checkpoint.StateHash(save.ctx) })
	return save, nil
}

// saved is one snapshot on its way into a file.
type saved struct {
	*snapshot.Writer
	s          *snapshotStore
	stream     *liveStream
	checkpoint *store.Checkpoint
	ctx        context.Context
	cancel     context.CancelFunc
	work       sync.WaitGroup // the state hash
	hash       [32]byte
	hashErr    error
	once       sync.Once
	err        error
}

// stateHash waits for the hash.
func (f *saved) stateHash() ([32]byte, error) {
	f.work.Wait()
	return f.hash, f.hashErr
}

// Close gives everything back. It is idempotent.
func (f *saved) Close() error {
	f.once.Do(func() {
		f.cancel()
		f.work.Wait() // it reads the checkpoint
		f.err = f.stream.Close()
		f.forget()
	})
	return f.err
}

func (f *saved) forget() {
	f.cancel()
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	delete(f.s.saves, f)
}
