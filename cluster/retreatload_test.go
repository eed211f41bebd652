package cluster

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/task"
)

// TestDisksThatHangNowAndThen: of several nodes, for a moment or until others have noticed, while tasks are submitted.
func TestDisksThatHangNowAndThen(t *testing.T) {
	c, gates := startPatient(t, 3, LogWAL)
	stop := c.submitEverywhere()
	until := []func(n *testNode) bool{
		func(*testNode) bool { return true },
		func(n *testNode) bool { return n.watchdog.hangs() },
		func(n *testNode) bool { return n.raft.State() != raft.Leader },
	}
	for i := range 12 {
		n := c.leader()
		if i%4 == 3 {
			n = c.followers()[0]
		}
		var release func()
		if i%2 == 0 {
			release = holdDisk(t, n).release
		} else {
			release = gates[n.name].close()
		}
		least := time.NewTimer(rand.N(200 * time.Millisecond))
		<-least.C
		eventually(t, "the hang is noticed", func() bool { return until[i%len(until)](n) })
		release()
	}
	kept := append(c.submit(3), stop()...)
	t.Logf("%d tasks were acknowledged", len(kept))
	c.sameState()
	if i := slices.IndexFunc(c.nodes, func(n *testNode) bool { return n.streams.isCutOff() }); i >= 0 {
		t.Errorf("%s is cut off", c.nodes[i].name)
	}
	c.mustHave(kept)
}

// submitEverywhere submits tasks from several sides, each at whichever node takes it, until what it returns is called;
// that gives those which were acknowledged.
func (c *liveCluster) submitEverywhere() (stop func() []task.ID) {
	ctx, cancel := context.WithCancel(c.t.Context())
	var work sync.WaitGroup
	var mu sync.Mutex
	var kept []task.ID
	nodes := c.nodes
	for range 8 {
		work.Go(func() {
			for ctx.Err() == nil {
				if id, ok := submitAtOne(ctx, nodes); ok {
					mu.Lock()
					kept = append(kept, id)
					mu.Unlock()
				}
			}
		})
	}
	stop = func() []task.ID {
		cancel()
		work.Wait()
		return kept
	}
	c.t.Cleanup(func() { stop() })
	return stop
}

// submitAtOne submits a task at the first of some nodes that acknowledges it within a second.
func submitAtOne(ctx context.Context, nodes []*testNode) (task.ID, bool) {
	ctx, done := context.WithTimeout(ctx, time.Second)
	defer done()
	spec := task.Spec{ID: task.NewID(), Type: "t"}
	for _, n := range nodes {
		if receipts, err := n.Submit(ctx, []task.Spec{spec}, false); err == nil && receipts[0].Err == nil {
			return spec.ID, true
		}
	}
	return task.ID{}, false
}
