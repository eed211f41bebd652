package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

func (c *liveCluster) setQueue(change task.QueueChange) {
	c.t.Helper()
	eventually(c.t, "a queue is set", func() bool {
		err := c.leader().SetQueue(c.t.Context(), change)
		if errors.Is(err, task.ErrInvalid) {
			c.t.Fatal(err)
		}
		return err == nil
	})
}

func (c *liveCluster) pause(typ string, paused bool) {
	c.t.Helper()
	c.setQueue(task.QueueChange{Queue: task.DefaultQueue, Type: typ, Paused: &paused})
}

// crew is workers that claim until they are told to stop, through whoever leads, and what they were given.
type crew struct {
	stop func()

	mu      sync.Mutex
	done    map[string]int // by type
	running int
	most    int
}

// running copies the nodes that run, for goroutines beside a test that crashes some of them.
func (c *liveCluster) running() (out []*Node) {
	for _, n := range c.nodes {
		out = append(out, n.Node)
	}
	return out
}

// work lets workers claim and finish tasks: one of each type in turn, or of all types.
func (c *liveCluster) work(workers int, types ...string) *crew {
	ctx, cancel := context.WithCancel(c.t.Context())
	w := &crew{done: make(map[string]int)}
	nodes := c.running()
	leader := func() *Node {
		for _, n := range nodes {
			if _, self := n.Leader(); self {
				return n
			}
		}
		return nodes[0]
	}
	var all sync.WaitGroup
	w.stop = sync.OnceFunc(func() {
		cancel()
		all.Wait()
	})
	c.t.Cleanup(w.stop)
	for i := range workers {
		claim := task.ClaimRequest{Session: task.NewSessionID(), WorkerID: fmt.Sprint("w", i), Max: 1, Wait: 100 * time.Millisecond}
		if len(types) > 0 {
			claim.Types = types[i%len(types) : i%len(types)+1]
		}
		all.Go(func() {
			var tasks []*task.Task
			for ctx.Err() == nil {
				if len(tasks) == 0 {
					tasks, _ = leader().Claim(ctx, claim)
					continue
				}
				w.count(tasks[0].Type, 1)
				w.count(tasks[0].Type, -1)
				outcome := []task.Outcome{{ID: tasks[0].ID, LeaseID: tasks[0].LeaseID, Kind: task.Success}}
				for ctx.Err() == nil {
					receipts, next, _ := leader().Finish(ctx, claim.Session, outcome, &claim)
					if tasks = next; receipts != nil {
						break
					}
				}
			}
		})
	}
	return w
}

func (w *crew) count(typ string, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running += n
	w.most = max(w.most, w.running)
	if n < 0 {
		w.done[typ]++
	}
}

func (w *crew) finished(typ string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.done[typ]
}

func (c *liveCluster) submitType(typ string, n int) {
	c.t.Helper()
	for range n {
		c.mustSubmit(task.Spec{ID: task.NewID(), Type: typ})
	}
}

// TestPausedTypeUnderLoad: three nodes under load, a type is paused, the leader dies, its neighbour goes on; nothing of
// the paused type is handed out until it is resumed, and then everything is.
func TestPausedTypeUnderLoad(t *testing.T) {
	c := startCluster(t, 3, nil)
	w := c.work(4)
	c.submitType("held", 20)
	eventually(t, "tasks run", func() bool { return w.finished("held") > 0 })
	c.pause("held", true)
	held := store.Pair{Queue: task.DefaultQueue, Type: "held"}
	eventually(t, "what was claimed before has ended", func() bool { return c.leader().store.Occupancy(held).Running == 0 })
	before := w.finished("held")
	c.submitType("held", 30)
	c.submitType("free", 30)
	old := c.leader()
	c.crash(old)
	c.submitType("free", 30)
	eventually(t, "the neighbour goes on", func() bool { return w.finished("free") == 60 })
	if got := w.finished("held"); got != before {
		t.Errorf("%d tasks of a paused type were handed out", got-before)
	}
	c.start(old, nil)
	list, err := c.leader().Queues(t.Context(), task.QueuesQuery{Queue: task.DefaultQueue})
	if err != nil || len(list) != 3 || list[0].Counts.Ready != uint64(50-before) || !list[2].Paused || list[2].Counts.Ready != uint64(50-before) {
		t.Errorf("%+v, %v", list, err)
	}
	c.pause("held", false)
	eventually(t, "all of the resumed type have run", func() bool { return w.finished("held") == 50 })
	w.stop()
	c.sameState()
}

// TestConcurrencyThroughFailover: never more tasks run than the limit says, through crashes of workers and of the leader,
// and all of them run in the end.
func TestConcurrencyThroughFailover(t *testing.T) {
	c := startCluster(t, 3, nil)
	three := uint32(3)
	c.setQueue(task.QueueChange{Queue: task.DefaultQueue, Concurrency: &three})
	queue := store.Pair{Queue: task.DefaultQueue}
	watching, stopWatching := context.WithCancel(t.Context())
	var most atomic.Int64
	var watch sync.WaitGroup
	nodes := c.running()
	watch.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for watching.Err() == nil {
			<-tick.C
			for _, n := range nodes {
				most.Store(max(most.Load(), n.store.Occupancy(queue).Running))
			}
		}
	})
	defer watch.Wait()
	defer stopWatching()

	crashed := task.NewSessionID() // a worker that takes a task and is not heard of again
	leave := c.leader().OpenSession(crashed, member.Origin{}, func([]task.ID, bool) {})
	c.one(task.Spec{}, crashed, shortLease) // the next leader may know nothing of the session
	leave()
	w := c.work(6)
	c.submitType("t", 60)
	old := c.leader()
	c.crash(old)
	c.submitType("t", 60)
	eventually(t, "all tasks have run", func() bool { return w.finished("t") >= 121 })
	w.stop()
	stopWatching()
	watch.Wait()
	if most.Load() > int64(three) || w.most > int(three) || most.Load() < 2 {
		t.Errorf("%d tasks ran at once, workers held %d", most.Load(), w.most)
	}
	c.start(old, nil)
	c.sameState()
}

// TestWaitingClaimsAreWoken: by a slot that gets free, by a rate that allows the next task, by a limit that is lifted;
// and they do not try in vain meanwhile.
func TestWaitingClaimsAreWoken(t *testing.T) {
	c := startCluster(t, 1, nil)
	leader := c.leader()
	session := task.NewSessionID()
	got := make(chan *task.Task, 10)
	claim := func() {
		t.Helper()
		go func() {
			tasks, err := leader.Claim(t.Context(), task.ClaimRequest{Session: session, WorkerID: "w", Max: 1, Wait: patience, Lease: time.Hour})
			if err != nil || len(tasks) != 1 {
				t.Errorf("a waiting claim got %d tasks, %v", len(tasks), err)
				tasks = []*task.Task{{}}
			}
			got <- tasks[0]
		}()
	}
	l, err := leader.leading()
	if err != nil {
		t.Fatal(err)
	}
	waits := func() {
		t.Helper()
		eventually(t, "a claim waits", func() bool { return len(l.waiters.idlers()) == 1 })
	}
	one, none := uint32(1), uint32(0)

	c.setQueue(task.QueueChange{Queue: task.DefaultQueue, Concurrency: &one})
	first := c.one(task.Spec{}, session, time.Hour)
	claim()
	waits()
	before := leader.AppliedIndex()
	c.submit(5)
	if entries := leader.AppliedIndex() - before; entries > 6 {
		t.Errorf("5 submits led to %d entries: claims try in vain", entries)
	}
	waits()
	if _, _, err := leader.Finish(t.Context(), session, []task.Outcome{{ID: first.ID, LeaseID: first.LeaseID, Kind: task.Success}}, nil); err != nil {
		t.Fatal(err)
	}
	<-got

	claim()
	waits()
	c.setQueue(task.QueueChange{Queue: task.DefaultQueue, Concurrency: &none})
	<-got

	c.setQueue(task.QueueChange{Queue: task.DefaultQueue, Type: "t", Rate: &task.Rate{Count: 20, Per: time.Second, Burst: 1}})
	before, began := leader.AppliedIndex(), time.Now()
	for range 3 {
		claim()
		<-got
	}
	if took := time.Since(began); took < 90*time.Millisecond {
		t.Errorf("three tasks took %s at 20 a second", took)
	}
	if entries := leader.AppliedIndex() - before; entries > 8 {
		t.Errorf("three claims under a rate led to %d entries", entries)
	}
	claim()
	waits()
	c.setQueue(task.QueueChange{Queue: task.DefaultQueue, Type: "t", Rate: &task.Rate{}})
	c.submit(1)
	<-got
}

// TestFullQueue: the receipt says so, and results and claims go on; a bad change is refused before it is proposed.
func TestFullQueue(t *testing.T) {
	c := startCluster(t, 1, nil)
	one, many := uint64(1), uint32(task.MaxConcurrency+1)
	c.setQueue(task.QueueChange{Queue: task.DefaultQueue, Depth: &one})
	session := task.NewSessionID()
	running := c.one(task.Spec{}, session, time.Minute)
	c.submit(1)
	full := task.Spec{ID: task.NewID(), Type: "t"}
	receipts, err := c.leader().Submit(t.Context(), []task.Spec{full}, false)
	if err != nil || !errors.Is(receipts[0].Err, task.ErrQueueFull) {
		t.Errorf("%v, %v", receipts, err)
	}
	receipts, next, err := c.leader().Finish(t.Context(), session, []task.Outcome{{ID: running.ID, LeaseID: running.LeaseID, Kind: task.Success,
		Submit: []task.Spec{{ID: task.NewID(), Type: "t"}}}}, &task.ClaimRequest{Session: session, WorkerID: "w", Max: 5, Lease: time.Minute})
	if err != nil || receipts[0].Err != nil || len(next) != 2 {
		t.Errorf("%v, %d tasks, %v", receipts, len(next), err)
	}
	c.mustSubmit(full)
	if err := c.leader().SetQueue(t.Context(), task.QueueChange{Queue: "q", Concurrency: &many}); !errors.Is(err, task.ErrInvalid) {
		t.Error(err)
	}
	if _, err := c.leader().Queues(t.Context(), task.QueuesQuery{Queue: "\n"}); !errors.Is(err, task.ErrInvalid) {
		t.Error(err)
	}
}

// TestSlotsGoRound: what a queue allows goes to the claim that has waited longest, whatever its type, not to the worker that
// has just freed it.
func TestSlotsGoRound(t *testing.T) {
	c := startCluster(t, 1, nil)
	one := uint32(1)
	c.pause("", true)
	c.setQueue(task.QueueChange{Queue: task.DefaultQueue, Concurrency: &one})
	w := c.work(3, "a", "b", "c")
	for _, typ := range []string{"a", "b", "c"} {
		c.submitType(typ, 40)
	}
	c.pause("", false)
	eventually(t, "a type is done", func() bool { return max(w.finished("a"), w.finished("b"), w.finished("c")) == 40 })
	for _, typ := range []string{"a", "b", "c"} {
		if got := w.finished(typ); got < 30 {
			t.Errorf("%d tasks of type %s were done while all 40 of another were", got, typ)
		}
	}
}
