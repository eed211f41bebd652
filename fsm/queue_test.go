package fsm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// queue reads "QUEUE [type=T] [pause|resume] [key=value ...]"; rate is COUNT/PER/BURST or none.
func (s *script) queue(queue string, words []string) Command {
	args := arguments(words)
	c := task.QueueChange{Queue: queue, Type: args["type"], Reason: args["reason"]}
	for _, w := range words {
		if paused := w == "pause"; paused || w == "resume" {
			c.Paused = &paused
		}
	}
	size := func(key string) *uint64 {
		if _, ok := args[key]; !ok {
			return nil
		}
		n := uint64(number(args[key], 0))
		return &n
	}
	c.Depth, c.Bytes = size("depth"), size("bytes")
	if n := size("concurrency"); n != nil {
		small := uint32(*n)
		c.Concurrency = &small
	}
	if v, ok := args["aging"]; ok {
		d := duration(v)
		c.Aging = &d
	}
	if v, ok := args["rate"]; ok {
		c.Rate = &task.Rate{}
		if parts := strings.Split(v, "/"); len(parts) == 3 {
			*c.Rate = task.Rate{Count: uint32(number(parts[0], 0)), Per: duration(parts[1]), Burst: uint32(number(parts[2], 0))}
		}
	}
	s.must(c.Validate())
	return &SetQueue{Change: c}
}

// queues prints the settings and what they are held against.
func (s *script) queues() string {
	all, err := Queues(s.store)
	s.must(err)
	var out strings.Builder
	for i := range all {
		q := &all[i]
		u := s.store.Occupancy(nameOf(q))
		n, next := s.fsm.Room(nameOf(q), s.now)
		fmt.Fprintf(&out, "%s/%s paused=%v:%s concurrency=%d rate=%s:%d depth=%d bytes=%d aging=%s: running=%d waiting=%d bytes=%d",
			q.Queue, q.Type, q.Paused, q.Reason, q.Concurrency, q.Rate, q.Rate.Burst, q.Depth, q.Bytes, q.Aging, u.Running, u.Waiting, u.Bytes)
		if n < 1000 {
			fmt.Fprintf(&out, " room=%d", n)
		}
		if !next.IsZero() {
			fmt.Fprintf(&out, " next=+%s", next.Sub(epoch))
		}
		fmt.Fprintln(&out)
	}
	return out.String()
}

func (a *applier) applyAfter(d time.Duration, c Command) Result {
	a.t.Helper()
	e, err := Encode(c)
	if err != nil {
		a.t.Fatal(err)
	}
	a.index++
	r := a.fsm.Apply(&raft.Log{Index: a.index, Term: 1, Type: raft.LogCommand, Data: append(AppendHeader(nil, 1, epoch.Add(d)), e...)})
	return r.([]Result)[0]
}

func (a *applier) set(c task.QueueChange) error {
	a.t.Helper()
	if err := c.Validate(); err != nil {
		a.t.Fatal(err)
	}
	return a.apply(&SetQueue{Change: c}).Err
}

func claimOf(n int) *Claim {
	return &Claim{Session: task.SessionID{1}, WorkerID: "w", Queues: []string{"default"}, Max: n, Lease: time.Minute}
}

// TestRateOverTime: whatever the moments of claims and the period of the rate, as many tasks are claimed as the rate
// says, within 10 %, in each second after the burst; also after a restart in the middle.
func TestRateOverTime(t *testing.T) {
	for _, rate := range []task.Rate{
		{Count: 100, Per: time.Second, Burst: 10}, {Count: 7, Per: 100 * time.Millisecond, Burst: 7}, {Count: 3000, Per: time.Minute, Burst: 1},
		{Count: 1_000_000, Per: 24 * time.Hour, Burst: 3},
	} {
		t.Run(rate.String(), func(t *testing.T) {
			st := openStore(t, t.TempDir())
			a := &applier{t: t, fsm: newFSM(st)}
			for n := range 1000 {
				a.submit(task.Spec{ID: idOf(n)})
			}
			if err := a.set(task.QueueChange{Queue: "default", Rate: &rate}); err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(1, 2))
			const length = 5 * time.Second
			got, at := 0, time.Duration(0)
			for at < length {
				got += len(a.applyAfter(at, claimOf(1+rng.IntN(5))).Tasks)
				if at > length/2 && rng.IntN(100) == 0 {
					a.fsm = newFSM(st)
				}
				at += time.Duration(rng.IntN(5_000)) * time.Microsecond
			}
			want := int(rate.Burst) + int(length*time.Duration(rate.Count)/rate.Per)
			if got > want || got < want-want/10 {
				t.Errorf("%d tasks were claimed in %s, want %d", got, length, want)
			}
		})
	}
}

// TestBucketExtremes: the largest and the slowest rates neither overflow nor stand still.
func TestBucketExtremes(t *testing.T) {
	for _, r := range []task.Rate{
		{Count: 1, Per: task.MaxRatePer, Burst: task.MaxRateCount}, {Count: task.MaxRateCount, Per: task.MinRatePer, Burst: task.MaxRateCount},
		{Count: task.MaxRateCount, Per: task.MaxRatePer, Burst: 1}, {Count: 1, Per: task.MinRatePer, Burst: 1},
	} {
		b, now := bucket{}, epoch.UnixMicro()
		if n, _ := b.left(&r, 1<<62); n != int64(r.Burst) {
			t.Errorf("%s: %d tasks left after a long rest, want %d", r, n, r.Burst)
		}
		b = bucket{level: 0, at: now}
		n, next := b.left(&r, now)
		if n != 0 || next <= now {
			t.Fatalf("%s: %d tasks left in an empty bucket, the next at %d", r, n, next)
		}
		if n, _ := b.left(&r, next-1); n != 0 {
			t.Errorf("%s: %d tasks before the time that was told", r, n)
		}
		if n, _ := b.left(&r, next); n == 0 {
			t.Errorf("%s: no task at the time that was told", r)
		}
		if late, _ := b.left(&r, now-1_000_000); late != 0 {
			t.Errorf("%s: time that went back brought %d tasks", r, late)
		}
	}
}

// TestConcurrencyIsNeverExceeded: whatever ends and begins in whatever entry, and over restarts and requeues, no more
// tasks run than a queue and its types allow, and the room is used.
func TestConcurrencyIsNeverExceeded(t *testing.T) {
	st := openStore(t, t.TempDir())
	a := &applier{t: t, fsm: newFSM(st)}
	five, two := uint32(5), uint32(2)
	if err := errors.Join(a.set(task.QueueChange{Queue: "default", Concurrency: &five}), a.set(task.QueueChange{Queue: "default", Type: "b", Concurrency: &two})); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	var running []*task.Task
	reached := 0
	for n := range 600 {
		c := &Submit{DedupWindow: 24 * time.Hour, Specs: []task.Spec{{ID: idOf(n), Type: string(rune('a' + rng.IntN(2)))}}}
		c.Hashes = [][16]byte{c.Specs[0].ContentHash()}
		a.apply(c)
		running = append(running, a.apply(claimOf(1+rng.IntN(4))).Tasks...)
		queue, b := st.Occupancy(store.Pair{Queue: "default"}), st.Occupancy(store.Pair{Queue: "default", Type: "b"})
		if queue.Running > int64(five) || b.Running > int64(two) || queue.Running != int64(len(running)) {
			t.Fatalf("%d tasks run, %d of type b, of %d leased", queue.Running, b.Running, len(running))
		}
		if queue.Running == int64(five) {
			reached++
		}
		for range rng.IntN(3) {
			if len(running) == 0 {
				break
			}
			i := rng.IntN(len(running))
			x := running[i]
			running = append(running[:i], running[i+1:]...)
			switch rng.IntN(4) {
			case 0:
				a.apply(&Release{Ended: []Ended{{ID: x.ID, LeaseID: x.LeaseID, Kind: task.LeaseExpired, Crash: true}}})
			case 1:
				a.apply(&Requeue{Max: task.MaxTouch})
				running = nil
			default:
				a.apply(&Finish{Outcomes: []task.Outcome{{ID: x.ID, LeaseID: x.LeaseID, Kind: task.Success}}, Delays: []time.Duration{0}, Hashes: make([][][16]byte, 1)})
			}
		}
		if rng.IntN(20) == 0 {
			a.fsm = newFSM(st)
		}
	}
	if reached < 100 {
		t.Errorf("the limit was reached %d times", reached)
	}
	if err := st.Check(); err != nil {
		t.Error(err)
	}
}

// TestQueueSettingsAreBounded: a queue too many is refused without effect, one that has settings can still be changed,
// and a restarted machine knows as much.
func TestQueueSettingsAreBounded(t *testing.T) {
	st := openStore(t, t.TempDir())
	a := &applier{t: t, fsm: newFSM(st)}
	yes, no := true, false
	set := func(n int, paused *bool) error {
		return a.set(task.QueueChange{Queue: "default", Type: fmt.Sprint(n), Paused: paused})
	}
	for n := range task.MaxQueueSettings {
		if err := set(n, &yes); err != nil {
			t.Fatal(err)
		}
	}
	a.fsm = newFSM(st)
	if err := set(task.MaxQueueSettings, &yes); !errors.Is(err, task.ErrTooLarge) {
		t.Errorf("one too many: %v", err)
	}
	if err := errors.Join(set(7, &yes), set(task.MaxQueueSettings, &no), set(8, &no), set(task.MaxQueueSettings, &yes)); err != nil {
		t.Error(err)
	}
	all, err := Queues(st)
	if err != nil || len(all) != task.MaxQueueSettings {
		t.Errorf("%d settings, %v", len(all), err)
	}
}

// TestFullQueueSaysWhenToTryAgain: the receipt carries the time, and what of an atomic batch did not fit.
func TestFullQueueSaysWhenToTryAgain(t *testing.T) {
	a := &applier{t: t, fsm: newFSM(openStore(t, t.TempDir()))}
	two := uint64(2)
	if err := a.set(task.QueueChange{Queue: "default", Depth: &two}); err != nil {
		t.Fatal(err)
	}
	c := &Submit{Atomic: true, DedupWindow: 24 * time.Hour}
	for n := range 3 {
		c.Specs = append(c.Specs, task.Spec{ID: idOf(n), Type: "t"})
		c.Hashes = append(c.Hashes, c.Specs[n].ContentHash())
	}
	r := a.apply(c)
	var later *task.RetryLater
	if !errors.Is(r.Err, task.ErrAborted) || !errors.As(r.Receipts[2].Err, &later) || later.After <= 0 || !errors.Is(later, task.ErrQueueFull) {
		t.Errorf("%v %+v", r.Err, r.Receipts)
	}
	if got := a.fsm.store.Stats().Total; got.Pending != 0 {
		t.Errorf("%d tasks were added", got.Pending)
	}
	if r := a.submit(task.Spec{ID: idOf(0)}, task.Spec{ID: idOf(1)}, task.Spec{ID: idOf(2)}, task.Spec{ID: idOf(0)}); r.Receipts[0].Err != nil ||
		r.Receipts[1].Err != nil || !errors.Is(r.Receipts[2].Err, task.ErrQueueFull) || !r.Receipts[3].Duplicate {
		t.Errorf("%+v", r.Receipts)
	}
}

// TestCommitTellsOfFreedSlots: only pairs and queues with a limit of concurrency, and only if fewer tasks run than before.
func TestCommitTellsOfFreedSlots(t *testing.T) {
	var freed []store.Pair
	st := openStore(t, t.TempDir())
	f := New(st, Options{
		OnCommit: func(c Committed) { freed = c.Freed }, OnMark: func(_ uint64, s *store.Snapshot) { s.Release() }, OnFatal: func(err error) { panic(err) },
	})
	a := &applier{t: t, fsm: f}
	one := uint32(1)
	for n := range 3 {
		a.submit(task.Spec{ID: idOf(n)})
	}
	finish := func(x *task.Task) {
		a.apply(&Finish{Outcomes: []task.Outcome{{ID: x.ID, LeaseID: x.LeaseID, Kind: task.Success}}, Delays: []time.Duration{0}, Hashes: make([][][16]byte, 1)})
	}
	finish(a.apply(claimOf(1)).Tasks[0])
	if freed != nil {
		t.Errorf("without limits: %v", freed)
	}
	pair := store.Pair{Queue: "default", Type: "t"}
	for _, step := range []struct {
		typ  string
		want store.Pair
	}{{"t", pair}, {"", store.Pair{Queue: "default"}}} {
		if err := a.set(task.QueueChange{Queue: "default", Type: step.typ, Concurrency: &one}); err != nil {
			t.Fatal(err)
		}
		x := a.apply(claimOf(5)).Tasks
		if len(x) != 1 || freed != nil {
			t.Fatalf("%d tasks, freed %v", len(x), freed)
		}
		finish(x[0])
		if diff := cmp.Diff([]store.Pair{step.want}, freed); diff != "" {
			t.Error(diff)
		}
	}
}

// TestRestoredMachineKnowsItsQueues: a machine that gets another's state goes by that one's settings and rates, not by its
// own of before.
func TestRestoredMachineKnowsItsQueues(t *testing.T) {
	from, to := &applier{t: t, fsm: newFSM(openStore(t, t.TempDir()))}, &applier{t: t, fsm: newFSM(openStore(t, t.TempDir()))}
	yes := true
	rate := task.Rate{Count: 1, Per: time.Hour, Burst: 2}
	for n := range 5 {
		from.submit(task.Spec{ID: idOf(n)})
	}
	if err := errors.Join(from.set(task.QueueChange{Queue: "default", Rate: &rate}), to.set(task.QueueChange{Queue: "default", Paused: &yes})); err != nil {
		t.Fatal(err)
	}
	if got := from.apply(claimOf(1)).Tasks; len(got) != 1 {
		t.Fatalf("%d tasks", len(got))
	}
	c, err := from.fsm.store.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	r, err := c.Reader()
	if err != nil {
		t.Fatal(err)
	}
	if err := to.fsm.Restore(r); err != nil {
		t.Fatal(err)
	}
	to.index = from.index
	to.fsm.Defer(false)
	if n, _ := to.fsm.Room(store.Pair{Queue: "default"}, epoch); n != 1 || !to.fsm.Gated() {
		t.Errorf("room for %d tasks", n)
	}
	if got := to.apply(claimOf(5)).Tasks; len(got) != 1 {
		t.Errorf("%d tasks were claimed, want the one that the rate has left", len(got))
	}
}
