package cluster

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// mountSmall makes a file system of its own of so many MiB, in memory.
func mountSmall(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("this test fills a file system of its own, which takes the right to mount one: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error("unmount:", err)
		}
	})
	return dir
}

// TestNearlyFullDiskRefusesSubmitsOnly fills a real file system: submits are refused before it is full, what is queued
// can still be claimed, finished and cancelled, and after something else on the disk was deleted submits are taken
// again. Nothing that was acknowledged is lost.
func TestNearlyFullDiskRefusesSubmitsOnly(t *testing.T) {
	disk := mountSmall(t, "640m")
	const below, ballast = 192 << 20, 128 << 20
	if err := os.WriteFile(filepath.Join(disk, "other"), make([]byte, ballast), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &liveCluster{t: t, net: newFaultNet(t), tune: func(cfg *Config) {
		cfg.DiskRefuseBelow, cfg.Store.MaxWALBytes = below, 16<<20
	}}
	t.Cleanup(c.stop)
	node := c.add()
	node.path = filepath.Join(disk, "node")
	c.start(node, func(cfg *Config) { cfg.Bootstrap = true })
	c.leader()

	rng := rand.NewChaCha8([32]byte{1})
	var acked []task.ID
	submit := func() error {
		spec := task.Spec{ID: task.NewID(), Type: "t", Payload: make([]byte, 64<<10)}
		rng.Read(spec.Payload)
		receipts, err := node.Submit(t.Context(), []task.Spec{spec}, false)
		if err == nil {
			err = receipts[0].Err
		}
		if err == nil {
			acked = append(acked, spec.ID)
		}
		return err
	}
	var err error
	for err == nil {
		if len(acked) > 10_000 {
			t.Fatal("so much does not fit on the disk")
		}
		err = submit()
	}
	var later *task.RetryLater
	if !errors.Is(err, task.ErrDiskFull) || !errors.As(err, &later) || later.After != diskRetryAfter {
		t.Fatalf("after %d tasks: %v", len(acked), err)
	}
	if free, _, err := room(disk); err != nil || free < below/4 {
		t.Fatalf("%d bytes were free when submits were refused, %v", free, err)
	}

	if r, err := node.Cancel(t.Context(), acked[:1]); err != nil || r[0].Err != nil {
		t.Fatal(err, r)
	}
	if done := c.finishAll(node); done != len(acked)-1 {
		t.Fatalf("%d of %d tasks were finished", done, len(acked)-1)
	}
	if err := submit(); !errors.Is(err, task.ErrDiskFull) {
		t.Fatalf("a submit while the disk is still nearly full: %v", err)
	}
	if err := os.Remove(filepath.Join(disk, "other")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "submits are taken again", func() bool { return submit() == nil })
	c.mustHave(acked)
	c.crash(node)
	c.start(node, nil)
	c.leader()
	c.mustHave(acked)
	if got := node.store.Stats().Total; got.Completed != uint64(len(acked)-2) || got.Cancelled != 1 || got.Ready != 1 {
		t.Fatalf("%+v", got)
	}
}

// TestFullDiskEndsTheNode: a disk that is full although submits were refused, or because they are not to be, ends the
// node. With space it starts again and has everything that was acknowledged.
func TestFullDiskEndsTheNode(t *testing.T) {
	disk := mountSmall(t, "224m")
	other := filepath.Join(disk, "other")
	if err := os.WriteFile(other, make([]byte, 64<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &liveCluster{t: t, net: newFaultNet(t), tune: func(cfg *Config) { cfg.DiskRefuseBelow = 0 }}
	t.Cleanup(c.stop)
	node := c.add()
	node.path = filepath.Join(disk, "node")
	c.start(node, func(cfg *Config) { cfg.Bootstrap = true })
	c.leader()
	rng := rand.NewChaCha8([32]byte{1})
	var acked []task.ID
	for over := false; !over; {
		spec := task.Spec{ID: task.NewID(), Type: "t", Payload: make([]byte, 64<<10)}
		rng.Read(spec.Payload)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		receipts, err := node.Submit(ctx, []task.Spec{spec}, false)
		cancel()
		if err == nil && receipts[0].Err == nil {
			acked = append(acked, spec.ID)
		}
		select {
		case err := <-node.Done():
			if over = true; err == nil {
				t.Fatal("the node ended without an error")
			}
		default:
		}
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	if err := node.Close(); err != nil { // what the disk had no room for comes up here again
		t.Log(err)
	}
	node.Node = nil
	c.start(node, nil)
	c.leader()
	c.mustHave(acked)
	c.sameState()
}

// finishAll claims and completes all ready tasks, and returns how many those were.
func (c *liveCluster) finishAll(n *testNode) (done int) {
	c.t.Helper()
	session := task.NewSessionID()
	for {
		tasks, err := n.Claim(c.t.Context(), task.ClaimRequest{Session: session, WorkerID: "w", Max: 50})
		if err != nil {
			c.t.Fatal(err)
		}
		if len(tasks) == 0 {
			return done
		}
		var outcomes []task.Outcome
		for _, x := range tasks {
			outcomes = append(outcomes, task.Outcome{ID: x.ID, LeaseID: x.LeaseID, Kind: task.Success})
		}
		receipts, _, err := n.Finish(c.t.Context(), session, outcomes, nil)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, r := range receipts {
			if r.Err != nil {
				c.t.Fatal(r.Err)
			}
			done++
		}
	}
}

// TestDiskOfAnotherVoterCounts: the leader refuses submits while a voter says that its disk is nearly full, and for a
// little while after that. The word of a stranger counts nothing and makes it no member.
func TestDiskOfAnotherVoterCounts(t *testing.T) {
	c := startCluster(t, 3, nil)
	full := c.followers()[0]
	c.crash(full)
	c.start(full, func(cfg *Config) { cfg.DiskRefuseBelow = 1 << 60 })
	eventually(t, "it has found the leader", func() bool { return full.leaderAddress() != "" })
	report, ok := full.DiskReport()
	if !ok {
		t.Fatal("its disk is not nearly full")
	}
	if _, other := c.leader().DiskReport(); other {
		t.Fatal("the leader's disk is nearly full too")
	}
	submit := func() error {
		_, err := c.leader().Submit(t.Context(), []task.Spec{{ID: task.NewID(), Type: "t"}}, false)
		return err
	}
	eventually(t, "a submit is refused", func() bool {
		_, voter, err := c.leader().Join(t.Context(), report)
		return err == nil && voter && errors.Is(submit(), task.ErrDiskFull)
	})
	eventually(t, "its word is forgotten", func() bool { return submit() == nil })

	report.Member.ID = member.ID{9}
	eventually(t, "the stranger is refused", func() bool {
		_, _, err := c.leader().Join(t.Context(), report)
		return errors.Is(err, task.ErrNotFound)
	})
	eventually(t, "a submit is taken", func() bool { return submit() == nil })
	if members := c.leader().configuration().Servers; len(members) != 3 {
		t.Fatalf("%v", members)
	}
}

// TestDiskRefusalDoesNotFlap: it ends only an eighth above the limit; and while the database stops writes, submits are
// told to come again.
func TestDiskRefusalDoesNotFlap(t *testing.T) {
	free, stopped := uint64(1000), false
	n := &Node{disks: &diskspace{
		dirs: []string{"a", "b"}, below: 800, log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		free: func(dir string) (uint64, uint64, error) {
			if dir == "a" {
				return 1 << 40, 1 << 41, nil
			}
			return free, 2000, nil
		},
		stopped: func() bool { return stopped },
	}}
	for _, step := range []struct {
		free    uint64
		stopped bool
		want    error
	}{{1000, false, nil}, {800, false, nil}, {799, false, task.ErrDiskFull}, {899, true, task.ErrDiskFull},
		{900, true, task.ErrBusy}, {850, false, nil}, {0, false, task.ErrDiskFull}} {
		free, stopped = step.free, step.stopped
		n.disks.look()
		var later *task.RetryLater
		if err := n.refusal(); !errors.Is(err, step.want) || err != nil && (!errors.As(err, &later) || later.After < 100*time.Millisecond) {
			t.Errorf("%+v: %v", step, err)
		}
		if d := n.Disk(); d != (member.Disk{Free: free, Total: 2000, Limit: 800, Refuses: step.want != nil}) {
			t.Errorf("%+v: told is %+v", step, d)
		}
	}
}
