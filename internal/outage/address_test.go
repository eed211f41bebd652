package outage

import (
	"context"
	"testing"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/member"
)

// move has a node that is down come back under another address.
func (n *nodes) move(one *node) {
	n.t.Helper()
	one.kill(n.t)
	one.address = freeAddress(n.t)
	n.start(one)
	n.serving(one)
	for _, other := range n.list {
		n.await(other, "sees "+one.name+" at its new address", func(s member.Status) bool {
			for _, m := range s.Members {
				if m.Name == one.name {
					return m.Address == one.address
				}
			}
			return false
		})
	}
}

// TestSoloNodeMoves: a solo node that is started under another address is its cluster's member there, and others join it.
func TestSoloNodeMoves(t *testing.T) {
	t.Parallel()
	n := startNodes(t, 1, quick)
	n.move(n.list[0])
	second := &node{name: "n2", data: "n2", address: freeAddress(t), join: n.list[0].address}
	n.list = append(n.list, second)
	n.start(second)
	n.complete()
}

// TestMemberMoves: the others of a cluster learn the new address of one that follows and of one that led.
func TestMemberMoves(t *testing.T) {
	t.Parallel()
	n := startNodes(t, 3, quick)
	leader, others := n.leader()
	n.move(others[0])
	n.complete()
	n.move(leader)
	n.complete()
	n.c = dial(t, client.Config{Addrs: n.addresses(0)})
	n.sameState()
}

// TestRemovedNodeIsStarted: a node that was removed while it was down finds out, says what to do and ends, and the
// cluster does not notice; with tokens, too, which hide from it who is a member.
func TestRemovedNodeIsStarted(t *testing.T) {
	t.Parallel()
	_, admin := client.MakeToken()
	for name, token := range map[string]string{"open": "", "tokens": admin} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := startGuarded(t, 3, quick, token)
			leader, others := n.leader()
			gone := others[0]
			id := nodeID(n, gone)
			gone.kill(t)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := n.c.Remove(ctx, id); err != nil {
				t.Fatal(err)
			}
			before, err := n.status(leader)
			if err != nil {
				t.Fatal(err)
			}
			n.start(gone)
			gone.refused(t, "was removed from its cluster", "haikud reset")
			if after, err := n.status(leader); err != nil || after.Term != before.Term || len(after.Members) != 2 {
				t.Errorf("it was term %d, and now: %+v, %v", before.Term, after, err)
			}
		})
	}
}

func nodeID(n *nodes, one *node) member.ID {
	n.t.Helper()
	s, err := n.status(one)
	if err != nil {
		n.t.Fatal(err)
	}
	return s.NodeID
}
