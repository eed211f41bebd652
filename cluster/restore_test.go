package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/snapshot"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// restoreTo restores a snapshot into the directory of a node that is not started yet.
func (c *liveCluster) restoreTo(n *testNode, from string, change func(*RestoreConfig)) *Restored {
	c.t.Helper()
	cfg := RestoreConfig{From: from, DataDir: n.path, Store: store.Default()}
	if change != nil {
		change(&cfg)
	}
	done, err := Restore(cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	if left, _ := filepath.Glob(n.path + ".restoring*"); len(left) != 0 {
		c.t.Errorf("left behind: %v", left)
	}
	return done
}

// everyStatus leaves tasks in all kinds of states and returns all of them, and the one that runs.
func (c *liveCluster) everyStatus() (all []task.ID, running *task.Task) {
	c.t.Helper()
	session := task.NewSessionID()
	running = c.one(task.Spec{Payload: bytes.Repeat([]byte("p"), 30_000)}, session, time.Minute)
	done := c.one(task.Spec{}, session, time.Minute)
	failed := c.one(task.Spec{}, session, time.Minute)
	receipts, _, err := c.leader().Finish(c.t.Context(), session, []task.Outcome{
		{ID: done.ID, LeaseID: done.LeaseID, Kind: task.Success, Result: bytes.Repeat([]byte("r"), 5000)},
		{ID: failed.ID, LeaseID: failed.LeaseID, Kind: task.Failure, Error: "no", RetryAfter: time.Hour},
	}, nil)
	if err != nil || receipts[0].Err != nil || receipts[1].Err != nil {
		c.t.Fatal(receipts, err)
	}
	later := task.Spec{ID: task.NewID(), Type: "t", Delay: time.Hour}
	blocked := task.Spec{ID: task.NewID(), Type: "t", Dependencies: []task.ID{later.ID}}
	gone := task.Spec{ID: task.NewID(), Type: "t"}
	for _, spec := range []task.Spec{later, blocked, gone} {
		c.mustSubmit(spec)
	}
	if _, err := c.leader().Cancel(c.t.Context(), []task.ID{gone.ID}); err != nil {
		c.t.Fatal(err)
	}
	return append(c.submit(20), running.ID, done.ID, failed.ID, later.ID, blocked.ID, gone.ID), running
}

// contents reads tasks with their payloads and results, printed.
func (c *liveCluster) contents(n *Node, ids []task.ID) (out []string) {
	c.t.Helper()
	for _, id := range ids {
		tasks, _, err := n.Get(c.t.Context(), task.Query{IDs: []task.ID{id}, WithPayload: true, Stale: true})
		if err != nil || len(tasks) != 1 {
			c.t.Fatalf("task %s: %d, %v", id, len(tasks), err)
		}
		out = append(out, fmt.Sprintf("%+v", *tasks[0]))
	}
	return out
}

func TestRestoredClusterHasEveryTaskAndGoesOn(t *testing.T) {
	c := startCluster(t, 3, nil)
	all, running := c.everyStatus()
	old := c.leader()
	want, stats := c.contents(old.Node, all), old.store.Stats().Total
	file, s := save(t, c.followers()[0].Node, old.AppliedIndex())
	oldCluster, oldIndex := old.ClusterID(), s.Index
	for _, n := range c.nodes {
		c.crash(n)
	}

	fresh := &liveCluster{t: t, net: c.net}
	t.Cleanup(fresh.stop)
	first := fresh.add()
	done := fresh.restoreTo(first, file, nil)
	fresh.start(first, nil)
	fresh.leader()
	if got := fresh.contents(first.Node, all); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
	status, err := first.Status(t.Context())
	if err != nil || len(status.Members) != 1 || status.Members[0].Address != first.address || status.DispatchPaused {
		t.Errorf("status %+v, %v", status, err)
	}
	eventually(t, "the new node is known by name", func() bool {
		known, err := fsm.Members(first.store)
		return err == nil && len(known) == 1 && known[0].ID == first.ID() // and those of the old cluster no more
	})
	if first.ClusterID() == oldCluster || first.ClusterID() != done.ClusterID || first.ID() != done.NodeID || first.store.Stats().Total != stats {
		t.Errorf("cluster %s, node %s, tasks %+v; made was %+v", first.ClusterID(), first.ID(), first.store.Stats().Total, done)
	}
	if status.Term <= s.Term || status.AppliedIndex <= oldIndex {
		t.Errorf("term %d, index %d go on from %d, %d", status.Term, status.AppliedIndex, s.Term, oldIndex)
	}

	// Leases stand, are armed anew, and their numbers go on.
	receipts, _, err := first.Finish(t.Context(), running.Session, []task.Outcome{{ID: running.ID, LeaseID: running.LeaseID, Kind: task.Success}}, nil)
	if err != nil || receipts[0].Err != nil {
		t.Errorf("the lease from before: %v, %v", receipts, err)
	}
	if next := fresh.claim(task.NewSessionID(), time.Minute); next.LeaseID <= running.LeaseID {
		t.Errorf("lease %d after %d", next.LeaseID, running.LeaseID)
	}
	if receipt := fresh.submit(3); len(receipt) != 3 {
		t.Error("no submits")
	}
	for range 2 {
		fresh.join(fresh.add())
	}
	fresh.mustHave(all)
	fresh.sameState()
	fresh.crash(first)
	fresh.leader()
	fresh.start(first, nil)
	fresh.sameState()
}

func TestRestoreWithDispatchPaused(t *testing.T) {
	c, file := smallSnapshot(t, 3)
	for _, kind := range []LogKind{LogBolt, LogWAL} {
		second := &liveCluster{t: t, net: c.net, tune: func(cfg *Config) { cfg.LogStore = kind }}
		t.Cleanup(second.stop)
		n := second.add()
		second.restoreTo(n, file, func(cfg *RestoreConfig) { cfg.DispatchPaused = true })
		second.start(n, nil)
		second.claimsNothing()
		second.crash(n)
		second.start(n, nil)
		second.claimsNothing()
		second.setDispatch(false)
		second.claim(task.NewSessionID(), time.Minute)
		second.join(second.add())
		second.sameState()
	}
}

// smallSnapshot saves a snapshot of a cluster of one node.
func smallSnapshot(t *testing.T, tasks int) (c *liveCluster, file string) {
	t.Helper()
	c = startCluster(t, 1, nil)
	c.submit(tasks)
	file, _ = save(t, c.nodes[0].Node, 0)
	return c, file
}

func TestRestoreRefusesWhatItMustNotReplace(t *testing.T) {
	c, file := smallSnapshot(t, 5)
	n := c.nodes[0]
	try := func(dir string, force bool, want error, word string) {
		t.Helper()
		before := listing(t, dir)
		_, err := Restore(RestoreConfig{From: file, DataDir: dir, Force: force, Store: store.Default()})
		if !errors.Is(err, want) || !strings.Contains(err.Error(), word) {
			t.Errorf("%s, force %t: %v, want %v", dir, force, err, want)
		}
		if after := listing(t, dir); after != before {
			t.Errorf("%s changed from\n%s\nto\n%s", dir, before, after)
		}
	}
	try(n.path, false, ErrDirInUse, "runs on")
	try(n.path, true, ErrDirInUse, "runs on")
	old := n.ID()
	c.crash(n)
	try(n.path, false, ErrDirHasData, old.String())
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "thesis.tex"), []byte("years"), 0o600); err != nil {
		t.Fatal(err)
	}
	try(other, false, ErrDirHasData, "no data directory")
	try(other, true, ErrDirHasData, "no data directory")

	empty := t.TempDir()
	c.restoreTo(&testNode{path: empty}, file, nil)
	done := c.restoreTo(n, file, func(cfg *RestoreConfig) { cfg.Force = true })
	if done.Aside != n.path+".reset-1" {
		t.Errorf("the old data is in %q", done.Aside)
	}
	c.start(n, nil)
	if c.leader(); n.ID() == old || n.store.Stats().Total.Ready != 5 {
		t.Errorf("node %s with %+v", n.ID(), n.store.Stats().Total)
	}
	c.crash(n)
	n.path = done.Aside // the old one is whole
	c.start(n, nil)
	if c.leader(); n.ID() != old {
		t.Errorf("node %s was moved aside, not %s", n.ID(), old)
	}
}

// listing names all files below a directory, with their sizes; but for the lock, which is no content.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	for _, root := range []string{dir, dir + ".restoring", dir + ".reset-1"} {
		_ = filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
			if err == nil && e.Name() != lockName && e.Type().IsRegular() {
				info, _ := e.Info()
				fmt.Fprintln(&out, path, info.Size())
			}
			return nil
		})
	}
	return out.String()
}

// TestDamagedSnapshotIsNeverRestored damages, cuts and lengthens a real one at hundreds of places.
func TestDamagedSnapshotIsNeverRestored(t *testing.T) {
	_, file := smallSnapshot(t, 30)
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	target, bad := filepath.Join(dir, "node"), filepath.Join(dir, "bad")
	refused := func(what string, content []byte) {
		t.Helper()
		if err := os.WriteFile(bad, content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Restore(RestoreConfig{From: bad, DataDir: target, Store: store.Default()})
		if !errors.Is(err, snapshot.ErrDamaged) && !errors.Is(err, snapshot.ErrForeign) {
			t.Errorf("%s: %v", what, err)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Fatalf("%s: left %v", what, entries)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		at := random.IntN(len(good))
		flipped := bytes.Clone(good)
		flipped[at] ^= 1 << random.IntN(8)
		refused(fmt.Sprintf("a flipped bit at %d", at), flipped)
		refused(fmt.Sprintf("cut at %d", at), good[:at])
		end := min(at+1+random.IntN(4096), len(good))
		zeroed := bytes.Clone(good)
		clear(zeroed[at:end])
		if !bytes.Equal(zeroed, good) {
			refused(fmt.Sprintf("zeros from %d to %d", at, end), zeroed)
		}
		refused(fmt.Sprintf("%d to %d are missing", at, end), append(bytes.Clone(good[:at]), good[end:]...))
	}
	refused("something behind", append(bytes.Clone(good), "x"...))
	refused("another file", []byte("#!/bin/sh\nexit 0\n"))
	refused("nothing", nil)
	if _, err := Restore(RestoreConfig{From: filepath.Join(dir, "none"), DataDir: target, Store: store.Default()}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestInterruptedRestoreLeavesTheNodeAsItWas stops a restore where a crash could, without clearing up.
func TestInterruptedRestoreLeavesTheNodeAsItWas(t *testing.T) {
	c, file := smallSnapshot(t, 5)
	n := c.nodes[0]
	c.submit(2)
	old := n.ID()
	c.crash(n)
	for _, step := range []string{"while it builds", "before the exchange"} {
		r := &restore{cfg: RestoreConfig{From: file, DataDir: n.path, Force: true, Store: store.Default()}}
		sum, err := r.verify()
		if err == nil {
			r.target, err = takePlace(n.path, true)
		}
		if err = errors.Join(err, r.prepare()); err == nil {
			err = r.build(sum)
		}
		if err != nil {
			t.Fatal(err)
		}
		if step == "before the exchange" {
			if err := os.Rename(r.temp.path, n.path+".reset-1"); err != nil {
				t.Fatal(err)
			}
		}
		r.moved = true // so that nothing is cleared
		if err := r.release(); err != nil {
			t.Fatal(err)
		}
		c.start(n, nil)
		if c.leader(); n.ID() != old || n.store.Stats().Total.Ready != 7 {
			t.Errorf("%s: node %s with %+v", step, n.ID(), n.store.Stats().Total)
		}
		c.crash(n)
	}
	done := c.restoreTo(n, file, func(cfg *RestoreConfig) { cfg.Force = true })
	if done.Aside != n.path+".reset-2" {
		t.Errorf("the old data is in %s", done.Aside)
	}
	for _, again := range []bool{false, true} {
		if again { // as after a crash in the first start
			dir, err := OpenDir(n.path)
			if err != nil {
				t.Fatal(err)
			}
			node := dir.node
			node.Started = false
			if err := errors.Join(dir.save(node), dir.Close()); err != nil {
				t.Fatal(err)
			}
		}
		c.start(n, nil)
		if c.leader(); n.ID() != done.NodeID || n.store.Stats().Total.Ready != 5 {
			t.Errorf("started again %t: node %s with %+v", again, n.ID(), n.store.Stats().Total)
		}
		c.crash(n)
	}
}

// TestRestoredDatabaseIsNotLookedForElsewhere: a setting that names another place must not make an empty cluster.
func TestRestoredDatabaseIsNotLookedForElsewhere(t *testing.T) {
	c, file := smallSnapshot(t, 5)
	n := c.add()
	c.restoreTo(n, file, nil)
	dir, err := OpenDir(n.path)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	for _, path := range []string{"elsewhere", t.TempDir()} {
		if _, err := dir.findStore(path); err == nil || !strings.Contains(err.Error(), "db_path") {
			t.Errorf("db_path %q: %v", path, err)
		}
	}
	if _, err := dir.findStore(defaultDBPath); err != nil {
		t.Error(err)
	}
}
