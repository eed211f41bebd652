package cluster

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// TestUniqueSubmitsThroughFailoverAreOneTask: several clients submit tasks with the same few keys, each with the same id
// again until it is acknowledged, while the leader stops. For each key there is one task, and everybody got it.
func TestUniqueSubmitsThroughFailoverAreOneTask(t *testing.T) {
	const keys, clients = 40, 4
	c := startCluster(t, 3, nil)
	var nodes []*Node
	for _, n := range c.nodes {
		nodes = append(nodes, n.Node)
	}
	halfway := make(chan struct{})
	var answers [keys][clients]task.Receipt
	var submitters sync.WaitGroup
	for i := range clients {
		submitters.Go(func() {
			for key := range keys {
				spec := task.Spec{ID: task.NewID(), Type: "t", UniqueKey: fmt.Sprint(key)}
				answers[key][i] = submitAnywhere(t, nodes, spec)
				if i == 0 && key == keys/2 {
					close(halfway)
				}
			}
		})
	}
	<-halfway
	c.crash(c.leader())
	submitters.Wait()
	c.sameState()
	if total := c.leader().store.Stats().Total; total.Ready != keys {
		t.Errorf("%d tasks are ready, want %d", total.Ready, keys)
	}
	for key := range answers {
		made := 0
		for _, r := range answers[key] {
			if r.ID != answers[key][0].ID {
				t.Errorf("key %d: tasks %s and %s", key, r.ID, answers[key][0].ID)
			}
			if !r.Existing {
				made++
			}
		}
		if made != 1 {
			t.Errorf("key %d: %d of the answers say that it was new", key, made)
		}
	}
}

// submitAnywhere submits one task, with the same id again until some node has acknowledged it.
func submitAnywhere(t *testing.T, nodes []*Node, spec task.Spec) task.Receipt {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		for _, n := range nodes {
			receipts, err := n.Submit(t.Context(), []task.Spec{spec}, false)
			if err == nil && receipts[0].Err != nil {
				t.Errorf("submit: %v", receipts[0].Err)
			}
			if err == nil {
				return receipts[0]
			}
		}
	}
	t.Error("no node acknowledges a submit")
	return task.Receipt{}
}

// TestTasksExpireThroughFailover: tasks that are not started in time become dead letters, those that expire while nobody
// leads, too; what was started does not, and what was given back unheard does after all.
func TestTasksExpireThroughFailover(t *testing.T) {
	c := startCluster(t, 3, nil)
	started := c.one(task.Spec{ExpiresIn: 500 * time.Millisecond}, task.NewSessionID(), time.Hour)
	returned := c.one(task.Spec{ExpiresIn: 800 * time.Millisecond}, task.NewSessionID(), time.Hour)
	l, err := c.leader().leading()
	if err != nil {
		t.Fatal(err)
	}
	l.giveBack([]*task.Task{returned})
	ids := []task.ID{returned.ID}
	for _, in := range []time.Duration{time.Millisecond, 200 * time.Millisecond, 2 * time.Second} {
		spec := task.Spec{ID: task.NewID(), Type: "never", ExpiresIn: in}
		c.mustSubmit(spec)
		ids = append(ids, spec.ID)
	}
	child := task.Spec{ID: task.NewID(), Type: "never", Dependencies: ids[len(ids)-1:]}
	c.mustSubmit(child)
	c.crash(c.leader())
	for _, id := range append(ids, child.ID) {
		eventually(t, "it has ended", func() bool {
			tasks, _, err := c.leader().Get(t.Context(), task.Query{IDs: []task.ID{id}, Wait: patience})
			return err == nil && tasks[0].Status.IsTerminal()
		})
	}
	for _, id := range ids {
		if got := c.get(id); got.Status != task.DeadLetter || got.Reason != task.Expired {
			t.Errorf("%s, reason %q", got.Status, got.Reason)
		}
	}
	if got := c.get(child.ID); got.Status != task.Cancelled || got.Reason != task.DependencyFailed {
		t.Errorf("a dependant: %s, reason %q", got.Status, got.Reason)
	}
	if got := c.get(started.ID); got.Status != task.InProgress {
		t.Errorf("what was started is %s", got.Status)
	}
	c.sameState()
}
