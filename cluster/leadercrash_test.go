package cluster

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/task"
)

// heldDisk is a node whose log cannot be written.
type heldDisk struct {
	n       *testNode
	release func()
	image   string // what its disk will hold after the crash
}

// holdDisk keeps a node's log from being written. The database is written on, but unsynced: of that a crash leaves what
// there is now.
func holdDisk(t testing.TB, n *testNode) *heldDisk {
	t.Helper()
	d := &heldDisk{n: n, image: t.TempDir()}
	copyFiles(t, d.path(storeName), filepath.Join(d.image, storeName))
	files := n.logs.files
	if timed, ok := files.(timedFiles); ok {
		files = timed.logFiles
	}
	if w, ok := files.(*walLog); ok {
		w.using.Lock()
		d.release = sync.OnceFunc(w.using.Unlock)
	} else {
		d.release = block(t, n.logs)
	}
	return d
}

// lose cuts a held node off for good: what it has not written by now is lost, and it says no more.
func (d *heldDisk) lose(c *liveCluster) {
	c.t.Helper()
	for _, other := range c.nodes {
		if other != d.n {
			c.net.isolate(d.n.dir.NodeID(), other.dir.NodeID())
		}
	}
	eventually(c.t, d.n.name+" leads no more", func() bool { return d.n.raft.State() != raft.Leader })
	copyFiles(c.t, d.path(d.log()), filepath.Join(d.image, d.log()))
}

func (d *heldDisk) log() string { return d.n.cfg.LogStore.fileName() }

func (d *heldDisk) path(name string) string { return filepath.Join(d.n.path, "groups", "0", name) }

// crash stops a node that was lost and puts back what its disk held.
func (d *heldDisk) crash(c *liveCluster) {
	c.t.Helper()
	log := d.log()
	d.release()
	c.crash(d.n)
	for _, name := range []string{log, storeName} {
		if err := os.RemoveAll(d.path(name)); err != nil {
			c.t.Fatal(err)
		}
		copyFiles(c.t, filepath.Join(d.image, name), d.path(name))
	}
}

// copyFiles copies a file, or the files of a directory. Zeros at the end of a file become a hole.
func copyFiles(t testing.TB, from, to string) {
	t.Helper()
	entries, err := os.ReadDir(from)
	if err == nil {
		if err := os.Mkdir(to, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			copyFiles(t, filepath.Join(from, e.Name()), filepath.Join(to, e.Name()))
		}
		return
	}
	b, err := os.ReadFile(from)
	if err == nil {
		if err = os.WriteFile(to, bytes.TrimRight(b, "\x00"), 0o600); err == nil {
			err = os.Truncate(to, int64(len(b)))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestLeaderCrashesBeforeItsDisk has leaders crash, alone or with a follower, while their log is not written, under
// partitions: what was acknowledged before stays, when of each crashed node only that survives which its disk held.
func TestLeaderCrashesBeforeItsDisk(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind LogKind) {
		rounds := 12
		if testing.Short() {
			rounds = 4
		}
		c := startCluster(t, 3, func(cfg *Config) { cfg.LogStore = kind })
		chance := rand.New(rand.NewPCG(7, uint64(len(kind))))
		var kept []task.ID
		for round := range rounds {
			kept = append(kept, c.submit(1)...)
			c.sameState()
			trouble := crashRound{liveCluster: c, cutOff: round%2 == 0, both: round%4 == 0, late: chance.IntN(2) == 0, tasks: 1 + chance.IntN(4)}
			kept = append(kept, trouble.run()...)
			kept = append(kept, c.submit(1)...)
			c.sameState()
			c.mustHave(kept)
			if t.Failed() {
				t.Fatalf("round %d: %+v", round, trouble)
			}
		}
	})
}

// crashRound is what happens to a cluster of three between two moments at which it is whole.
type crashRound struct {
	*liveCluster
	cutOff bool // one follower hears nothing
	both   bool // the other follower crashes after the leader, and comes back last
	late   bool // the leader is cut off, and deposed if there is a majority, before it crashes
	tasks  int
}

// run returns what was acknowledged before the crash.
func (r *crashRound) run() []task.ID {
	r.t.Helper()
	leader, others := r.leader(), r.followers()
	near, far := others[0], others[1]
	if r.cutOff {
		r.net.isolate(far.ID(), ids(leader, near)...)
	}
	before := leader.raft.LastIndex()
	disk := holdDisk(r.t, leader)
	defer disk.release()
	acknowledged := r.submitTo(leader)
	eventually(r.t, "the entries of "+leader.name+" are on the disk of "+near.name, func() bool {
		return near.raft.LastIndex() > before && near.logs.awaitDurable(ended(), near.raft.LastIndex()) == nil
	})
	r.beats(leader)
	if r.late {
		r.net.isolate(leader.ID(), ids(near, far)...)
		if !r.cutOff {
			eventually(r.t, "another leader", func() bool {
				return near.raft.State() == raft.Leader || far.raft.State() == raft.Leader
			})
			r.net.heal()
		}
	}
	disk.lose(r.liveCluster)
	kept := acknowledged()
	disk.crash(r.liveCluster)
	if r.both {
		r.crash(near)
	}
	r.net.heal()
	r.start(leader, nil)
	if r.both {
		kept = append(kept, r.submit(1)...) // the two others decide what the log is
		r.start(near, nil)
	}
	return kept
}

// submitTo submits tasks to a node, each on its own. The function returned says which were acknowledged until it was called.
func (r *crashRound) submitTo(n *testNode) (acknowledged func() []task.ID) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r.t.Cleanup(cancel)
	node := n.Node
	var late atomic.Bool
	var mu sync.Mutex
	var kept []task.ID
	for i := range r.tasks {
		go func() {
			spec := task.Spec{ID: task.NewID(), Type: "t", Payload: []byte(fmt.Sprint(i))}
			receipts, err := node.Submit(ctx, []task.Spec{spec}, false)
			mu.Lock()
			defer mu.Unlock()
			if err == nil && receipts[0].Err == nil && !late.Load() {
				kept = append(kept, spec.ID)
			}
		}()
	}
	return func() []task.ID {
		mu.Lock()
		defer mu.Unlock()
		late.Store(true)
		return kept
	}
}

// beats waits until the leader was answered a few times since.
func (r *liveCluster) beats(n *testNode) {
	r.t.Helper()
	contacts := n.transport.contacts
	for range 4 {
		begun := contacts.begin()
		eventually(r.t, n.name+" is answered", func() bool {
			contacts.mu.Lock()
			defer contacts.mu.Unlock()
			for _, last := range contacts.last {
				if last.begun > begun {
					return true
				}
			}
			return false
		})
	}
}
