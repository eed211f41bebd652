package cluster

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/task"
)

// floodgate is a way to a disk that can be shut.
type floodgate struct {
	mu   sync.Mutex
	shut chan struct{}
}

func (g *floodgate) pass(write func() error) error {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		<-shut
	}
	return write()
}

// close has whatever comes wait until the function returned is called.
func (g *floodgate) close() (open func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	shut := make(chan struct{})
	g.shut = shut
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.shut = nil
		close(shut)
	})
}

// startPatient starts nodes that would wait for their disks for ever, and gives the way of each to its database.
func startPatient(t *testing.T, voters int, kind LogKind) (*liveCluster, map[string]*floodgate) {
	gates := make(map[string]*floodgate)
	return startCluster(t, voters, func(cfg *Config) {
		cfg.LogStore, cfg.StorageTimeout = kind, time.Hour
		gates[cfg.Name] = &floodgate{}
		cfg.storing = gates[cfg.Name].pass
	}), gates
}

func TestLeaderWhoseLogHangsIsReplaced(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind LogKind) {
		c, _ := startPatient(t, 3, kind)
		for range 2 {
			c.outlives(func(n *testNode) func() { return holdDisk(t, n).release })
		}
	})
}

// TestLeaderWhoseMainLoopHangsIsReplaced: a configuration is stored before Raft goes on, so it cannot even step down.
func TestLeaderWhoseMainLoopHangsIsReplaced(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind LogKind) {
		c, _ := startPatient(t, 3, kind)
		c.outlives(func(n *testNode) func() {
			release := holdDisk(t, n).release
			n.raft.AddNonvoter("00000000000000000000000000000001", "127.0.0.1:1", 0, 0)
			return release
		})
	})
}

func TestLeaderWhoseDatabaseHangsIsReplaced(t *testing.T) {
	c, gates := startPatient(t, 3, LogWAL)
	for range 2 {
		c.outlives(func(n *testNode) func() { return gates[n.name].close() })
	}
}

// outlives has the leader's disk hang, and wants another node to lead and to acknowledge meanwhile, the old one to send
// everyone away, and, when its disk is back, all to have the same state with whatever was acknowledged.
func (c *liveCluster) outlives(hang func(*testNode) (release func())) {
	t := c.t
	t.Helper()
	kept := c.submit(3)
	c.sameState()
	old := c.leader()
	release := hang(old)
	defer release()
	begun := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	spec := task.Spec{ID: task.NewID(), Type: "t"}
	submitted, claimed := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := old.Submit(ctx, []task.Spec{spec}, false)
		submitted <- err
	}()
	go func() {
		claim := task.ClaimRequest{Session: task.NewSessionID(), WorkerID: "w", Max: 1, Queues: []string{"elsewhere"},
			Wait: patience, Lease: time.Minute}
		_, err := old.Claim(ctx, claim)
		claimed <- err
	}()
	eventually(t, "another node leads", func() bool { return c.leader() != old })
	led := time.Since(begun)
	kept = append(kept, c.submit(3)...)
	t.Logf("another node leads after %s and acknowledges after %s", led, time.Since(begun))
	if err := <-submitted; !errors.Is(err, task.ErrUnknownOutcome) || ctx.Err() != nil {
		t.Errorf("a submit to the node that hangs: %v", err)
	}
	if err := <-claimed; !errors.Is(err, task.ErrNotLeader) {
		t.Errorf("a claim that waited at the node that hangs: %v", err)
	}
	c.sendsAway(old)
	release()
	eventually(t, old.name+" follows", func() bool {
		address, _ := old.Leader()
		return address == c.leader().address
	})
	c.mustSubmit(spec)
	c.sameState()
	c.mustHave(append(kept, spec.ID))
	select {
	case err := <-old.Done():
		t.Errorf("%s ended: %v", old.name, err)
	default:
	}
}

// sendsAway checks that a node refuses to write and to read at once.
func (c *liveCluster) sendsAway(n *testNode) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := n.Submit(ctx, []task.Spec{{ID: task.NewID(), Type: "t"}}, false)
	_, _, readErr := n.Get(ctx, task.Query{IDs: []task.ID{task.NewID()}})
	for _, err := range []error{err, readErr} {
		if !errors.Is(err, task.ErrNotLeader) && !errors.Is(err, task.ErrNoLeader) {
			c.t.Errorf("%s, whose disk hangs, answers: %v", n.name, err)
		}
	}
}

// TestFollowerWhoseDiskHangsStaysConnected: only who leads keeps away from the others.
func TestFollowerWhoseDiskHangsStaysConnected(t *testing.T) {
	c, gates := startPatient(t, 3, LogWAL)
	c.submit(1)
	slow := c.followers()[0]
	release := gates[slow.name].close()
	defer release()
	kept := c.submit(3)
	eventually(t, "the hang is noticed", slow.watchdog.hangs)
	kept = append(kept, c.submit(3)...)
	if slow.streams.isCutOff() {
		t.Error("a follower has cut itself off")
	}
	release()
	c.sameState()
	c.mustHave(kept)
}

// TestLeaderWhoseLogFailedHearsOfALaterTerm: it cannot store the term, which Raft answers with a panic.
func TestLeaderWhoseLogFailedHearsOfALaterTerm(t *testing.T) {
	c := startCluster(t, 3, func(cfg *Config) { cfg.LogStore = LogBolt })
	c.submit(1)
	old, others := c.leader(), c.followers()
	files := old.logs.files
	if timed, ok := files.(timedFiles); ok {
		files = timed.logFiles
	}
	if err := files.(io.Closer).Close(); err != nil { // as if the file had gone bad
		t.Fatal(err)
	}
	old.raft.Barrier(0)
	if err := <-old.Done(); err == nil {
		t.Error("a log that cannot be written is no error")
	}
	term := old.raft.CurrentTerm()
	c.net.isolate(old.ID(), ids(others...)...)
	eventually(t, "another leader", func() bool {
		return others[0].raft.State() == raft.Leader || others[1].raft.State() == raft.Leader
	})
	c.net.heal()
	eventually(t, old.name+" is no leader", func() bool { return old.raft.State() != raft.Leader })
	c.submit(3)
	if got := old.raft.CurrentTerm(); got != term {
		t.Errorf("the term became %d, which is not stored; it was %d", got, term)
	}
	closed := make(chan struct{})
	node := old.Node
	go func() { node.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(patience):
		t.Fatal("the node cannot be closed")
	}
	old.Node = nil
	old.dir.Close()
	old.dir = nil
}

// silentPipeline is a pipeline without answers.
type silentPipeline struct {
	raft.AppendPipeline
	closed chan struct{}
	once   sync.Once
}

func (p *silentPipeline) Consumer() <-chan raft.AppendFuture { return nil }

func (p *silentPipeline) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// TestPipelineEndsWhenTheNodeIsCutOff: Raft, which waits for room to send more, could else never be shut down.
func TestPipelineEndsWhenTheNodeIsCutOff(t *testing.T) {
	ctx, cutOff := context.WithCancel(context.Background())
	p := &silentPipeline{closed: make(chan struct{})}
	holdBack(ctx, p, nil)
	cutOff()
	select {
	case <-p.closed:
	case <-time.After(patience):
		t.Error("the pipeline is still open")
	}
}
