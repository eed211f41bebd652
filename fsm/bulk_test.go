package fsm

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/internal/damage"
	"github.com/haiku-queue/haiku/task"
)

// bulk runs a script's line on many tasks.
func (s *script) bulk(words []string, args map[string]string) string {
	const window = 24 * time.Hour
	var ids []task.ID
	for _, name := range words[1:] {
		if !strings.Contains(name, "=") {
			ids = append(ids, s.id(name))
		}
	}
	switch words[0] {
	case "retry":
		return s.apply(&Retry{IDs: ids})
	case "delete":
		return s.apply(&Delete{IDs: ids, DedupWindow: window})
	case "start":
		o := task.OperationOrder{ID: ids[0], Selection: task.Selection{
			Type: args["type"], Queue: args["queue"], ErrorContains: args["error"], MinPriority: task.Priority(number(args["min"], 0)),
		}}
		o.Action = map[string]task.Action{"retry": task.ActionRetry, "cancel": task.ActionCancel, "delete": task.ActionDelete}[args["action"]]
		for _, name := range split(args["status"], "") {
			status, err := task.ParseStatus(name)
			s.must(err)
			o.Selection.Statuses = append(o.Selection.Statuses, status)
		}
		if args["idle"] != "" {
			o.Selection.Idle = duration(args["idle"])
		}
		s.must(o.Validate())
		return s.apply(&StartOperation{o})
	case "step-operation":
		return s.stepOperation(ids[0], number(args["max"], task.MaxTouch))
	case "end":
		return s.apply(&EndOperation{ID: ids[0]})
	}
	return s.operations()
}

// stepOperation does what the leader does: it looks for tasks and proposes a step.
func (s *script) stepOperation(id task.ID, limit int) string {
	o, err := Operation(s.store, id)
	s.must(err)
	if o == nil {
		return s.apply(&StepOperation{ID: id})
	}
	found, err := s.store.Select(&o.Selection, o.Cursor, limit)
	s.must(err)
	return s.apply(&StepOperation{ID: id, Action: o.Action, From: o.Cursor, To: found.Last, IDs: found.IDs, Examined: found.Examined, Last: !found.More, DedupWindow: 24 * time.Hour})
}

func (s *script) operations() string {
	list, err := Operations(s.store)
	s.must(err)
	var out strings.Builder
	for _, o := range list {
		fmt.Fprintf(&out, "%s %s %s examined=%d changed=%d failed=%d", s.names[o.ID], o.Action, o.State, o.Examined, o.Changed, o.Failed)
		if o.Error != "" {
			fmt.Fprintf(&out, " error=%q", s.rename(o.Error))
		}
		out.WriteString("\n")
	}
	return out.String()
}

// family is a parent with many children on a machine of its own, all of them cancelled because the parent failed.
func family(t *testing.T, children int) (*applier, task.ID) {
	a := &applier{t: t, fsm: newFSM(openStore(t, t.TempDir()))}
	parent, none := idOf(0), uint32(0)
	a.submit(task.Spec{ID: parent, MaxRetries: &none})
	for n := 0; n < children; n += task.MaxItems {
		specs := make([]task.Spec, min(task.MaxItems, children-n))
		for i := range specs {
			specs[i] = task.Spec{ID: idOf(1 + n + i), Dependencies: []task.ID{parent}}
		}
		a.submit(specs...)
	}
	return a, parent
}

// end has a worker claim the first ready task, which is to be id, and report.
func (a *applier) end(id task.ID, kind task.OutcomeKind) Result {
	r := a.apply(&Claim{Session: task.SessionID{1}, WorkerID: "w", Queues: []string{"default"}, Max: 1, Lease: time.Minute})
	if len(r.Tasks) != 1 || r.Tasks[0].ID != id {
		a.t.Fatalf("claimed %v", r.Tasks)
	}
	return a.apply(&Finish{
		Outcomes: []task.Outcome{{ID: id, LeaseID: r.Tasks[0].LeaseID, Kind: kind}}, Delays: []time.Duration{0}, Hashes: make([][][16]byte, 1),
	})
}

// finishSteps makes steps until nothing is left, each within its bound.
func (a *applier) finishSteps() (steps int) {
	for more := true; more; steps++ {
		r := a.apply(&Step{})
		if r.Count > task.MaxTouch || steps > 10_000 {
			a.t.Fatalf("step %d touched %d tasks", steps, r.Count)
		}
		more = r.More
	}
	return steps
}

// TestParentOfMany: a parent with very many children dies, is retried, and completes. Each time all of them are told, by
// commands of which none touches more than its bound.
func TestParentOfMany(t *testing.T) {
	children := damage.Rounds(3_000, 1_000_000)
	a, parent := family(t, children)
	for _, stage := range []struct {
		name  string
		do    func() Result
		count func(c task.QueueCounts) uint64
	}{
		{"failure", func() Result { return a.end(parent, task.Failure) }, func(c task.QueueCounts) uint64 { return c.Cancelled }},
		{"retry", func() Result { return a.apply(&Retry{IDs: []task.ID{parent}}) }, func(c task.QueueCounts) uint64 { return c.Blocked }},
		{"success", func() Result { return a.end(parent, task.Success) }, func(c task.QueueCounts) uint64 { return c.Ready }},
	} {
		if r := stage.do(); r.Err != nil || r.Count > task.MaxTouch || !r.More {
			t.Fatalf("%s touched %d tasks, more: %v, %v", stage.name, r.Count, r.More, r.Err)
		}
		steps := a.finishSteps()
		if n := stage.count(a.fsm.store.Stats().Total); n != uint64(children) || steps < children/task.MaxTouch {
			t.Fatalf("after its %s %d of %d children were told in %d steps", stage.name, n, children, steps)
		}
	}
	if err := a.fsm.store.Check(); err != nil {
		t.Error(err)
	}
}

// TestRetryRearmsInBoundedSteps: also when the parent's first end is not told to all children yet when it is retried, and
// when it ends again before they are all armed again.
func TestRetryRearmsInBoundedSteps(t *testing.T) {
	const children = 2500
	for name, between := range map[string]func(a *applier){"told": func(a *applier) { a.finishSteps() }, "half told": func(*applier) {}} {
		t.Run(name, func(t *testing.T) {
			a, parent := family(t, children)
			if r := a.end(parent, task.Failure); !r.More {
				t.Fatal("everything was told at once")
			}
			between(a)
			if r := a.apply(&Retry{IDs: []task.ID{parent}}); r.Receipts[0].Err != nil || r.Count > task.MaxTouch || !r.More {
				t.Fatalf("retry touched %d tasks, more %v, %v", r.Count, r.More, r.Receipts)
			}
			st := a.fsm.store
			if name == "told" {
				a.finishSteps()
				if c := st.Stats().Total; c.Blocked != children || c.Ready != 1 {
					t.Fatalf("%+v", c)
				}
			}
			a.end(parent, task.Success)
			a.finishSteps()
			if c := st.Stats().Total; c.Ready != children || c.Completed != 1 {
				t.Errorf("%+v", c)
			}
			if work, err := HasWork(st); err != nil || work {
				t.Errorf("work is left: %v, %v", work, err)
			}
			if err := st.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestDeletedParentTellsItsChildren: a waiting parent with more children than one command touches, deleted with an id that
// is not to be remembered.
func TestDeletedParentTellsItsChildren(t *testing.T) {
	const children = 1500
	a, parent := family(t, children)
	if r := a.applyAt(epoch.Add(time.Hour), &Delete{IDs: []task.ID{parent}, DedupWindow: time.Minute}); r.Receipts[0].Err != nil || !r.More {
		t.Fatalf("%+v", r)
	}
	if n := a.applyAt(epoch.Add(time.Hour), &Reap{Max: 10, DedupWindow: time.Minute}).Count; n != 0 {
		t.Fatalf("%d ids were forgotten whose end is still to be told", n)
	}
	a.finishSteps()
	if c := a.fsm.store.Stats().Total; c.Cancelled != children {
		t.Errorf("%+v", c)
	}
	if n := a.applyAt(epoch.Add(time.Hour), &Reap{Max: 10, DedupWindow: time.Minute}).Count; n != 1 {
		t.Errorf("%d ids were forgotten, want the parent's", n)
	}
	if err := a.fsm.store.Check(); err != nil {
		t.Error(err)
	}
}

// TestRetryLooksUpBoundedDependencies: tasks that wait for too many others at once are left to the next request, and to
// the next step of an operation.
func TestRetryLooksUpBoundedDependencies(t *testing.T) {
	a := &applier{t: t, fsm: newFSM(openStore(t, t.TempDir()))}
	var parents []task.ID
	for n := range task.MaxDependencies {
		parents = append(parents, idOf(n))
		a.submit(task.Spec{ID: parents[n]})
	}
	const children = task.MaxBatchParents/task.MaxDependencies + 5
	var ids []task.ID
	for n := range children {
		ids = append(ids, idOf(2000+n))
		a.submit(task.Spec{ID: ids[n], Dependencies: parents})
	}
	a.apply(&Cancel{IDs: ids})
	order := task.OperationOrder{ID: idOf(5000), Action: task.ActionRetry}
	if err := order.Validate(); err != nil {
		t.Fatal(err)
	}
	a.apply(&StartOperation{order})
	for _, want := range []uint64{10, children} {
		o, err := Operation(a.fsm.store, order.ID)
		if err != nil {
			t.Fatal(err)
		}
		found, err := a.fsm.store.Select(&o.Selection, o.Cursor, 200)
		if err != nil {
			t.Fatal(err)
		}
		a.apply(&StepOperation{ID: o.ID, Action: o.Action, From: o.Cursor, To: found.Last, IDs: found.IDs, Examined: found.Examined, Last: !found.More})
		if o, err = Operation(a.fsm.store, order.ID); err != nil || o.Changed != want || o.Failed != 0 {
			t.Fatalf("%+v, %v, want %d", o, err, want)
		}
	}
	if c := a.fsm.store.Stats().Total; c.Blocked != children {
		t.Errorf("%+v", c)
	}
	a.apply(&Cancel{IDs: ids})
	r := a.apply(&Retry{IDs: ids})
	if r.Receipts[9].Err != nil || r.Receipts[10].Err == nil {
		t.Errorf("%v", r.Receipts)
	}
}
