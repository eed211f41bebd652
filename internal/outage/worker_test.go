package outage

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

// heldCommand notes that it runs, and goes on until the file named hold is gone.
const heldCommand = `echo $HAIKU_TASK_ID >>$HAIKU_WORKER; while test -e hold; do sleep 0.05; done; echo by $HAIKU_WORKER`

// startWorker starts a worker process that keeps to one node.
func (n *nodes) startWorker(name string, at *node, more ...string) *process {
	n.t.Helper()
	args := append([]string{"worker", "run", "--addr", at.address, "--stay", "--name", name, "--exec", heldCommand}, more...)
	return start(n.t, n.dir, nil, haiku, args...)
}

// hold makes commands wait until the returned function is called, at the latest at the end of the test.
func (n *nodes) hold() (release func()) {
	n.t.Helper()
	path := filepath.Join(n.dir, "hold")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		n.t.Fatal(err)
	}
	release = func() {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			n.t.Error(err)
		}
	}
	n.t.Cleanup(release)
	return release
}

// begun returns how many commands a worker has started.
func (n *nodes) begun(worker string) int {
	text, err := os.ReadFile(filepath.Join(n.dir, worker))
	if err != nil {
		return 0
	}
	return strings.Count(string(text), "\n")
}

// get reads a task.
func (n *nodes) get(id task.ID) *task.Task {
	n.t.Helper()
	got, err := n.c.Get(n.t.Context(), id, client.WithPayload())
	if err != nil {
		n.t.Fatal(err)
	}
	return got
}

// TestWorkerIsKilled kills a worker with SIGKILL: after the grace for its session, long before the lease would be over,
// the task goes back, which counts as a crash and not as a retry, and another worker completes it.
func TestWorkerIsKilled(t *testing.T) {
	t.Parallel()
	n := startNodes(t, 3, quick)
	release := n.hold()
	_, others := n.leader()
	first := n.startWorker("first", others[0])
	r, err := n.c.Submit(t.Context(), "held", nil)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first worker runs it", func() bool { return n.begun("first") == 1 })
	granted := n.get(r.ID).LeaseExpiresAt // to about a microsecond
	eventually(t, "a heartbeat has renewed the lease", func() bool {
		return n.get(r.ID).LeaseExpiresAt.After(granted.Add(100 * time.Millisecond))
	})

	first.kill(t)
	killed := time.Now()
	n.startWorker("second", others[1])
	eventually(t, "the second worker runs it", func() bool { return n.begun("second") == 1 })
	if took := time.Since(killed); took > task.DefaultLease-5*time.Second {
		t.Errorf("the task came back %s after the worker had died", took)
	}
	if got := n.get(r.ID); got.CrashCount != 1 || got.RetryCount != 0 || got.Attempt != 2 || got.WorkerID != "second" {
		t.Errorf("crash count %d, retry count %d, attempt %d by %s", got.CrashCount, got.RetryCount, got.Attempt, got.WorkerID)
	}
	release()
	eventually(t, "the task completes", func() bool { return n.get(r.ID).Status == task.Completed })
	got := n.get(r.ID)
	if string(got.Result) != "by second\n" || len(got.History) != 2 || got.History[0].Outcome != task.SessionLost {
		t.Errorf("result %q, history %+v", got.Result, got.History)
	}
}

// TestWorkerDrains stops workers with SIGTERM: what runs is finished, and what runs for longer than the worker may wait
// is given back without counting; nothing new is begun.
func TestWorkerDrains(t *testing.T) {
	t.Parallel()
	n := startNodes(t, 3, quick)
	release := n.hold()
	_, others := n.leader()
	patient := n.startWorker("patient", others[0], "--type", "patient", "--concurrency", "2")
	hasty := n.startWorker("hasty", others[1], "--type", "hasty", "--concurrency", "2", "--drain-timeout", "200ms")
	var ids [2][]task.ID
	for i, typ := range []string{"patient", "hasty"} {
		for range 4 {
			r, err := n.c.Submit(t.Context(), typ, nil)
			if err != nil {
				t.Fatal(err)
			}
			ids[i] = append(ids[i], r.ID)
		}
	}
	eventually(t, "four commands run", func() bool { return n.begun("patient") == 2 && n.begun("hasty") == 2 })
	patient.signal(t, syscall.SIGTERM)
	hasty.signal(t, syscall.SIGTERM)
	if code := hasty.exit(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, hasty.said())
	}
	if got := n.counts(ids[1]); got != "4 pending, 0 completed, 0 crashes, 0 retries" {
		t.Errorf("of the hasty worker: %s", got)
	}
	if got := n.counts(ids[0]); !strings.HasPrefix(got, "2 pending, 0 completed") {
		t.Errorf("of the patient worker: %s", got)
	}
	release()
	if code := patient.exit(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, patient.said())
	}
	if got := n.counts(ids[0]); got != "2 pending, 2 completed, 0 crashes, 0 retries" {
		t.Errorf("of the patient worker: %s", got)
	}
	if n.begun("patient") != 2 || n.begun("hasty") != 2 {
		t.Error("a worker began something while it drained")
	}
}

// counts says what became of tasks.
func (n *nodes) counts(ids []task.ID) string {
	n.t.Helper()
	tasks, _, err := n.c.Query(n.t.Context(), task.Query{IDs: ids})
	if err != nil {
		n.t.Fatal(err)
	}
	var pending, completed int
	var crashes, retries uint32
	for _, one := range tasks {
		switch one.Status {
		case task.Pending:
			pending++
		case task.Completed:
			completed++
		}
		crashes += one.CrashCount
		retries += one.RetryCount
	}
	return fmt.Sprintf("%d pending, %d completed, %d crashes, %d retries", pending, completed, crashes, retries)
}
