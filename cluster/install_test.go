package cluster

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// contradicted is a cluster whose old leader was cut off, wrote entries that nobody else has, and finds the others with
// a log that no longer reaches back to where both agree. It returns the last entry that all have and the last of the
// old leader.
func contradicted(t *testing.T, kind LogKind, lonely, acknowledged int) (c *liveCluster, tasks []task.ID, old *testNode, agreed, last uint64) {
	c = startCluster(t, 3, func(cfg *Config) {
		cfg.HeartbeatTimeout, cfg.ElectionTimeout, cfg.LeaderLeaseTimeout = 2*time.Second, 2*time.Second, 2*time.Second
		cfg.TrailingLogs, cfg.LogStore = 1, kind
	})
	tasks = c.submit(10)
	old = c.leader()
	others := c.followers()
	agreed = old.raft.LastIndex()
	for _, n := range others {
		eventually(t, "both followers have the log", func() bool { return n.raft.LastIndex() == agreed })
	}
	c.net.isolate(old.ID(), ids(others...)...)
	command, err := fsm.Encode(&fsm.Promote{Max: 1})
	if err != nil {
		t.Fatal(err)
	}
	entry := append(fsm.AppendHeader(nil, old.raft.CurrentTerm(), time.Now()), command...)
	for range lonely {
		old.raft.Apply(entry, 0)
	}
	last = agreed + uint64(lonely)
	eventually(t, "the lonely leader has written its entries", func() bool { return old.raft.LastIndex() >= last })

	eventually(t, "another leader", func() bool { return c.leader() != old })
	tasks = append(tasks, c.submit(acknowledged)...)
	for _, n := range others {
		eventually(t, "the others agree", func() bool { return n.AppliedIndex() >= c.leader().AppliedIndex() })
		if err := n.cutLog(); err != nil {
			t.Fatal(err)
		}
		if first, err := n.logs.FirstIndex(); err != nil || first <= agreed+1 {
			t.Fatalf("log of %s begins at %d, the agreement ends at %d: %v", n.name, first, agreed, err)
		}
	}
	return c, tasks, old, agreed, last
}

// TestSnapshotBeyondAContradictingLogClearsIt: what the old leader wrote alone must not stay in its log below the
// snapshot, or it could hand it to a follower later.
func TestSnapshotBeyondAContradictingLogClearsIt(t *testing.T) {
	bothKinds(t, snapshotBeyondAContradictingLogClearsIt)
}

func snapshotBeyondAContradictingLogClearsIt(t *testing.T, kind LogKind) {
	c, tasks, old, agreed, last := contradicted(t, kind, 5, 40)
	c.net.heal()
	eventually(t, "the old leader has caught up", func() bool { return old.AppliedIndex() >= c.leader().AppliedIndex() })
	eventually(t, fmt.Sprintf("entries %d to %d, which are of another past, are gone", agreed+1, last), func() bool {
		first, err := old.logs.FirstIndex()
		return err == nil && (first == 0 || first > last)
	})
	select {
	case err := <-old.Done():
		t.Errorf("the node ended: %v", err)
	default:
	}
	c.sameState()
	c.mustHave(tasks)
}

// TestSnapshotWithinAContradictingLogNeedsAFreshStart: Raft would reject what follows and be sent snapshots for ever
// (hashicorp/raft#697). The node ends instead, and finds its place when it starts again.
func TestSnapshotWithinAContradictingLogNeedsAFreshStart(t *testing.T) {
	bothKinds(t, snapshotWithinAContradictingLogNeedsAFreshStart)
}

func snapshotWithinAContradictingLogNeedsAFreshStart(t *testing.T, kind LogKind) {
	c, tasks, old, agreed, last := contradicted(t, kind, 60, 5)
	c.net.heal()
	select {
	case err := <-old.Done():
		if err == nil {
			t.Error("the node ended without a reason")
		}
	case <-time.After(patience):
		t.Fatalf("the node goes on: applied %d, log up to %d", old.AppliedIndex(), old.raft.LastIndex())
	}
	c.crash(old)
	c.start(old, nil)
	tasks = append(tasks, c.submit(1)...) // it may still be sent a snapshot, which would jump over the mark of sameState
	eventually(t, "the old leader has caught up", func() bool { return old.AppliedIndex() >= c.leader().AppliedIndex() })
	for i := agreed + 1; i <= last; i++ {
		var mine, its raft.Log
		if old.logs.GetLog(i, &mine) == nil && c.leader().logs.GetLog(i, &its) == nil && mine.Term != its.Term {
			t.Errorf("entry %d is of term %d, the leader's of term %d", i, mine.Term, its.Term)
		}
	}
	c.sameState()
	c.mustHave(tasks)
}

// TestCatchUpOfLargeEntries: one request to a follower that was away can have 16 entries of 10 MiB.
func TestCatchUpOfLargeEntries(t *testing.T) {
	const cache = 25 << 20 // two entries; three fit the default
	c := startCluster(t, 3, func(cfg *Config) {
		cfg.LogCacheBytes = cache
		cfg.HeartbeatTimeout, cfg.ElectionTimeout, cfg.LeaderLeaseTimeout = 4*time.Second, 4*time.Second, 4*time.Second
	})
	away := c.followers()[0]
	tasks := c.submit(1)
	c.net.isolate(away.ID(), ids(c.nodes...)...)
	for range 17 {
		spec := task.Spec{ID: task.NewID(), Type: "t", Payload: make([]byte, largePayload)}
		eventually(t, "a large submit", func() bool {
			receipts, err := c.leader().Submit(t.Context(), []task.Spec{spec}, false)
			return err == nil && receipts[0].Err == nil
		})
		tasks = append(tasks, spec.ID)
	}
	logs := c.leader().logs
	logs.mu.RLock()
	held := logs.cache.bytes
	logs.mu.RUnlock()
	if held > cache || held == 0 {
		t.Errorf("the log's cache holds %d bytes, limit %d", held, cache)
	}
	c.net.heal()
	eventually(t, "the node has caught up", func() bool { return away.AppliedIndex() >= c.leader().AppliedIndex() })
	if first, err := away.logs.FirstIndex(); err != nil || first != 1 {
		t.Errorf("it came by a snapshot: its log begins at %d, %v", first, err)
	}
	c.sameState()
	c.mustHave(tasks)
}

// TestCloseInTheMiddleOfASnapshot: a node whose leader hangs while it sends a snapshot can still be stopped at once.
func TestCloseInTheMiddleOfASnapshot(t *testing.T) {
	c := startCluster(t, 2, nil)
	n := c.followers()[0]
	target := raft.ServerAddress(n.address)
	trans := stockTransport(layer(t, member.ID{0xee}, n.ClusterID(), roster{target: n.ID()}, nil)).(*raft.NetworkTransport)
	defer trans.Close()
	req := raft.InstallSnapshotRequest{
		RPCHeader:       raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte("x"), Addr: []byte("127.0.0.1:1")},
		SnapshotVersion: 1, Term: n.raft.CurrentTerm() + 1, LastLogIndex: 1 << 40, LastLogTerm: 1, Size: 2 << 20,
		Configuration: raft.EncodeConfiguration(n.configuration()), ConfigurationIndex: 1,
	}
	hang := make(chan struct{})
	sent := make(chan error, 1)
	go func() {
		data := io.MultiReader(bytes.NewReader(make([]byte, 1<<20)), hanging(hang))
		sent <- trans.InstallSnapshot("", target, &req, new(raft.InstallSnapshotResponse), data)
	}()
	eventually(t, "the snapshot is coming", func() bool { return len(names(t, n.snapshots.cfg.Dir)) == 1 })
	begun := time.Now()
	c.crash(n)
	if took := time.Since(begun); took > stallAfter/2 {
		t.Errorf("it took %s to stop", took)
	}
	close(hang)
	if err := <-sent; err == nil {
		t.Error("the snapshot was taken")
	}
}

// hanging is a reader that gives nothing until it is closed.
type hanging chan struct{}

func (h hanging) Read([]byte) (int, error) {
	<-h
	return 0, io.ErrUnexpectedEOF
}
