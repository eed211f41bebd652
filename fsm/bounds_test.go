package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// applier applies commands one entry at a time.
type applier struct {
	t     *testing.T
	fsm   *FSM
	index uint64
}

func (a *applier) apply(c Command) Result { return a.applyAt(epoch, c) }

func (a *applier) applyAt(now time.Time, c Command) Result {
	a.t.Helper()
	e, err := Encode(c)
	if err != nil {
		a.t.Fatal(err)
	}
	a.index++
	r := a.fsm.Apply(&raft.Log{Index: a.index, Term: 1, Type: raft.LogCommand, Data: append(AppendHeader(nil, 1, now), e...)})
	return r.([]Result)[0]
}

func idOf(n int) task.ID {
	id := task.ID{0x01, 0x8b, 0xcf, 0xe5, 0x68, 0, 0x70, 0, 0x80}
	binary.BigEndian.PutUint32(id[12:], uint32(n))
	return id
}

func (a *applier) submit(specs ...task.Spec) Result {
	c := &Submit{Specs: specs, DedupWindow: 24 * time.Hour}
	for i := range specs {
		specs[i].Type = "t"
		c.Hashes = append(c.Hashes, specs[i].ContentHash())
	}
	return a.apply(c)
}

// TestDependantsAreToldInBoundedSteps: a parent with more children than one command may touch releases each of them
// once, some now and the rest in steps; a child that is added meanwhile is not told twice.
func TestDependantsAreToldInBoundedSteps(t *testing.T) {
	st := openStore(t, t.TempDir())
	a := &applier{t: t, fsm: newFSM(st)}
	parent, other := idOf(0), idOf(1)
	a.submit(task.Spec{ID: parent, Retention: time.Second}, task.Spec{ID: other})
	const children = 2500
	for n := 2; n < children+2; n++ {
		a.submit(task.Spec{ID: idOf(n), Dependencies: []task.ID{parent}})
	}
	claimed := a.apply(&Claim{Session: task.SessionID{1}, WorkerID: "w", Queues: []string{"default"}, Max: 1, Lease: time.Minute})
	r := a.apply(&Finish{Outcomes: []task.Outcome{{ID: parent, LeaseID: claimed.Tasks[0].LeaseID, Kind: task.Success}}, Delays: []time.Duration{0}, Hashes: make([][][16]byte, 1)})
	if !r.More || r.Count > task.MaxTouch {
		t.Fatalf("the end of the parent touched %d tasks, more: %v", r.Count, r.More)
	}
	reap := func() int {
		return a.applyAt(epoch.Add(time.Minute), &Reap{Max: task.MaxTouch, DedupWindow: 24 * time.Hour}).Count
	}
	if n := reap(); n != 0 {
		t.Fatalf("the parent was deleted although its children are not told yet: %d", n)
	}
	late := idOf(children + 2)
	a.submit(task.Spec{ID: late, Dependencies: []task.ID{parent, other}})
	steps := 0
	for more := true; more; steps++ {
		if steps > children {
			t.Fatal("steps do not end")
		}
		r := a.apply(&Step{})
		if r.Count > task.MaxTouch {
			t.Fatalf("a step touched %d tasks", r.Count)
		}
		more = r.More
	}
	if steps < 2 {
		t.Errorf("%d steps", steps)
	}
	if work, err := HasWork(st); err != nil || work {
		t.Errorf("work is left: %v, %v", work, err)
	}
	if n := reap(); n != 1 {
		t.Errorf("%d tasks were deleted, want the parent", n)
	}
	if got := st.Stats().Total; got.Ready != children+1 || got.Blocked != 1 {
		t.Errorf("%d ready, %d blocked", got.Ready, got.Blocked)
	}
	if got, err := st.Task(late, false); err != nil || got.WaitingFor != 1 {
		t.Errorf("the late child waits for %d, %v", got.WaitingFor, err)
	}
	if err := st.Check(); err != nil {
		t.Error(err)
	}
}

// TestNothingIsAnsweredAfterTheStoreFailed: the failure is reported once, and no entry gets a Result from then on.
func TestNothingIsAnsweredAfterTheStoreFailed(t *testing.T) {
	st := openStore(t, t.TempDir())
	var fatal []error
	f := New(st, Options{OnCommit: func(Committed) {}, OnMark: func(_ uint64, s *store.Snapshot) { s.Release() }, OnFatal: func(err error) { fatal = append(fatal, err) }})
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	e, err := Encode(&Promote{Max: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		l := &raft.Log{Index: uint64(i + 1), Term: 1, Type: raft.LogCommand, Data: append(AppendHeader(nil, 1, epoch), e...)}
		if r, ok := f.Apply(l).(error); !ok || !errors.Is(r, task.ErrShutdown) {
			t.Errorf("apply %d answered %v", i, r)
		}
	}
	if len(fatal) != 1 {
		t.Errorf("the failure was reported %d times", len(fatal))
	}
}

// TestClaimStopsAtItsBytes: a claim takes no more payload than a frame holds, but always one task.
func TestClaimStopsAtItsBytes(t *testing.T) {
	a := &applier{t: t, fsm: newFSM(openStore(t, t.TempDir()))}
	for n := range 4 {
		a.submit(task.Spec{ID: idOf(n), Payload: make([]byte, task.MaxClaimBytes/2-task.MaxHeaders)})
	}
	a.submit(task.Spec{ID: idOf(4), Payload: make([]byte, task.MaxPayload)})
	for _, want := range []int{2, 2, 1, 0} {
		r := a.apply(&Claim{Session: task.SessionID{1}, WorkerID: "w", Queues: []string{"default"}, Max: 10, Lease: time.Minute})
		if len(r.Tasks) != want {
			t.Errorf("claimed %d tasks, want %d", len(r.Tasks), want)
		}
	}
}

// TestRetentionsAreBounded: so many types may have a retention of their own, and a type beyond them is refused without
// effect, also on what a restored machine knows.
func TestRetentionsAreBounded(t *testing.T) {
	st := openStore(t, t.TempDir())
	a := &applier{t: t, fsm: newFSM(st)}
	set := func(typ string, keep time.Duration) error {
		return a.apply(&SetRetention{task.Retention{Type: typ, Completed: keep}}).Err
	}
	for n := range task.MaxRetentions {
		if err := set(fmt.Sprint(n), time.Hour); err != nil {
			t.Fatal(n, err)
		}
	}
	a.fsm = newFSM(st)
	if err := set("one more", time.Hour); !errors.Is(err, task.ErrTooLarge) {
		t.Fatal(err)
	}
	if err := errors.Join(set("7", time.Minute), set("8", 0), set("one more", time.Hour)); err != nil {
		t.Fatal(err)
	}
	list, err := Retentions(st)
	if err != nil || len(list) != task.MaxRetentions {
		t.Fatal(len(list), err)
	}
	for _, r := range list {
		if r.Type == "8" || r.Completed != time.Hour && r.Type != "7" {
			t.Errorf("%+v", r)
		}
	}
}

// TestOrphansAreToldInBoundedSteps: a dead parent is deleted whose retry more children wait for than one command may touch.
func TestOrphansAreToldInBoundedSteps(t *testing.T) {
	st := openStore(t, t.TempDir())
	a := &applier{t: t, fsm: newFSM(st)}
	const children = 2500
	parent := idOf(0)
	a.submit(task.Spec{ID: parent, Retention: time.Second})
	for n := 1; n <= children; n++ {
		a.submit(task.Spec{ID: idOf(n), Dependencies: []task.ID{parent}, OnDependencyFailure: task.PolicyBlock})
	}
	for r := a.apply(&Cancel{IDs: []task.ID{parent}}); r.More; {
		r = a.apply(&Step{})
	}
	later := epoch.Add(time.Minute)
	r := a.applyAt(later, &Reap{Max: task.MaxTouch, DedupWindow: time.Nanosecond})
	if r.Count != 1 || !r.More {
		t.Fatalf("reaped %d tasks, more: %v", r.Count, r.More)
	}
	steps := 0
	for ; r.More; steps++ {
		if r = a.applyAt(later, &Step{}); r.Count > task.MaxTouch {
			t.Fatalf("a step touched %d tasks", r.Count)
		}
	}
	if n := st.Stats().Queues[0]; n.Blocked != 0 || n.Cancelled != children || steps < 2 {
		t.Fatalf("%d blocked, %d cancelled after %d steps", n.Blocked, n.Cancelled, steps)
	}
}
