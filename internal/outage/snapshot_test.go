package outage

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// shownSnapshot is what -o json prints of a snapshot.
type shownSnapshot struct {
	ClusterID string           `json:"cluster_id"`
	NodeID    string           `json:"node_id"`
	Index     uint64           `json:"index"`
	Tasks     task.QueueCounts `json:"tasks"`
	Bytes     int64            `json:"bytes"`
	StateHash string           `json:"state_hash"`
	Hash      string           `json:"hash"`
}

func (s *shownSnapshot) all() uint64 {
	t := &s.Tasks
	return t.Pending + t.InProgress + t.Completed + t.Failed + t.DeadLetter + t.Cancelled
}

// save saves a snapshot from one node.
func (n *nodes) save(from *node, file string) (s shownSnapshot) {
	n.t.Helper()
	out := command(n.t, n.dir, haiku, "--addr", from.address, "snapshot", "save", file, "-o", "json")
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		n.t.Fatalf("%v: %s", err, out)
	}
	return s
}

// TestSaveUnderLoadAndRestore saves from the leader and from a follower while tasks are submitted and worked on, and
// makes a new cluster of each: it has every task that was acknowledged before the save, as far as it was then or further.
func TestSaveUnderLoadAndRestore(t *testing.T) {
	t.Parallel()
	n := startNodes(t, 3, quick)
	l := startLoad(n, 2*shortLease)
	l.more(100)
	leader, others := n.leader()
	for i, from := range []*node{others[0], leader} {
		l.more(50)
		file := []string{"of-follower", "of-leader"}[i]
		acked := l.snapshot()
		before := n.finished(acked)
		s := n.save(from, file)
		if s.all() < uint64(len(acked)) {
			t.Errorf("%s: %d tasks, %d were acknowledged", file, s.all(), len(acked))
		}
		if shown := command(t, n.dir, haiku, "snapshot", "inspect", file, "-o", "json"); !strings.Contains(shown, s.Hash) {
			t.Errorf("inspect shows %s, save said %+v", shown, s)
		}
		r := n.restore(file, s)
		for id, payload := range acked {
			got, err := r.c.Get(t.Context(), id, client.WithPayload())
			if err != nil || string(got.Payload) != payload || before[id] && got.Status != task.Completed {
				t.Fatalf("%s: task %s, completed before %t: %+v, %v", file, id, before[id], got, err)
			}
		}
		stats, err := r.c.Stats(t.Context())
		if err != nil || !stats.DispatchPaused || stats.Total != s.Tasks {
			t.Errorf("%s: restored %+v (%v), saved %+v", file, stats, err, s.Tasks)
		}
	}
	l.finish()
	n.sameState()
}

// finished asks which tasks have completed.
func (n *nodes) finished(ids map[task.ID]string) map[task.ID]bool {
	n.t.Helper()
	done := make(map[task.ID]bool)
	for id := range ids {
		got, err := n.c.Get(n.t.Context(), id)
		if err != nil {
			n.t.Fatal(err)
		}
		done[id] = got.Status == task.Completed
	}
	return done
}

// restore makes a cluster of one node of a snapshot, with dispatch paused, and starts it.
func (n *nodes) restore(file string, s shownSnapshot) *nodes {
	n.t.Helper()
	one := &node{name: file, address: freeAddress(n.t), data: "restored-" + file}
	out := command(n.t, n.dir, haikud, "restore", "--from", file, "--data-dir", one.data, "--dispatch-paused")
	if !strings.Contains(out, s.ClusterID) {
		n.t.Errorf("restored: %s", out)
	}
	r := &nodes{t: n.t, dir: n.dir, env: n.env, list: []*node{one}, c: dial(n.t, client.Config{Addrs: []string{one.address}})}
	r.start(one)
	r.complete()
	return r
}

// fill submits tasks whose payloads do not compress.
func (n *nodes) fill(count, size int) {
	n.t.Helper()
	random := rand.NewChaCha8([32]byte{7})
	for done := 0; done < count; done += 100 {
		specs := make([]task.Spec, 100)
		for i := range specs {
			payload := make([]byte, size)
			random.Read(payload)
			specs[i] = task.Spec{ID: task.NewID(), Type: "ballast", Payload: payload}
		}
		receipts, err := n.c.SubmitMany(n.t.Context(), specs)
		if err != nil || receipts[0].Err != nil {
			n.t.Fatalf("submit: %v, %v", err, receipts[0].Err)
		}
	}
}

// checkpoints counts what a node keeps for snapshots that are being saved.
func (n *nodes) checkpoints(one *node) int {
	found, _ := filepath.Glob(filepath.Join(n.dir, one.data, "groups", "0", "store", "checkpoint-*"))
	return len(found)
}

// TestInterruptedSave: a reader that stands still holds up nobody; a node that dies, or a client, leaves no file and
// nothing on the disk.
func TestInterruptedSave(t *testing.T) {
	t.Parallel()
	n := startNodes(t, 1, quick)
	one := n.list[0]
	n.fill(400, 64<<10)

	// Standard output is read a little, then no more.
	slow := exec.Command(haiku, "--addr", one.address, "snapshot", "save", "-")
	out, err := slow.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := slow.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 1<<10)); err != nil {
		t.Fatal(err)
	}
	if n.checkpoints(one) == 0 {
		t.Error("the slow reader has nothing to read from: the test shows nothing")
	}
	n.fill(100, 1<<10) // goes on
	whole := n.save(one, "whole")
	if err := slow.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = slow.Wait() // killed
	eventually(t, "the checkpoint of a reader that died goes", func() bool { return n.checkpoints(one) == 0 })

	// The node dies in the middle.
	from, err := n.c.OpenSnapshot(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	if _, err := io.CopyN(io.Discard, from, 3<<20); err != nil {
		t.Fatal(err)
	}
	one.kill(t)
	if copied, err := io.Copy(io.Discard, from); err == nil || copied >= whole.Bytes {
		t.Errorf("%d bytes came from a dead node, %v", copied, err)
	}
	if n.checkpoints(one) == 0 {
		t.Error("the killed node left no checkpoint: the test shows nothing")
	}
	n.start(one)
	n.serving(one)
	if n.checkpoints(one) != 0 {
		t.Error("a checkpoint outlives the start")
	}
	interrupted := 0
	for try := 0; try < 10 && interrupted < 3; try++ {
		if n.killDuringSave(one) {
			interrupted++
		}
	}
	if interrupted == 0 {
		t.Error("no save was interrupted: the test shows nothing")
	}
	if left, _ := filepath.Glob(filepath.Join(n.dir, "never*")); len(left) != 0 {
		t.Errorf("left by saves without a node: %v", left)
	}
}

// killDuringSave kills the node while the command writes its file, and starts it again. It reports false if the command
// was done before.
func (n *nodes) killDuringSave(one *node) bool {
	n.t.Helper()
	parts := filepath.Join(n.dir, "never.part-*")
	saving := start(n.t, n.dir, nil, haiku, "--addr", one.address, "snapshot", "save", "never")
	eventually(n.t, "the command writes", func() bool {
		found, _ := filepath.Glob(parts)
		return len(found) > 0 || saving.ended()
	})
	_ = saving.cmd.Process.Signal(syscall.SIGSTOP) // an error means that it has ended
	one.kill(n.t)
	_ = saving.cmd.Process.Signal(syscall.SIGCONT)
	code := saving.exit(n.t)
	n.start(one)
	n.serving(one)
	if code == 0 {
		if err := os.Remove(filepath.Join(n.dir, "never")); err != nil {
			n.t.Error(err)
		}
		return false
	}
	return true
}

// TestKilledRestoreLeavesTheNodeAsItWas kills haikud restore at moments all over its run: the directory is the old one,
// which serves, until it is the new one. What is left over is in nobody's way.
func TestKilledRestoreLeavesTheNodeAsItWas(t *testing.T) {
	t.Parallel()
	n := startNodes(t, 1, quick)
	one := n.list[0]
	n.fill(300, 64<<10)
	s := n.save(one, "backup")
	n.fill(100, 1<<10)
	before, err := n.c.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	old, err := n.status(one)
	if err != nil {
		t.Fatal(err)
	}
	one.kill(t)
	begin := time.Now()
	command(t, n.dir, haikud, "restore", "--from", "backup", "--data-dir", "measured")
	whole := time.Since(begin)

	const tries = 12
	replaced, interrupted := false, 0
	for i := range tries {
		r := start(t, n.dir, nil, haikud, "restore", "--from", "backup", "--data-dir", one.data, "--force")
		select {
		case <-time.After(whole * time.Duration(i+1) / tries):
			_ = r.cmd.Process.Kill() // an error means that it has ended
			<-r.done
		case <-r.done:
		}
		now := n.identity(one)
		if now != old.NodeID.String() {
			replaced = true
			break
		}
		interrupted++
	}
	t.Logf("%d of %d were interrupted, replaced %t", interrupted, tries, replaced)
	if interrupted < 3 {
		t.Error("hardly a restore was interrupted: the test shows nothing")
	}
	n.start(one)
	n.serving(one)
	stats, err := n.c.Stats(t.Context())
	if want := map[bool]task.QueueCounts{false: before.Total, true: s.Tasks}[replaced]; err != nil || stats.Total != want {
		t.Errorf("replaced %t: %+v, %v, want %+v", replaced, stats.Total, err, want)
	}
	one.kill(t)
	command(t, n.dir, haikud, "restore", "--from", "backup", "--data-dir", one.data, "--force")
	n.start(one)
	n.serving(one)
	if stats, err := n.c.Stats(t.Context()); err != nil || stats.Total != s.Tasks {
		t.Errorf("restored at last: %+v, %v, want %+v", stats.Total, err, s.Tasks)
	}
	if left, _ := filepath.Glob(filepath.Join(n.dir, "*.restoring*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// identity reads the node's id from its directory.
func (n *nodes) identity(one *node) string {
	n.t.Helper()
	raw, err := os.ReadFile(filepath.Join(n.dir, one.data, "node.json"))
	if err != nil {
		n.t.Fatal(err)
	}
	var node struct {
		ID member.ID `json:"node_id"`
	}
	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&node); err != nil {
		n.t.Fatal(err)
	}
	return node.ID.String()
}
