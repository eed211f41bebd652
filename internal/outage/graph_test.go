package outage

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/internal/damage"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/worker"
)

const (
	parentsEach = 3  // on average
	nearby      = 50 // of all tasks, as far back half of the parents are at most
	leafEvery   = 20
)

// graph is tasks that depend on each other, by their numbers, and what their handlers saw. The first ones are hubs: all
// leaves depend on one of them, which is more than one command may touch in the long form, and they run until let go.
type graph struct {
	n       *nodes
	hubs    int
	specs   []task.Spec
	parents [][]int
	letGo   chan struct{} // closed when the hubs may end

	mu    sync.Mutex
	done  []bool // its handler has returned
	count int    // of those
	moved chan struct{}
	early int // handlers called before those of all parents had returned
}

// TestGraphThroughLeaderKills: a random graph, submitted in atomic batches that refer to each other, runs while leaders
// are killed, the last one while the dependants of hubs are told. Each task starts after its parents have completed, each
// completes once, and none is left waiting.
func TestGraphThroughLeaderKills(t *testing.T) {
	t.Parallel()
	rng, size, kills := damage.Rand(t), damage.Rounds(3_000, 100_000), damage.Rounds(1, 2)
	n := startNodes(t, 3, quick)
	g := drawGraph(n, rng, size)
	begun := time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		working.Wait()
	})
	for i := range workers {
		g.work(ctx, &working, i)
	}
	working.Go(func() { g.submit(ctx, rng) })
	for kill := range kills {
		g.await(size * (kill + 1) / (kills + 1))
		if kill == kills-1 {
			close(g.letGo)
		}
		leader, _ := n.leader()
		leader.kill(t)
		n.start(leader)
		n.complete()
	}
	n.awaitEnd(size)
	t.Logf("%d tasks with %d dependencies and %d kills took %s", size, size*parentsEach, kills, time.Since(begun).Round(time.Second))
	cancel()
	working.Wait()
	g.check()
	n.sameState()
}

// drawGraph makes size tasks with parentsEach times as many dependencies, on earlier ones all over the graph and nearby.
func drawGraph(n *nodes, rng *rand.Rand, size int) *graph {
	g := &graph{
		n: n, hubs: 1 + size/50_000, specs: make([]task.Spec, size), parents: make([][]int, size), letGo: make(chan struct{}),
		done: make([]bool, size), moved: make(chan struct{}),
	}
	edges := 0
	add := func(child, parent int) {
		if parent < child && (parent < g.hubs) == g.leaf(child) && !g.leaf(parent) && !slices.Contains(g.parents[child], parent) && edges < size*parentsEach {
			g.parents[child] = append(g.parents[child], parent)
			edges++
		}
	}
	for i := range size {
		g.specs[i] = task.Spec{ID: task.NewID(), Type: workType, Payload: strconv.AppendInt(nil, int64(i), 10)}
		if g.leaf(i) {
			add(i, rng.IntN(g.hubs))
		}
	}
	for edges < size*parentsEach {
		child := g.hubs + rng.IntN(size-g.hubs)
		if g.leaf(child) {
			continue
		}
		add(child, rng.IntN(child))
		add(child, child-1-rng.IntN(min(child, size/nearby)))
	}
	for i, parents := range g.parents {
		for _, p := range parents {
			g.specs[i].Dependencies = append(g.specs[i].Dependencies, g.specs[p].ID)
		}
	}
	return g
}

// leaf tells whether a task depends on a hub alone, and nothing on it.
func (g *graph) leaf(i int) bool { return i >= g.hubs && i%leafEvery == 0 }

// submit submits the graph in atomic batches, whose tasks stand in any order, each until it is acknowledged.
func (g *graph) submit(ctx context.Context, rng *rand.Rand) {
	c := dial(g.n.t, client.Config{Addrs: g.n.addresses(1), RetryFor: time.Second})
	for batch := range slices.Chunk(slices.Clone(g.specs), task.MaxItems) {
		rng.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
		for {
			_, err := c.SubmitAtomic(ctx, batch)
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				return
			}
			g.n.t.Logf("submit again after: %v", err)
		}
	}
}

func (g *graph) work(ctx context.Context, working *sync.WaitGroup, number int) {
	c := dial(g.n.t, client.Config{Addrs: g.n.addresses(number)})
	w, err := worker.New(c, worker.Config{
		Name: fmt.Sprintf("w%d", number+1), Concurrency: 200, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		g.n.t.Fatal(err)
	}
	w.Handle(workType, g.handle)
	working.Go(func() {
		if err := w.Run(ctx); err != nil && ctx.Err() == nil {
			g.n.t.Errorf("worker %d: %v", number+1, err)
		}
	})
}

// handle looks whether the handlers of all parents have returned.
func (g *graph) handle(ctx context.Context, t *task.Task) ([]byte, error) {
	i, err := strconv.Atoi(string(t.Payload))
	if err != nil {
		return nil, err
	}
	if i < g.hubs {
		select {
		case <-g.letGo:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if slices.ContainsFunc(g.parents[i], func(p int) bool { return !g.done[p] }) {
		g.early++
	}
	if !g.done[i] {
		g.done[i] = true
		g.count++
		close(g.moved)
		g.moved = make(chan struct{})
	}
	return nil, nil
}

// await waits until so many tasks are done. As long as some are, it is patient.
func (g *graph) await(count int) {
	g.n.t.Helper()
	for {
		g.mu.Lock()
		have, moved := g.count, g.moved
		g.mu.Unlock()
		if have >= count {
			return
		}
		select {
		case <-moved:
		case <-time.After(patience):
			g.n.t.Fatalf("%d of %d tasks are done", have, count)
		}
	}
}

// check holds what the broker keeps against the graph: each task completed, once, and no attempt at it began before its
// parents had completed.
func (g *graph) check() {
	t := g.n.t
	t.Helper()
	if g.early > 0 {
		t.Errorf("%d tasks were handed out before their parents had completed", g.early)
	}
	found := make(map[task.ID]*task.Task)
	for filter := (task.Filter{Limit: task.MaxItems}); ; {
		page, err := g.n.c.List(t.Context(), filter)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range page.Tasks {
			found[one.ID] = one
		}
		if filter.Cursor = page.Next; page.Next == nil {
			break
		}
	}
	if len(found) != len(g.specs) {
		t.Fatalf("the cluster has %d tasks, %d were submitted", len(found), len(g.specs))
	}
	ended := make([]time.Time, len(g.specs))
	attempts := 0
	for i := range g.specs { // parents come before their children
		one := found[g.specs[i].ID]
		if one == nil || one.Status != task.Completed || len(one.History) == 0 || one.History[len(one.History)-1].Outcome != task.Success {
			t.Fatalf("task %d: %+v", i, one)
		}
		attempts += int(one.Attempt)
		ended[i] = one.History[len(one.History)-1].EndedAt
		for _, a := range one.History {
			for _, p := range g.parents[i] {
				if a.StartedAt.Before(ended[p]) {
					t.Errorf("attempt %d at task %d began at %s, its parent %d completed at %s", a.Number, i, a.StartedAt, p, ended[p])
				}
			}
		}
	}
	t.Logf("%d attempts", attempts)
}
