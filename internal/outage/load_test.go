package outage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/worker"
)

const (
	workType   = "work"
	submitters = 4
	workers    = 3
	// submitRest keeps a submitter from filling the machine that it shares with all nodes.
	submitRest = 4 * time.Millisecond
	longestRun = 200 * time.Millisecond // of a handler, so that some run at any moment
)

// load is submitters, which send each task with the same id until it is acknowledged, and workers. They go on whatever
// happens to the nodes.
type load struct {
	n          *nodes
	ctx        context.Context
	cancel     context.CancelFunc
	stop       chan struct{} // closed when submitters are to end with the task that they are at
	submitting sync.WaitGroup
	working    sync.WaitGroup

	mu      sync.Mutex
	acked   map[task.ID]string // payload of every acknowledged task
	repeats int                // submits that were sent again
	ran     map[task.ID]int    // how often a handler was called
	running map[task.ID]context.Context
	moved   chan struct{} // closed and renewed when something is acknowledged
}

// startLoad starts submitters, and workers that ask for leases of a certain length, spread over the nodes.
func startLoad(n *nodes, lease time.Duration) *load {
	l := &load{
		n: n, stop: make(chan struct{}), acked: make(map[task.ID]string), ran: make(map[task.ID]int),
		running: make(map[task.ID]context.Context), moved: make(chan struct{}),
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	for i := range submitters {
		c := dial(n.t, client.Config{Addrs: n.addresses(i), RetryFor: time.Second, Stay: i%2 == 0})
		l.submitting.Go(func() { l.submit(c, i) })
	}
	for i := range workers {
		l.work(dial(n.t, client.Config{Addrs: n.addresses(i), Stay: i == 0}), lease, i)
	}
	n.t.Cleanup(func() { // that of the clients comes after it
		l.cancel()
		l.submitting.Wait()
		l.working.Wait()
	})
	return l
}

func (l *load) submit(c *client.Client, number int) {
	rest := time.NewTicker(submitRest)
	defer rest.Stop()
	for count := 0; ; count++ {
		select {
		case <-l.stop:
			return
		case <-l.ctx.Done():
			return
		case <-rest.C:
		}
		spec := task.Spec{ID: task.NewID(), Type: workType, Payload: fmt.Appendf(nil, "%d/%d", number, count)}
		for sent := 1; ; sent++ {
			r, err := c.SubmitSpec(l.ctx, spec)
			if err == nil {
				l.acknowledged(r.ID, string(spec.Payload), sent)
				break
			}
			if l.ctx.Err() != nil {
				return
			}
			if errors.Is(err, task.ErrConflict) || errors.Is(err, task.ErrInvalid) {
				l.n.t.Errorf("submit of task %s: %v", spec.ID, err)
				return
			}
		}
	}
}

func (l *load) acknowledged(id task.ID, payload string, sent int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked[id] = payload
	l.repeats += sent - 1
	close(l.moved)
	l.moved = make(chan struct{})
}

func (l *load) work(c *client.Client, lease time.Duration, number int) {
	w, err := worker.New(c, worker.Config{
		Name: fmt.Sprintf("w%d", number+1), Concurrency: 16, Lease: lease, Wait: 2 * time.Second,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		l.n.t.Fatal(err)
	}
	w.Handle(workType, l.handle)
	l.working.Go(func() {
		if err := w.Run(l.ctx); err != nil && !l.n.t.Failed() {
			l.n.t.Errorf("worker %d: %v", number+1, err)
		}
	})
}

// handle is what the workers do. Two handlers of one task, neither of which knows that its lease is over, must never be.
func (l *load) handle(ctx context.Context, t *task.Task) ([]byte, error) {
	l.mu.Lock()
	l.ran[t.ID]++
	if other := l.running[t.ID]; other != nil && other.Err() == nil {
		l.n.t.Errorf("task %s runs twice at the same time", t.ID)
	}
	l.running[t.ID] = ctx
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.running[t.ID] == ctx {
			delete(l.running, t.ID)
		}
	}()
	select {
	case <-time.After(rand.N(longestRun)):
		return resultOf(string(t.Payload)), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func resultOf(payload string) []byte { return []byte("done " + payload) }

// snapshot returns all tasks that are acknowledged by now.
func (l *load) snapshot() map[task.ID]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.acked)
}

// more waits until so many more tasks are acknowledged.
func (l *load) more(count int) {
	l.n.t.Helper()
	deadline := time.After(patience)
	for target := -1; ; {
		l.mu.Lock()
		have, moved := len(l.acked), l.moved
		l.mu.Unlock()
		if target < 0 {
			target = have + count
		}
		if have >= target {
			return
		}
		select {
		case <-moved:
		case <-deadline:
			l.n.t.Fatalf("%d of %d more submits acknowledged within %s", count-(target-have), count, patience)
		}
	}
}

// mustBeThere reads every given task back, by linearizable reads through a node.
func (l *load) mustBeThere(acked map[task.ID]string, through *node) {
	l.n.t.Helper()
	c := dial(l.n.t, client.Config{Addrs: []string{through.address}, Stay: true})
	ctx, cancel := context.WithTimeout(l.n.t.Context(), patience)
	defer cancel()
	ids := slices.Collect(maps.Keys(acked))
	for part := range slices.Chunk(ids, task.MaxItems) {
		tasks, _, err := c.Query(ctx, task.Query{IDs: part})
		if err != nil {
			l.n.t.Fatalf("query through %s: %v", through.name, err)
		}
		if len(tasks) != len(part) {
			l.n.t.Errorf("%d of %d acknowledged tasks are lost, says %s", len(part)-len(tasks), len(part), through.name)
		}
	}
}

// finish ends the submitters, waits until every task has completed, ends the workers and checks what the broker keeps:
// exactly the acknowledged tasks, each with the right result and one success.
func (l *load) finish() {
	t := l.n.t
	t.Helper()
	close(l.stop)
	l.submitting.Wait()
	want := l.snapshot()
	l.n.awaitEnd(len(want))
	l.cancel()
	l.working.Wait()
	found := l.all()
	if len(found) != len(want) {
		t.Errorf("the cluster has %d tasks, %d were acknowledged", len(found), len(want))
	}
	attempts := 0
	for id, payload := range want {
		got := found[id]
		if got == nil {
			t.Errorf("task %s is lost", id)
			continue
		}
		attempts += int(got.Attempt)
		l.check(got, payload)
	}
	t.Logf("%d tasks, %d attempts, %d submits repeated", len(want), attempts, l.repeats)
}

// awaitEnd waits until so many tasks have completed. As long as some do, it is patient.
func (n *nodes) awaitEnd(count int) {
	t := n.t
	t.Helper()
	var stats task.Stats
	ask := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		now, err := n.c.Stats(ctx)
		if err == nil {
			stats = now
		}
		return err == nil
	}
	for completed := -1; completed < count; completed = int(stats.Total.Completed) {
		eventually(t, fmt.Sprintf("of %d tasks more than %d complete: %+v", count, completed, stats.Total), func() bool {
			return ask() && int(stats.Total.Completed) > completed
		})
	}
}

// all lists every task with its result.
func (l *load) all() map[task.ID]*task.Task {
	t := l.n.t
	t.Helper()
	found, err := l.n.all(patience)
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	return found
}

// all lists every task with its result within some time.
func (n *nodes) all(within time.Duration) (map[task.ID]*task.Task, error) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), within)
	defer cancel()
	found := make(map[task.ID]*task.Task)
	for filter := (task.Filter{Limit: 500, WithPayload: true}); ; {
		page, err := n.c.List(ctx, filter)
		if err != nil {
			return nil, err
		}
		for _, one := range page.Tasks {
			if found[one.ID] != nil {
				n.t.Errorf("task %s is listed twice", one.ID)
			}
			found[one.ID] = one
		}
		if filter.Cursor = page.Next; page.Next == nil {
			return found, nil
		}
	}
}

// check holds one finished task against what was submitted and what the handlers saw.
func (l *load) check(got *task.Task, payload string) {
	l.n.t.Helper()
	successes := 0
	for _, attempt := range got.History {
		if attempt.Outcome == task.Success {
			successes++
		}
	}
	l.mu.Lock()
	ran := l.ran[got.ID]
	l.mu.Unlock()
	switch {
	case got.Status != task.Completed || successes != 1:
		l.n.t.Errorf("task %s is %s with %d successes: %+v", got.ID, got.Status, successes, got.History)
	case string(got.Payload) != payload || string(got.Result) != string(resultOf(payload)):
		l.n.t.Errorf("task %s has payload %q and result %q, want those of %q", got.ID, got.Payload, got.Result, payload)
	case ran == 0 || ran > int(got.Attempt):
		l.n.t.Errorf("task %s ran %d times in %d attempts", got.ID, ran, got.Attempt)
	}
}
