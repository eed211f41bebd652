package haikutest

import (
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

// put submits a task and notes whose receipt it gets, and how the task stands that has the key.
func (p *player) put(name string, opts ...client.Option) task.ID {
	p.t.Helper()
	receipt, err := p.c.SubmitSpec(p.within(), p.spec(name, opts...))
	p.see("submit %s: %s, existing %v, duplicate %v, %s", name, receipt.ID, receipt.Existing, receipt.Duplicate, refusal(err))
	if err == nil {
		p.show(receipt.ID)
	}
	return receipt.ID
}

// unique: how long each scope holds a key.
func unique(p *player) {
	done := client.Unique("k", task.UniqueUntilDone)
	pending := client.Unique("k", task.UniquePending)
	held := client.UniqueFor("k", 2*time.Second)
	first := p.put("until done", done, client.Priority(255))
	p.put("pending", pending, client.Priority(254))
	p.put("ttl", held, client.Priority(253))
	p.put("2", done)
	p.put("3", pending)
	p.put("4", held)
	tasks := p.claimFor(p.c, 3)
	p.put("5", done)
	p.put("6", pending)
	p.report(tasks[0], task.Reject, nil)
	p.report(tasks[2], task.Success, nil)
	p.put("7", held)
	second := p.put("8", done)
	p.retry(first)
	p.remove(second)
	p.retry(first)
	p.put("9", done)
}

// contention: each policy beside a waiting and a running task, and in batches.
func contention(p *player) {
	with := func(c task.ConflictPolicy) client.Option { return client.Unique("k", task.UniqueUntilDone, c) }
	p.put("first", with(task.ConflictReturn), client.Priority(7))
	p.put("rejected", with(task.ConflictReject))
	replacing := task.NewID()
	p.put("replaces", with(task.ConflictReplace), client.Priority(9), client.ID(replacing))
	p.put("replaces", with(task.ConflictReplace), client.Priority(9), client.ID(replacing))
	p.put("debounced", with(task.ConflictDebounce), client.Delay(time.Hour))
	p.claimFor(p.c, 1)
	p.put("now", with(task.ConflictReplace), client.Priority(9))
	specs := []task.Spec{p.spec("taken", with(task.ConflictReturn)), p.spec("fresh")}
	specs = append(specs, p.spec("after", client.DependsOn(specs[0].ID, specs[1].ID)))
	for _, submit := range []func() ([]task.Receipt, error){
		func() ([]task.Receipt, error) { return p.c.SubmitMany(p.within(), specs) },
		func() ([]task.Receipt, error) { return p.c.SubmitAtomic(p.within(), specs) },
		func() ([]task.Receipt, error) {
			return p.c.SubmitAtomic(p.within(), []task.Spec{p.spec("undone", with(task.ConflictReplace)), p.spec("bad", with(task.ConflictReject))})
		},
	} {
		receipts, err := submit()
		p.see("%s", refusal(err))
		for _, r := range receipts {
			p.see("  %s existing %v, duplicate %v, %s", r.ID, r.Existing, r.Duplicate, refusal(r.Err))
		}
	}
	running := p.claim()
	p.show(running.ID)
	p.put("late", with(task.ConflictReplace))
	p.report(running, task.Success, nil)
	p.put("next", with(task.ConflictReject))
}
