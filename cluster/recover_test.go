package cluster

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/internal/plant"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// recovery is what a test hands to Recover.
func recovery(t *testing.T, path string, dryRun bool) Recovery {
	cfg := Default()
	cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	cfg.HeartbeatTimeout, cfg.ElectionTimeout, cfg.LeaderLeaseTimeout = 400*time.Millisecond, 400*time.Millisecond, 300*time.Millisecond
	return Recovery{Path: path, DryRun: dryRun, Node: cfg, Progress: func(step string, done, total uint64) {
		if done > total {
			t.Errorf("%s: %d of %d", step, done, total)
		}
	}}
}

// spoil plants damage of several kinds in a stopped node's database.
func spoil(t *testing.T, path string) {
	t.Helper()
	for _, damage := range []error{
		plant.FlipKey(path, "index_priority"), plant.FlipKey(path, "index_task_id"), plant.LoseKey(path, "index_task_type"),
	} {
		if damage != nil {
			t.Fatal(damage)
		}
	}
}

// claimed leases so many tasks for a whole test.
func (c *liveCluster) claimed(count int) []*task.Task {
	c.t.Helper()
	tasks, err := c.leader().Claim(c.t.Context(), task.ClaimRequest{
		Session: task.SessionID{9}, WorkerID: "w", Queues: []string{task.DefaultQueue}, Max: count, Lease: time.Minute,
	})
	if err != nil || len(tasks) != count {
		c.t.Fatalf("claimed %d tasks, %v", len(tasks), err)
	}
	return tasks
}

// TestRecoverOfASoloNode: indexes and counters are what the records call for again, and running tasks wait, at their old
// places and without a retry or a crash used. What their workers report late is refused.
func TestRecoverOfASoloNode(t *testing.T) {
	c := startCluster(t, 1, nil)
	n := c.nodes[0]
	acked := c.submit(1500)
	leased := append(c.claimed(600), c.claimed(600)...)
	if _, err := Recover(t.Context(), recovery(t, n.path, true)); !errors.Is(err, ErrDirInUse) {
		t.Errorf("a running node is recovered: %v", err)
	}
	c.crash(n)
	spoil(t, n.path)
	if err := plant.RaiseCounter(n.path); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a dry run leaves everything to find for the next
		got, err := Recover(t.Context(), recovery(t, n.path, true))
		if err != nil {
			t.Fatal(err)
		}
		if f := got.Found; f.Added != 3 || f.Removed != 2 || f.Corrected != 1 || f.Damaged != 0 || f.Records != 1500 || f.Healthy() {
			t.Errorf("dry run: %+v", f)
		}
		if !got.Solo || got.Members != 1 || got.Running != 1200 || got.Moved != 0 {
			t.Errorf("dry run: %+v", got)
		}
	}
	got, err := Recover(t.Context(), recovery(t, n.path, false))
	if err != nil {
		t.Fatal(err)
	}
	if f := got.Found; f.Added != 3 || f.Removed != 2 || f.Corrected != 1 || !f.Healthy() || f.Elapsed <= 0 {
		t.Errorf("%+v", f)
	}
	if got.Moved != 1200 || got.Running != 1200 {
		t.Errorf("%+v", got)
	}
	c.start(n, nil)
	c.mustHave(acked)
	c.sameState()
	late, _, err := c.leader().Finish(t.Context(), task.SessionID{9}, []task.Outcome{
		{ID: leased[0].ID, LeaseID: leased[0].LeaseID, Kind: task.Success},
	}, nil)
	if err != nil || !errors.Is(late[0].Err, task.ErrStaleLease) {
		t.Errorf("a late result: %v, %v", late, err)
	}
	for i, again := range c.claimed(5) {
		if again.ID != leased[i].ID || again.Attempt != 2 || again.RetryCount != 0 || again.CrashCount != 0 {
			t.Errorf("claimed again: %+v", again)
		}
	}
}

// TestRecoverOfAMember: a follower whose index keys were damaged is verified alone, comes back, and has the same state
// as the others; running tasks stay with their workers.
func TestRecoverOfAMember(t *testing.T) {
	c := startCluster(t, 3, nil)
	acked := c.submit(50)
	leased := c.claimed(5)
	n := c.followers()[0]
	c.sameState() // all have everything
	c.crash(n)
	spoil(t, n.path)
	acked = append(acked, c.submit(10)...)
	got, err := Recover(t.Context(), recovery(t, n.path, false))
	if err != nil {
		t.Fatal(err)
	}
	if f := got.Found; f.Added != 3 || f.Removed != 2 || !f.Healthy() || got.Solo || got.Members != 3 || got.Running != 5 || got.Moved != 0 {
		t.Errorf("%+v", got)
	}
	c.start(n, nil)
	c.mustCatchUp(n)
	c.mustHave(acked)
	c.sameState()
	receipts, _, err := c.leader().Finish(t.Context(), task.SessionID{9}, []task.Outcome{
		{ID: leased[0].ID, LeaseID: leased[0].LeaseID, Kind: task.Success},
	}, nil)
	if err != nil || receipts[0].Err != nil {
		t.Errorf("a result: %v, %v", receipts, err)
	}
}

// mustCatchUp waits until a node has applied what the leader has.
func (c *liveCluster) mustCatchUp(n *testNode) {
	c.t.Helper()
	want := c.leader().AppliedIndex()
	eventually(c.t, n.name+" catches up", func() bool { return n.AppliedIndex() >= want })
}

// TestRecoverRefuses: a directory without a node stays as it is; one that lost a part, or that left, has nothing to be
// recovered.
func TestRecoverRefuses(t *testing.T) {
	empty := t.TempDir()
	if _, err := Recover(t.Context(), recovery(t, empty, false)); !errors.Is(err, task.ErrNotFound) {
		t.Errorf("an empty directory: %v", err)
	}
	if entries, err := os.ReadDir(empty); err != nil || len(entries) != 0 {
		t.Errorf("the empty directory has %v, %v", entries, err)
	}
	c := startCluster(t, 1, nil)
	n := c.nodes[0]
	c.submit(3)
	c.claimed(2)
	c.crash(n)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Recover(gone, recovery(t, n.path, false)); !errors.Is(err, context.Canceled) {
		t.Errorf("with its time over: %v", err)
	}
	log := filepath.Join(n.path, "groups", "0", LogWAL.fileName())
	if err := os.Rename(log, log+".away"); err != nil {
		t.Fatal(err)
	}
	if _, err := Recover(t.Context(), recovery(t, n.path, false)); !errors.Is(err, ErrDirDamaged) {
		t.Errorf("without its log: %v", err)
	}
	if err := os.Rename(log+".away", log); err != nil {
		t.Fatal(err)
	}
	if err := plant.LoseKey(n.path, "in_progress"); err != nil {
		t.Fatal(err)
	}
	got, err := Recover(t.Context(), recovery(t, n.path, false))
	if err != nil || got.Found.Damaged == 0 || got.Found.Healthy() || got.Found.Wrong() != 0 || got.Moved != 0 {
		t.Errorf("with a record lost: %+v, %v", got, err)
	}
}

// TestRecoverOtherKindOfLog: the directory says what keeps the log, not the settings.
func TestRecoverOtherKindOfLog(t *testing.T) { bothKinds(t, recoverOtherKindOfLog) }

func recoverOtherKindOfLog(t *testing.T, kind LogKind) {
	c := startCluster(t, 1, func(cfg *Config) { cfg.LogStore = kind })
	n := c.nodes[0]
	c.submit(3)
	c.claimed(2)
	c.crash(n)
	r := recovery(t, n.path, false)
	r.Node.LogStore = otherKind[kind]
	if got, err := Recover(t.Context(), r); err != nil || got.Moved != 2 || !got.Found.Healthy() {
		t.Errorf("%+v, %v", got, err)
	}
	c.start(n, func(cfg *Config) { cfg.LogStore = otherKind[kind] })
	c.sameState()
}

// TestConfigurationBehindTheDatabase: a database that lost what it had not synced knows an older configuration than the
// log. A node that was about to share its cluster must not be taken for a solo one.
func TestConfigurationBehindTheDatabase(t *testing.T) {
	c := startCluster(t, 3, nil)
	c.submit(2)
	n := c.followers()[0]
	c.crash(n)
	dir, err := OpenDir(n.path)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	r := recovery(t, n.path, false)
	r.Node.Dir = dir
	old := raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{ID: serverID(dir.NodeID()), Address: "a:1"}}})
	got, err := r.configuration(store.Applied{Configuration: old, ConfigurationIndex: 1, Index: 1, Term: 1})
	if err != nil || len(got.Servers) != 3 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestRequeueNeedsMembersThatKnowIt: one that does not know the command would end.
func TestRequeueNeedsMembersThatKnowIt(t *testing.T) {
	c := startCluster(t, 3, nil)
	c.submit(3)
	c.claimed(2)
	leader, old := c.leader(), c.followers()[0]
	if moved, err := old.Requeue(t.Context(), nil); !errors.Is(err, task.ErrNotLeader) || moved != 0 {
		t.Errorf("at a follower: %d %v", moved, err)
	}
	l, err := leader.leading()
	if err != nil {
		t.Fatal(err)
	}
	told := member.Member{ID: old.ID(), Name: "old", MaxCommandVersion: 1}
	if err := leader.publish(t.Context(), l, told); err != nil {
		t.Fatal(err)
	}
	if _, err := leader.Requeue(t.Context(), nil); !errors.Is(err, task.ErrVersion) {
		t.Errorf("with an old member: %v", err)
	}
	told.MaxCommandVersion = 2
	if err := leader.publish(t.Context(), l, told); err != nil {
		t.Fatal(err)
	}
	if moved, err := leader.Requeue(t.Context(), nil); err != nil || moved != 2 {
		t.Errorf("%d %v", moved, err)
	}
	c.sameState()
}
