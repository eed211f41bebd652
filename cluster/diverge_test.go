package cluster

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/member"
)

// These tests show hashicorp/raft#695 on the stock transport, and that ours does not have it. Three real Raft nodes
// talk over TCP. No timer decides anything: elections are asked for with TimeoutNow, and the one heartbeat that matters
// is sent by the test, exactly as the new leader would.

// journal is an FSM that remembers what it applied.
type journal struct {
	mu      sync.Mutex
	applied []string
}

func (j *journal) Apply(l *raft.Log) any {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.applied = append(j.applied, string(l.Data))
	return nil
}

func (j *journal) Snapshot() (raft.FSMSnapshot, error) { return nil, raft.ErrNothingNewToSnapshot }
func (j *journal) Restore(io.ReadCloser) error         { return errors.New("not part of this test") }

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.applied)
}

// gate is a log store whose next StoreLogs can be held.
type gate struct {
	*raft.InmemStore
	mu      sync.Mutex
	entered chan struct{} // not nil: the next StoreLogs closes it and waits
	release chan struct{}
}

func (g *gate) StoreLogs(logs []*raft.Log) error {
	g.mu.Lock()
	entered, release := g.entered, g.release
	g.entered = nil
	g.mu.Unlock()
	if entered != nil {
		close(entered)
		<-release
	}
	return g.InmemStore.StoreLogs(logs)
}

func (g *gate) hold() (entered, release chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.entered, g.release = make(chan struct{}), make(chan struct{})
	return g.entered, g.release
}

type trialNode struct {
	id    member.ID
	layer *streamLayer
	raft  *raft.Raft
	log   *gate
	fsm   journal
}

// trial is three nodes and a fourth stream layer through which the test speaks to them.
type trial struct {
	t       *testing.T
	peers   roster
	nodes   []*trialNode // A, B, C
	control *raft.NetworkTransport
	mu      sync.Mutex
	cut     raft.ServerAddress // cannot be dialed, and dials nobody
}

type makeTransport func(raft.StreamLayer) raft.Transport

func stockTransport(l raft.StreamLayer) raft.Transport {
	return raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: l, MaxPool: pooledConns, Timeout: rpcTimeout, Logger: hclog.NewNullLogger()})
}

func ourTransport(l raft.StreamLayer) raft.Transport {
	t := newSafeTransport(l, nil, func(context.Context, uint64) error { return nil }, hclog.NewNullLogger())
	t.intake.begin(t.NetworkTransport.Consumer(), func() (raft.ServerAddress, bool) { return "", false })
	return t
}

func newTrial(t *testing.T, transport makeTransport) *trial {
	tr := &trial{t: t, peers: roster{}}
	var servers []raft.Server
	for _, id := range []member.ID{{0xa}, {0xb}, {0xc}} {
		n := &trialNode{id: id, log: &gate{InmemStore: raft.NewInmemStore()}}
		n.layer = layer(t, id, testCluster, tr.peers, func(s *streamLayer) { s.dial = tr.dialFrom(s) })
		tr.nodes = append(tr.nodes, n)
		servers = append(servers, raft.Server{ID: raft.ServerID(id.String()), Address: address(n.layer)})
	}
	for _, n := range tr.nodes {
		tr.peers[address(n.layer)] = n.id
	}
	l := layer(t, member.ID{0xee}, testCluster, tr.peers, nil)
	tr.control = stockTransport(l).(*raft.NetworkTransport)
	t.Cleanup(func() { tr.control.Close() })
	for _, n := range tr.nodes {
		tr.start(n, transport, raft.Configuration{Servers: servers})
	}
	return tr
}

func (tr *trial) start(n *trialNode, transport makeTransport, conf raft.Configuration) {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(n.id.String())
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = time.Minute, time.Minute, time.Minute
	c.CommitTimeout = 5 * time.Millisecond
	c.Logger = hclog.NewNullLogger()
	trans := transport(n.layer)
	snaps := raft.NewDiscardSnapshotStore()
	if err := raft.BootstrapCluster(c, n.log, n.log, snaps, trans, conf); err != nil {
		tr.t.Fatal(err)
	}
	r, err := raft.NewRaft(c, &n.fsm, n.log, n.log, snaps, trans)
	if err != nil {
		tr.t.Fatal(err)
	}
	n.raft = r
	tr.t.Cleanup(func() {
		if err := r.Shutdown().Error(); err != nil {
			tr.t.Error(err)
		}
	})
}

// dialFrom refuses to cross the cut.
func (tr *trial) dialFrom(from *streamLayer) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, to string) (net.Conn, error) {
		tr.mu.Lock()
		cut := tr.cut != "" && (tr.cut == address(from) || tr.cut == raft.ServerAddress(to))
		tr.mu.Unlock()
		if cut {
			return nil, errors.New("cut off")
		}
		return new(net.Dialer).DialContext(ctx, "tcp", to)
	}
}

// isolate cuts a node off from the others, or heals the cut with nil. The test itself still reaches it.
func (tr *trial) isolate(n *trialNode) {
	tr.mu.Lock()
	tr.cut = ""
	if n != nil {
		tr.cut = address(n.layer)
	}
	tr.mu.Unlock()
	if n != nil {
		n.layer.closeStreams()
		tr.control.CloseStreams() // forget the pooled ones that just ended
	}
}

// elect makes a node leader and returns its term.
func (tr *trial) elect(n *trialNode) uint64 {
	tr.t.Helper()
	var resp raft.TimeoutNowResponse
	req := raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}}
	if err := tr.control.TimeoutNow("", address(n.layer), &req, &resp); err != nil {
		tr.t.Fatal(err)
	}
	eventually(tr.t, "a leader", func() bool { return n.raft.State() == raft.Leader })
	return n.raft.CurrentTerm()
}

// heartbeat sends a node the heartbeat that leader sends in term.
func (tr *trial) heartbeat(to, leader *trialNode, term uint64) error {
	addr := []byte(address(leader.layer))
	req := raft.AppendEntriesRequest{
		RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(leader.id.String()), Addr: addr},
		Term:      term, Leader: addr,
	}
	return tr.control.AppendEntries("", address(to.layer), &req, new(raft.AppendEntriesResponse))
}

func (tr *trial) apply(n *trialNode, command string) error {
	return n.raft.Apply([]byte(command), 0).Error()
}

// led is a trial in which A leads and everyone has applied a first command.
func led(t *testing.T, transport makeTransport) (tr *trial, a, b *trialNode) {
	t.Helper()
	tr = newTrial(t, transport)
	tr.elect(tr.nodes[0])
	if err := tr.apply(tr.nodes[0], "before"); err != nil {
		t.Fatal(err)
	}
	for _, n := range tr.nodes {
		eventually(t, "the first command everywhere", func() bool { return slices.Equal(n.fsm.all(), []string{"before"}) })
	}
	return tr, tr.nodes[0], tr.nodes[1]
}

// deposed lets the leader A be cut off, B be elected in its place, A hear of that by one heartbeat and then be given a
// command. It returns what A and B have applied once all are together again, and the entry that each has where B's
// first stands.
func deposed(t *testing.T, transport makeTransport) (applied [2][]string, entry [2]raft.Log) {
	tr, a, b := led(t, transport)
	index := a.raft.LastIndex() + 1

	tr.isolate(a)
	term := tr.elect(b)
	if err := tr.heartbeat(a, b, term); err != nil {
		t.Fatal(err)
	}
	if err := tr.apply(a, "stale"); err == nil {
		t.Fatal("a deposed leader committed a command alone")
	}
	tr.isolate(nil)
	if err := tr.apply(b, "after"); err != nil {
		t.Fatal(err)
	}
	for i, n := range []*trialNode{a, b} {
		eventually(t, "the last command", func() bool { return slices.Contains(n.fsm.all(), "after") })
		applied[i] = n.fsm.all()
		if err := n.log.GetLog(index, &entry[i]); err != nil {
			t.Fatal(err)
		}
	}
	return applied, entry
}

func TestStockTransportDiverges(t *testing.T) {
	applied, entry := deposed(t, stockTransport)
	if entry[0].Term != entry[1].Term || bytes.Equal(entry[0].Data, entry[1].Data) {
		t.Errorf("entries %+v and %+v: the stock transport no longer mixes the terms up; is safeTransport still needed?",
			entry[0], entry[1])
	}
	if slices.Equal(applied[0], applied[1]) {
		t.Errorf("both applied %q: the stock transport no longer diverges; is safeTransport still needed?", applied[0])
	}
}

func TestSafeTransportDoesNotDiverge(t *testing.T) {
	applied, entry := deposed(t, ourTransport)
	if !slices.Equal(applied[0], applied[1]) || !slices.Equal(applied[1], []string{"before", "after"}) {
		t.Errorf("A applied %q, B applied %q", applied[0], applied[1])
	}
	if entry[0].Term != entry[1].Term || entry[0].Type != entry[1].Type || !bytes.Equal(entry[0].Data, entry[1].Data) {
		t.Errorf("A has %+v where B has %+v", entry[0], entry[1])
	}
}

// inDispatch sends the leader A a heartbeat of a later term while its main loop is writing an entry, and reports
// whether it was answered, and with that the term raised, before the write had ended.
func inDispatch(t *testing.T, transport makeTransport, patience time.Duration) bool {
	tr, a, b := led(t, transport)
	tr.isolate(a)
	term := tr.elect(b)

	entered, release := a.log.hold()
	future := a.raft.Apply([]byte("x"), 0)
	<-entered
	answered := make(chan error, 1)
	go func() { answered <- tr.heartbeat(a, b, term) }()
	early := false
	select {
	case err := <-answered:
		early = true
		if raised := a.raft.CurrentTerm(); err != nil || raised != term {
			t.Errorf("answered in term %d, want %d: %v", raised, term, err)
		}
	case <-time.After(patience):
	}
	close(release)
	if err := future.Error(); err == nil {
		t.Error("a deposed leader committed a command alone")
	}
	if !early {
		if err := <-answered; err != nil {
			t.Error(err)
		}
	}
	var last raft.Log
	if err := a.log.GetLog(a.raft.LastIndex(), &last); err != nil || string(last.Data) != "x" || last.Term >= term {
		t.Errorf("A's last entry is %+v: %v", last, err)
	}
	return early
}

func TestHeartbeatWaitsForTheMainLoop(t *testing.T) {
	if !inDispatch(t, stockTransport, 30*time.Second) {
		t.Error("the stock transport no longer answers heartbeats beside the main loop")
	}
	if inDispatch(t, ourTransport, 300*time.Millisecond) {
		t.Error("a heartbeat changed the term while the main loop was writing an entry")
	}
}
