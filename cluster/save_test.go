package cluster

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/haiku-queue/haiku/snapshot"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// save saves a node's state into a file and checks it.
func save(t *testing.T, n *Node, minIndex uint64) (path string, s *snapshot.Summary) {
	t.Helper()
	r, size, err := n.SaveSnapshot(t.Context(), minIndex)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "saved")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err = snapshot.Verify(io.TeeReader(r, f))
	if err := errors.Join(err, r.Close(), r.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	if s.Size != size {
		t.Fatalf("%d bytes were announced, %d came", size, s.Size)
	}
	return path, s
}

// checkpoints counts the checkpoints that a node holds.
func (n *testNode) checkpoints() int {
	found, _ := filepath.Glob(filepath.Join(n.path, "groups", "0", storeName, "checkpoint-*"))
	return len(found)
}

func TestSaveWhileTasksComeHoldsAllThatWasAcknowledged(t *testing.T) {
	c := startCluster(t, 3, nil)
	var load sync.WaitGroup
	stop := make(chan struct{})
	leader := c.leader()
	load.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			spec := task.Spec{ID: task.NewID(), Type: "t", Payload: make([]byte, 5000)}
			if _, err := leader.Submit(context.Background(), []task.Spec{spec}, false); err != nil {
				t.Error(err)
				return
			}
		}
	})
	acknowledged := c.submit(50)
	for _, n := range append(c.followers(), leader) {
		stats, err := leader.Stats(t.Context(), task.StatsQuery{})
		if err != nil {
			t.Fatal(err)
		}
		path, s := save(t, n.Node, stats.AppliedIndex)
		if s.Index < stats.AppliedIndex || s.ClusterID != leader.ClusterID() || s.NodeID != n.ID() || len(s.Members) != 3 || s.Tasks.Ready < stats.Total.Ready {
			t.Errorf("%s: asked for %d, saved %+v", n.name, stats.AppliedIndex, s.Info)
		}
		st := unpackSaved(t, path, s)
		for _, id := range acknowledged {
			if got, err := st.Task(id, true); err != nil || got == nil || got.Status != task.Pending {
				t.Fatalf("%s: task %s: %+v, %v", n.name, id, got, err)
			}
		}
		acknowledged = append(acknowledged, c.submit(5)...)
	}
	close(stop)
	load.Wait()
	for _, n := range c.nodes {
		if left := n.checkpoints(); left != 0 {
			t.Errorf("%s: %d checkpoints stay", n.name, left)
		}
	}
	c.sameState()
}

// unpackSaved opens what is in a saved snapshot.
func unpackSaved(t *testing.T, path string, s *snapshot.Summary) *store.Store {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cfg := store.Default()
	cfg.Dir, cfg.Create = filepath.Join(t.TempDir(), "unpacked"), true
	st, err := store.Unpack(cfg, s.Stream(f))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	hash, err := st.StateHash()
	if err != nil || hash != s.StateHash {
		t.Errorf("state hash %x (%v), the snapshot says %x", hash, err, s.StateHash)
	}
	if st.Stats().Total != s.Tasks {
		t.Errorf("tasks %+v, the snapshot says %+v", st.Stats().Total, s.Tasks)
	}
	return st
}

func TestSavesShareACheckpointAndAreFew(t *testing.T) {
	c := startCluster(t, 1, nil)
	n := c.nodes[0]
	c.submit(20)
	eventually(t, "the node is at rest", func() bool { return n.AppliedIndex() == n.raft.LastIndex() })
	var open []io.ReadCloser
	for range maxSaves {
		r, _, err := n.SaveSnapshot(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, r)
	}
	if _, _, err := n.SaveSnapshot(t.Context(), 0); !errors.Is(err, task.ErrBusy) {
		t.Errorf("one save more than allowed: %v", err)
	}
	if got := n.checkpoints(); got != 1 {
		t.Errorf("%d checkpoints for equal saves", got)
	}
	// A save does not keep the log.
	if n.snapshots.hold() {
		t.Error("saves hold the log")
	}
	var sums [][32]byte
	for _, r := range open {
		s, err := snapshot.Verify(iotest.HalfReader(r))
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, s.StateHash)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if sums[0] != sums[maxSaves-1] || n.checkpoints() != 0 {
		t.Errorf("state hashes %x, %d checkpoints stay", sums, n.checkpoints())
	}
	if _, s := save(t, n.Node, 0); hex.EncodeToString(s.StateHash[:]) == "" || s.StateHash != sums[0] {
		t.Errorf("another state hash afterwards: %x", s.StateHash)
	}
}

// TestSaveReachesAnIndexThatOnlyRaftKnows: a leader that cut its log knows an index whose entries never reach a database.
func TestSaveReachesAnIndexThatOnlyRaftKnows(t *testing.T) {
	c := startCluster(t, 3, nil)
	c.submit(3)
	leader := c.leader()
	if err := leader.raft.Barrier(patience).Error(); err != nil {
		t.Fatal(err)
	}
	if err := leader.cutLog(); err != nil {
		t.Fatal(err)
	}
	index := leader.AppliedIndex()
	for _, n := range c.followers() {
		if n.AppliedIndex() >= index {
			t.Fatalf("%s has got to %d: the test shows nothing", n.name, index)
		}
		if _, s := save(t, n.Node, index); s.Tasks.Ready != 3 {
			t.Errorf("%s saved %+v", n.name, s.Tasks)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := leader.SaveSnapshot(ctx, index+1000); !errors.Is(err, context.Canceled) {
		t.Errorf("an index that never comes: %v", err)
	}
}

func TestSaveEndsWithItsCallerAndItsNode(t *testing.T) {
	c := startCluster(t, 1, nil)
	n := c.nodes[0]
	c.submit(20)
	ctx, cancel := context.WithCancel(t.Context())
	abandoned, _, err := n.SaveSnapshot(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := abandoned.Close(); err != nil {
		t.Error(err)
	}
	if n.checkpoints() != 0 {
		t.Error("a checkpoint stays")
	}
	open, _, err := n.SaveSnapshot(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	c.crash(n)
	if _, err := io.Copy(io.Discard, open); err == nil {
		t.Error("the snapshot of a closed node was read to its end")
	}
	if err := open.Close(); err != nil {
		t.Error(err)
	}
	if n.checkpoints() != 0 {
		t.Error("a checkpoint stays after the node")
	}
}
