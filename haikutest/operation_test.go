package haikutest

import (
	"testing"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

// gone waits until a task is deleted.
func (p *player) gone(id task.ID) {
	p.t.Helper()
	ctx := p.within()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := p.c.Get(ctx, id); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.t.Fatalf("at %s: %s is never deleted", p.address, p.names[id])
		}
	}
}

// operate has an operation change tasks of the scenario's queue, after a dry run, and notes what came of it.
func (p *player) operate(action task.Action, s task.Selection) {
	p.t.Helper()
	s.Queue = p.queue
	o := task.OperationOrder{Action: action, Selection: s}
	would, err := p.c.TryOperation(p.within(), o)
	p.see("%s would change %d: %s", action, would.Changed, refusal(err))
	begun, err := p.c.StartOperation(p.within(), o)
	if err != nil {
		p.see("%s: %s", action, refusal(err))
		return
	}
	ended, err := p.c.AwaitOperation(p.within(), begun.ID, nil)
	p.see("%s: %s, changed %d, failed %d %q, %s", action, ended.State, ended.Changed, ended.Failed, ended.Error, refusal(err))
}

func operations(p *player) {
	var all []task.ID
	for _, name := range []string{"dead", "discarded", "done", "waits", "later"} {
		all = append(all, p.submit(name))
	}
	for _, kind := range []task.OutcomeKind{task.Reject, task.Discard, task.Success} {
		p.report(p.claim(), kind, nil)
	}
	child := p.submit("child", client.DependsOn(all[0]))
	orphan := p.submit("orphan", client.DependsOn(child))
	runs := p.claim()
	show := func() {
		for _, id := range append(all, child, orphan) {
			p.show(id)
		}
	}
	p.operate(task.ActionRetry, task.Selection{Statuses: []task.Status{task.DeadLetter}, ErrorContains: "nothing of the kind"})
	p.operate(task.ActionRetry, task.Selection{Statuses: []task.Status{task.Cancelled}, ErrorContains: ""})
	show()
	p.operate(task.ActionRetry, task.Selection{Type: "t", Statuses: []task.Status{task.DeadLetter}, ErrorContains: "went wrong"})
	p.until(orphan, task.Blocked)
	show()
	p.operate(task.ActionCancel, task.Selection{})
	p.until(orphan, task.Phase(task.Cancelled.String()))
	show()
	p.operate(task.ActionDelete, task.Selection{MaxPriority: ptr(task.Priority(0))})
	p.operate(task.ActionDelete, task.Selection{})
	show()
	p.report(runs, task.Success, nil)
	p.operate(task.ActionRetry, task.Selection{Statuses: []task.Status{task.Completed}})
}

// steps: an operation with a rate runs meanwhile, is the same when it is ordered again, and ends when it is cancelled.
func steps(p *player) {
	for range 5 {
		p.submit("one")
	}
	o := task.OperationOrder{ID: task.NewID(), Action: task.ActionCancel, Selection: task.Selection{Queue: p.queue}, Rate: 1}
	for range 2 {
		begun, err := p.c.StartOperation(p.within(), o)
		p.see("%s, %s", begun.State, refusal(err))
	}
	p.names[o.ID] = "operation"
	other := o
	other.Rate = 2
	_, err := p.c.StartOperation(p.within(), other)
	p.see("other: %s", refusal(err))
	for range 2 {
		ended, err := p.c.CancelOperation(p.within(), o.ID)
		p.see("%s, %v, %s", ended.State, ended.Changed < 5, refusal(err))
	}
	_, err = p.c.CancelOperation(p.within(), p.spec("nobody").ID)
	p.see("nobody: %s", refusal(err))
}

// TestOperationRate: an operation with a rate goes on as the clock does.
func TestOperationRate(t *testing.T) {
	b := Start(t)
	c := b.Client(t)
	for range 10 {
		submit(t, c, "t")
	}
	o, err := c.StartOperation(within(t), task.OperationOrder{Action: task.ActionCancel, Rate: 2})
	if err != nil {
		t.Fatal(err)
	}
	for seconds, want := range []uint64{1, 3, 5, 7, 9, 10} {
		if o, err = c.Operation(within(t), o.ID); err != nil || o.Changed != want || (o.State == task.OperationDone) != (want == 10) {
			t.Errorf("after %d s it is %+v, %v", seconds, o, err)
		}
		b.Advance(time.Second)
	}
}
