package outage

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/haiku-queue/haiku/member"
)

// TestLostParts takes a part of its directory from a node: without its log or its database it does not start. After a
// reset it joins under a new id, the old one is removed, and in the end all states are equal.
func TestLostParts(t *testing.T) {
	t.Parallel()
	n := startNodes(t, 3, quick)
	l := startLoad(n, 2*shortLease)
	l.more(100)

	// The log is lost. The new node gets a new address; the old one is removed later.
	broken := n.list[2]
	old := n.lose(broken, "wal")
	broken.address, broken.join = freeAddress(t), n.list[1].address
	n.start(broken)
	n.serving(broken)
	n.remove(old)
	n.complete()
	l.more(100)
	n.sameState()

	// The database is lost, of the node that founded the cluster. The old one is removed first, so the address can stay.
	broken = n.list[0]
	old = n.lose(broken, "store")
	n.remove(old)
	broken.join = n.list[1].address
	n.start(broken)
	n.complete()
	l.mustBeThere(l.snapshot(), broken)
	n.sameState()
	l.finish()
	n.sameState()
}

// lose kills a node, takes a part of its directory away, sees the node refuse to start, and resets the directory. It
// returns the id that the node had.
func (n *nodes) lose(one *node, part string) member.ID {
	n.t.Helper()
	status, err := n.status(one)
	if err != nil {
		n.t.Fatal(err)
	}
	one.kill(n.t)
	path := filepath.Join(n.dir, one.data, "groups", "0", part)
	if _, err := os.Stat(path); err != nil {
		n.t.Fatal(err)
	}
	if err := os.RemoveAll(path); err != nil {
		n.t.Fatal(err)
	}
	n.start(one)
	one.refused(n.t, part, "haikud reset")
	command(n.t, n.dir, haikud, "reset", "--data-dir", one.data)
	return status.NodeID
}

// remove takes a member out of the cluster.
func (n *nodes) remove(id member.ID) {
	n.t.Helper()
	if err := n.c.Remove(n.t.Context(), id); err != nil {
		n.t.Fatalf("remove %s: %v", id, err)
	}
}
