package cluster

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// patience is how long a test waits for a condition that has to come about.
const patience = 60 * time.Second

// startTimeout is how long followers wait for a leader's word in tests, if these do not say otherwise.
const startTimeout = 400 * time.Millisecond

// liveCluster is a cluster in this process: real TCP, real Raft, real RocksDB.
type liveCluster struct {
	t     testing.TB
	net   *faultNet
	nodes []*testNode
	tune  func(*Config)
}

// testNode is one node and what it needs to be stopped and started again.
type testNode struct {
	*Node
	path    string
	address string
	name    string

	mu   sync.Mutex
	back string
	dir  *Dir
}

// startCluster starts a cluster of so many voters. tune may change the configuration of each node.
func startCluster(t testing.TB, voters int, tune func(*Config)) *liveCluster {
	t.TempDir() // the first call decides when all of them are removed: after the nodes have stopped
	c := &liveCluster{t: t, net: newFaultNet(t), tune: tune}
	t.Cleanup(c.stop)
	first := c.add()
	c.start(first, func(cfg *Config) { cfg.Bootstrap = true })
	c.leader()
	for range voters - 1 {
		c.join(c.add())
	}
	return c
}

// add makes a node that is not started yet.
func (c *liveCluster) add() *testNode {
	n := &testNode{path: filepath.Join(c.t.TempDir(), "node"), name: fmt.Sprintf("n%d", len(c.nodes)+1)}
	n.address = c.net.front(func() string {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.back
	})
	c.nodes = append(c.nodes, n)
	return n
}

func (c *liveCluster) start(n *testNode, more func(*Config)) {
	c.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	n.mu.Lock()
	n.back = l.Addr().String()
	n.mu.Unlock()
	if n.dir == nil {
		if n.dir, err = OpenDir(n.path); err != nil {
			c.t.Fatal(err)
		}
	}
	cfg := Default()
	cfg.Dir, cfg.Raft, cfg.Advertise, cfg.Name, cfg.Version = n.dir, l, n.address, n.name, "test"
	cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	cfg.HeartbeatTimeout, cfg.ElectionTimeout, cfg.LeaderLeaseTimeout = startTimeout, startTimeout, startTimeout*3/4
	cfg.SessionGrace = 200 * time.Millisecond
	if c.tune != nil {
		c.tune(&cfg)
	}
	if more != nil {
		more(&cfg)
	}
	if n.Node, err = Open(cfg); err != nil {
		c.t.Fatalf("open %s: %v", n.name, err)
	}
}

// join starts a node and waits until it is a voter.
func (c *liveCluster) join(n *testNode) {
	c.t.Helper()
	leader := c.leader()
	var err error
	if n.dir, err = OpenDir(n.path); err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	hello := member.Join{Member: member.Member{ID: n.dir.NodeID(), Name: n.name, Address: n.address, MaxCommandVersion: fsm.MaxCommandVersion}}
	cluster, _, err := leader.Join(ctx, hello)
	if err != nil {
		c.t.Fatalf("join %s: %v", n.name, err)
	}
	if err := n.dir.Assign(cluster); err != nil {
		c.t.Fatal(err)
	}
	c.start(n, nil)
	eventually(c.t, n.name+" is a voter", func() bool {
		_, voter, err := c.leader().Join(ctx, n.Announcement())
		return err == nil && voter
	})
}

// crash stops a node as if its process had ended.
func (c *liveCluster) crash(n *testNode) {
	c.t.Helper()
	if n.Node == nil {
		return
	}
	if err := n.Close(); err != nil {
		c.t.Errorf("close %s: %v", n.name, err)
	}
	n.Node = nil
	if err := n.dir.Close(); err != nil {
		c.t.Error(err)
	}
	n.dir = nil
}

func (c *liveCluster) stop() {
	for _, n := range c.nodes {
		c.crash(n)
	}
}

// leader waits for a node that leads and is followed by a majority.
func (c *liveCluster) leader() *testNode {
	c.t.Helper()
	var found *testNode
	eventually(c.t, "a leader", func() bool {
		for _, n := range c.nodes {
			if n.Node == nil {
				continue
			}
			l, err := n.leading()
			if err != nil {
				continue
			}
			ctx, cancel := context.WithTimeout(c.t.Context(), time.Second)
			err = l.verifier.verify(ctx)
			cancel()
			if err == nil {
				found = n
				return true
			}
		}
		return false
	})
	return found
}

// followers are the running nodes that do not lead.
func (c *liveCluster) followers() (out []*testNode) {
	leader := c.leader()
	for _, n := range c.nodes {
		if n != leader && n.Node != nil {
			out = append(out, n)
		}
	}
	return out
}

// ids names nodes for the fault net.
func ids(nodes ...*testNode) (out []member.ID) {
	for _, n := range nodes {
		out = append(out, n.ID())
	}
	return out
}

// submit submits n tasks one by one, with the same id again until each is acknowledged.
func (c *liveCluster) submit(n int) []task.ID {
	c.t.Helper()
	out := make([]task.ID, n)
	for i := range out {
		spec := task.Spec{ID: task.NewID(), Type: "t", Payload: []byte(fmt.Sprint(i))}
		out[i] = spec.ID
		c.mustSubmit(spec)
	}
	return out
}

// mustSubmit submits one task, with the same id again until it is acknowledged.
func (c *liveCluster) mustSubmit(spec task.Spec) {
	c.t.Helper()
	eventually(c.t, "a submit is acknowledged", func() bool {
		receipts, err := c.leader().Submit(c.t.Context(), []task.Spec{spec}, false)
		if err == nil && receipts[0].Err != nil {
			c.t.Fatal(receipts[0].Err)
		}
		return err == nil
	})
}

// mustHave checks that every node holds every task.
func (c *liveCluster) mustHave(tasks []task.ID) {
	c.t.Helper()
	for _, n := range c.nodes {
		if n.Node == nil {
			continue
		}
		for _, id := range tasks {
			got, _, err := n.Get(c.t.Context(), task.Query{IDs: []task.ID{id}, Stale: true})
			if err != nil || len(got) != 1 {
				c.t.Fatalf("%s does not have task %s: %v", n.name, id, err)
			}
		}
	}
}

// sameState marks the log, waits until every running node has hashed its state there, and compares.
func (c *liveCluster) sameState() {
	c.t.Helper()
	var index uint64
	eventually(c.t, "a mark", func() (ok bool) {
		var err error
		index, err = c.leader().Mark(c.t.Context())
		return err == nil
	})
	hashes := make(map[string][]string)
	for _, n := range c.nodes {
		if n.Node == nil {
			continue
		}
		eventually(c.t, n.name+" has hashed its state", func() bool {
			m := n.marks.status()
			return m != nil && m.Index == index && m.StateHash != ""
		})
		hash := n.marks.status().StateHash
		hashes[hash] = append(hashes[hash], n.name)
		if err := n.Check(); err != nil {
			c.t.Errorf("%s: %v", n.name, err)
		}
	}
	if len(hashes) != 1 {
		c.t.Fatalf("states differ: %v", hashes)
	}
}

// eventually waits until a condition holds, and fails the test if it does not come about.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited %s in vain for: %s", patience, what)
		}
	}
}
