package outage

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/internal/damage"
	"github.com/haiku-queue/haiku/task"
)

// TestDamagedWhileReceived spoils a snapshot on the disk of the node that receives it. The node asks for it anew, or ends
// with the name of the file and comes back; its state is that of the others at last.
func TestDamagedWhileReceived(t *testing.T) {
	t.Parallel()
	r := damage.Rand(t)
	n := startNodes(t, 3, append(slices.Clone(quick),
		"HAIKU_LOG_LEVEL=debug", "HAIKU_RAFT_TRAILING_LOGS=64", "HAIKU_RAFT_SNAPSHOT_THRESHOLD=64", "HAIKU_RAFT_SNAPSHOT_INTERVAL=1s"))
	for range damage.Rounds(1, 10) {
		leader, others := n.leader()
		late := others[0]
		status, err := n.status(late)
		if err != nil {
			t.Fatal(err)
		}
		late.kill(t)
		n.fill(500, 40<<10) // few entries
		for range 150 {     // more than the trail
			if _, err := n.c.SubmitSpec(t.Context(), task.Spec{ID: task.NewID(), Type: "ballast"}); err != nil {
				t.Fatal(err)
			}
		}
		for _, one := range n.list {
			if one != late {
				eventually(t, one.name+" cuts its log", func() bool { return one.logCutUpTo() > status.AppliedIndex })
			}
		}
		n.start(late)
		path := n.received(late)
		what, err := damage.File(r, damage.Kinds[r.IntN(len(damage.Kinds))], path, "")
		if os.IsNotExist(err) {
			what = "it was gone by then"
		} else if err != nil {
			t.Fatal(err)
		}
		t.Log(what)
		caughtUp := func() bool {
			ahead, err1 := n.status(leader)
			s, err2 := n.status(late)
			return err1 == nil && err2 == nil && s.AppliedIndex >= ahead.AppliedIndex && s.LeaderAddress != ""
		}
		eventually(t, late.name+" catches up or ends", func() bool { return late.ended() || caughtUp() })
		if late.ended() {
			if said := late.said(); late.exit(t) != 1 || !strings.Contains(said, filepath.Base(filepath.Dir(path))) {
				t.Fatalf("it ended without a word of %s:\n%s", path, said)
			}
			n.start(late)
		}
		n.complete()
		eventually(t, late.name+" has caught up", caughtUp)
		n.sameState()
	}
}

var cutLog = regexp.MustCompile(`compacting logs.*\bto=(\d+)`)

// logCutUpTo is the last entry that the node says it has dropped from its log.
func (one *node) logCutUpTo() (index uint64) {
	for _, cut := range cutLog.FindAllStringSubmatch(one.said(), -1) {
		index, _ = strconv.ParseUint(cut[1], 10, 64)
	}
	return index
}

// received waits until a node receives a snapshot, and returns its file.
func (n *nodes) received(one *node) string {
	n.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		found, err := filepath.Glob(filepath.Join(n.dir, one.data, "groups", "0", "snapshots", "install-*"))
		if err != nil {
			n.t.Fatal(err)
		}
		if len(found) > 0 {
			return found[0]
		}
		select {
		case <-tick.C:
		case <-deadline:
			n.t.Fatalf("no snapshot comes to %s", one.name)
		}
	}
}
