package outage

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/member"
)

// quick are timeouts that make elections short. Those of the tests are no shorter, for a sync of the log on a busy disk
// must not look like a dead leader.
var quick = []string{
	"HAIKU_RAFT_HEARTBEAT_TIMEOUT=500ms", "HAIKU_RAFT_ELECTION_TIMEOUT=500ms", "HAIKU_RAFT_LEADER_LEASE_TIMEOUT=400ms",
}

// node is one haikud with its data directory, which outlives the process.
type node struct {
	*process
	name    string
	address string
	data    string // directory, relative to the cluster's
	join    string // address; empty for the one that founds the cluster
	http    string // address that serves HTTP; empty for none
}

// nodes are the haikud processes of one cluster.
type nodes struct {
	t    testing.TB
	dir  string
	env  []string
	list []*node
	c    *client.Client // knows all addresses

	token string // the first admin's; empty for a cluster without tokens
}

// startNodes starts a cluster of so many voters.
func startNodes(t testing.TB, count int, env []string) *nodes { return startGuarded(t, count, env, "") }

// startGuarded starts a cluster whose first admin has a token, if it is not empty.
func startGuarded(t testing.TB, count int, env []string, token string) *nodes {
	t.Helper()
	return launch(t, count, env, token, false)
}

// startServing starts a cluster whose nodes serve HTTP.
func startServing(t testing.TB, count int, env []string) *nodes {
	t.Helper()
	return launch(t, count, env, "", true)
}

func launch(t testing.TB, count int, env []string, token string, http bool) *nodes {
	t.Helper()
	n := &nodes{t: t, dir: t.TempDir(), env: env, token: token}
	if err := os.WriteFile(filepath.Join(n.dir, "token"), []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range count {
		one := &node{name: fmt.Sprintf("n%d", i+1), address: freeAddress(t)}
		one.data = one.name
		if http {
			one.http = freeAddress(t)
		}
		if i > 0 {
			one.join = n.list[0].address
		}
		n.list = append(n.list, one)
	}
	n.c = dial(t, client.Config{Addrs: n.addresses(0), Token: token})
	for _, one := range n.list {
		n.start(one)
		n.serving(one)
	}
	n.complete()
	return n
}

// dial makes a client that is closed at the end of the test.
func dial(t testing.TB, cfg client.Config) *client.Client {
	t.Helper()
	cfg.Name, cfg.Logger = "outage", slog.New(slog.NewTextHandler(io.Discard, nil))
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// start starts a node, the first time or again.
func (n *nodes) start(one *node) {
	n.t.Helper()
	args := []string{"--data-dir", one.data, "--listen", one.address, "--node-name", one.name}
	if one.join == "" {
		args = append(args, "--bootstrap")
	} else {
		args = append(args, "--join", one.join)
	}
	if one.http != "" {
		args = append(args, "--http-listen", one.http)
	}
	switch {
	case n.token == "":
	case one.join == "":
		args = append(args, "--bootstrap-token-file", "token")
	default:
		args = append(args, "--token-file", "token")
	}
	one.process = start(n.t, n.dir, n.env, haikud, args...)
}

// addresses lists all nodes, beginning with one of them.
func (n *nodes) addresses(first int) (list []string) {
	for i := range n.list {
		list = append(list, n.list[(first+i)%len(n.list)].address)
	}
	return list
}

// status asks one node for its view.
func (n *nodes) status(one *node) (member.Status, error) {
	ctx, cancel := context.WithTimeout(n.t.Context(), time.Second)
	defer cancel()
	return n.c.StatusOf(ctx, one.address)
}

// await asks a node until its view is as wanted. The node has to run.
func (n *nodes) await(one *node, what string, wanted func(member.Status) bool) {
	n.t.Helper()
	eventually(n.t, one.name+" "+what, func() bool {
		if one.ended() {
			n.t.Fatalf("%s has ended\n%s", one.name, one.said())
		}
		s, err := n.status(one)
		return err == nil && wanted(s)
	})
}

// serving waits until a node answers and knows a leader.
func (n *nodes) serving(one *node) {
	n.t.Helper()
	n.await(one, "knows a leader", func(s member.Status) bool { return s.LeaderAddress != "" })
}

// complete waits until every node sees all nodes as voters, and a leader.
func (n *nodes) complete() {
	n.t.Helper()
	for _, one := range n.list {
		n.await(one, "sees all voters", n.allVote)
	}
}

func (n *nodes) allVote(s member.Status) bool {
	voters := 0
	for _, m := range s.Members {
		if m.Voter {
			voters++
		}
	}
	return voters == len(n.list) && voters == len(s.Members) && s.LeaderAddress != ""
}

// leader waits until the running nodes agree on a leader among them, and returns it and the others.
func (n *nodes) leader() (leader *node, others []*node) {
	n.t.Helper()
	eventually(n.t, "a leader", func() bool {
		leader, others = nil, nil
		var term uint64
		for _, one := range n.list {
			if one.ended() {
				continue
			}
			s, err := n.status(one)
			if err != nil || s.LeaderAddress == "" || term != 0 && s.Term != term {
				return false
			}
			if term = s.Term; s.LeaderAddress == one.address {
				leader = one
			} else {
				others = append(others, one)
			}
		}
		return leader != nil
	})
	return leader, others
}

// sameState has every node hash its state at one index of the log, and compares.
func (n *nodes) sameState() {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	defer cancel()
	index, err := n.c.Mark(ctx)
	if err != nil {
		n.t.Fatalf("mark: %v", err)
	}
	hashes := make(map[string][]string)
	for _, one := range n.list {
		n.await(one, "hashes its state", func(s member.Status) bool {
			if s.LastMark == nil || s.LastMark.Index != index || s.LastMark.StateHash == "" {
				return false
			}
			hashes[s.LastMark.StateHash] = append(hashes[s.LastMark.StateHash], one.name)
			return true
		})
	}
	if len(hashes) != 1 {
		n.t.Errorf("states differ at entry %d: %v", index, hashes)
	}
}
