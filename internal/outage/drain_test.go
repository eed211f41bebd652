package outage

import (
	"context"
	"syscall"
	"testing"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

// TestDrainThroughFailover: the leader is killed when it has taken the request to drain a worker, and before the worker
// can have heard of it, for the node in between stands still. The command goes on until the worker knows; it finishes
// what it runs, takes nothing more and ends.
func TestDrainThroughFailover(t *testing.T) {
	t.Parallel()
	n := startNodes(t, 3, quick)
	leader, others := n.leader()
	between, third := others[0], others[1]
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	release := n.hold()
	running, err := n.c.Submit(ctx, "x", nil)
	if err != nil {
		t.Fatal(err)
	}
	w := n.startWorker("w", between, "--concurrency", "2")
	eventually(t, "the worker runs the task", func() bool { return n.begun("w") == 1 })
	between.signal(t, syscall.SIGSTOP)
	drain := start(t, n.dir, nil, haiku, "worker", "drain", "w", "--addr", third.address)
	at := dial(t, client.Config{Addrs: []string{third.address}, Stay: true, RetryFor: patience})
	eventually(t, "the leader was told", func() bool {
		list, err := at.Workers(ctx)
		return err == nil && len(list) == 1 && list[0].Draining
	})
	leader.kill(t)
	between.signal(t, syscall.SIGCONT)
	if code := drain.exit(t); code != 0 {
		t.Errorf("drain ended with %d: %s", code, drain.said())
	}
	left, err := at.Submit(ctx, "x", nil)
	if err != nil {
		t.Fatal(err)
	}
	release()
	if code := w.exit(t); code != 0 {
		t.Errorf("the worker ended with %d: %s", code, w.said())
	}
	for id, status := range map[task.ID]task.Status{running.ID: task.Completed, left.ID: task.Pending} {
		if got, err := at.Get(ctx, id); err != nil || got.Status != status {
			t.Errorf("want %s: %+v, %v", status, got, err)
		}
	}
}

// TestDrainOfWorkerThatDied: the worker and the leader die before the worker can have heard that it is to end. The
// command ends, too: no leader will find that worker.
func TestDrainOfWorkerThatDied(t *testing.T) {
	t.Parallel()
	n := startNodes(t, 3, quick)
	leader, others := n.leader()
	between, third := others[0], others[1]
	w := n.startWorker("w", between)
	at := dial(t, client.Config{Addrs: []string{third.address}, Stay: true, RetryFor: patience})
	listed := func(draining bool) func() bool {
		return func() bool {
			list, err := at.Workers(t.Context())
			return err == nil && len(list) == 1 && list[0].Draining == draining
		}
	}
	eventually(t, "the worker claims", listed(false))
	between.signal(t, syscall.SIGSTOP)
	drain := start(t, n.dir, nil, haiku, "worker", "drain", "w", "--addr", third.address)
	eventually(t, "the leader was told", listed(true))
	w.kill(t)
	leader.kill(t)
	between.signal(t, syscall.SIGCONT)
	if code := drain.exit(t); code != 0 {
		t.Errorf("drain ended with %d: %s", code, drain.said())
	}
}
