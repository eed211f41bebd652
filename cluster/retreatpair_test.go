package cluster

import (
	"context"
	"errors"
	"testing"

	"github.com/haiku-queue/haiku/task"
)

// TestPairOutlivesItsLeadersDisk: of two nodes none can lead without the other's word, which needs the log but not the
// database.
func TestPairOutlivesItsLeadersDisk(t *testing.T) {
	c, gates := startPatient(t, 2, LogWAL)
	for range 2 {
		c.outlives(func(n *testNode) func() { return gates[n.name].close() })
	}
	kept := c.submit(3)
	old := c.leader()
	release := holdDisk(t, old).release
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	spec := task.Spec{ID: task.NewID(), Type: "t"}
	if _, err := old.Submit(ctx, []task.Spec{spec}, false); !errors.Is(err, task.ErrUnknownOutcome) || ctx.Err() != nil {
		t.Errorf("a submit to the node that hangs: %v", err)
	}
	c.sendsAway(old)
	release()
	kept = append(kept, c.submit(3)...)
	c.mustSubmit(spec)
	c.sameState()
	c.mustHave(append(kept, spec.ID))
}

// TestLeaderThatHangsWhileItBecomesTheOnlyVoter: nobody is left whose silence could end its leadership.
func TestLeaderThatHangsWhileItBecomesTheOnlyVoter(t *testing.T) {
	c, _ := startPatient(t, 2, LogBolt)
	kept := c.submit(3)
	old, other := c.leader(), c.followers()[0]
	release := holdDisk(t, old).release
	old.raft.RemoveServer(serverID(other.ID()), 0, 0)
	eventually(t, "it is cut off", old.streams.isCutOff)
	release()
	if err := <-old.Done(); !errors.Is(err, ErrRestart) {
		t.Fatalf("the node ended with: %v", err)
	}
	c.crash(other)
	c.crash(old)
	dir, err := OpenDir(old.path)
	if err != nil {
		t.Fatal(err)
	}
	old.dir = dir
	c.start(old, nil)
	c.mustHave(append(kept, c.submit(1)...))
}
