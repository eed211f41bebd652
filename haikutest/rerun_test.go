package haikutest

import (
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

// change retries or deletes tasks and notes the receipts.
func (p *player) change(what string, call func(ids ...task.ID) ([]task.Receipt, error), ids ...task.ID) {
	p.t.Helper()
	receipts, err := call(ids...)
	p.must(err)
	for _, r := range receipts {
		p.see("%s %s: duplicate %v, %s", what, r.ID, r.Duplicate, refusal(r.Err))
	}
}

func (p *player) retry(ids ...task.ID) {
	p.t.Helper()
	p.change("retry", func(ids ...task.ID) ([]task.Receipt, error) { return p.c.Retry(p.within(), ids...) }, ids...)
}

func (p *player) remove(ids ...task.ID) {
	p.t.Helper()
	p.change("delete", func(ids ...task.ID) ([]task.Receipt, error) { return p.c.Delete(p.within(), ids...) }, ids...)
}

func reruns(p *player) {
	dead := p.submit("dead", client.Priority(255))
	child := p.submit("child", client.DependsOn(dead))
	grandchild := p.submit("grandchild", client.DependsOn(child))
	blocked := p.submit("blocked", client.DependsOn(dead), client.OnDependencyFailure(task.PolicyBlock))
	ignoring := p.submit("ignoring", client.DependsOn(dead), client.OnDependencyFailure(task.PolicyIgnore))
	all := []task.ID{dead, child, grandchild, blocked, ignoring}
	showAll := func() {
		for _, id := range all {
			p.show(id)
		}
	}
	p.report(p.claim(), task.Reject, nil)
	p.until(blocked, task.Blocked)
	p.until(grandchild, task.Phase(task.Cancelled.String()))
	showAll()
	p.retry(child, dead, dead, p.spec("nobody").ID)
	p.until(grandchild, task.Blocked)
	showAll()
	p.report(p.claim(), task.Success, nil)
	p.claimFor(p.c, 10)
	p.retry(dead)
	failing := p.submit("failing", client.Priority(254), client.Delay(0))
	p.report(p.claim(), task.Failure, nil)
	p.retry(failing)
	p.report(p.claim(), task.Success, nil)
	showAll()
}

func deletions(p *player) {
	done, dead, waits := p.submit("done", client.Priority(255)), p.submit("dead", client.Priority(254)), p.submit("waits", client.Delay(time.Hour))
	blocked := p.submit("blocked", client.DependsOn(dead), client.OnDependencyFailure(task.PolicyBlock))
	beneath := p.submit("beneath", client.DependsOn(blocked), client.OnDependencyFailure(task.PolicyBlock))
	child := p.submit("child", client.DependsOn(waits))
	p.report(p.claim(), task.Success, nil)
	p.report(p.claim(), task.Reject, nil)
	p.submit("runs")
	runs := p.claim()
	p.remove(done, dead, waits, waits, runs.ID, p.spec("nobody").ID)
	p.until(beneath, task.Phase(task.Cancelled.String()))
	for _, id := range []task.ID{done, dead, waits, blocked, beneath, child, runs.ID} {
		p.show(id)
	}
	p.retry(blocked, dead)
	p.submit("done", client.ID(done), client.Priority(255))
	p.submit("done", client.ID(done))
	p.show(p.submit("after done", client.DependsOn(done)))
	p.show(p.submit("after dead", client.DependsOn(dead), client.OnDependencyFailure(task.PolicyBlock)))
}

func expiry(p *player) {
	late := p.submit("late", client.ExpiresIn(time.Second))
	child := p.submit("child", client.DependsOn(late))
	p.submit("started", client.ExpiresIn(time.Second), client.Priority(255))
	started := p.claim()
	p.pass(time.Second)
	p.until(late, task.Phase(task.DeadLetter.String()))
	p.until(child, task.Phase(task.Cancelled.String()))
	p.show(late)
	p.show(child)
	p.report(started, task.Success, nil)
	p.retry(late)
	p.until(child, task.Blocked)
	p.report(p.claim(), task.Success, nil)
	p.show(late)
}

func retention(p *player) {
	gone := p.submit("gone", client.Retention(time.Second), client.Priority(255))
	child := p.submit("child", client.DependsOn(gone), client.OnDependencyFailure(task.PolicyBlock))
	p.report(p.claim(), task.Reject, nil)
	p.pass(time.Second)
	p.until(child, task.Phase(task.Cancelled.String()))
	p.show(gone)
	p.show(child)
	p.submit("gone", client.ID(gone), client.Retention(time.Second), client.Priority(255))
}
