package haikutest

import (
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

func ptr[T any](v T) *T { return &v }

// set changes settings of the scenario's queue, or of a type in it, and notes all there are.
func (p *player) set(typ string, c task.QueueChange) {
	p.t.Helper()
	c.Queue, c.Type = p.queue, typ
	p.see("set: %s", refusal(p.c.SetQueue(p.within(), c)))
	p.queues()
}

func (p *player) queues() {
	p.t.Helper()
	list, err := p.c.Queues(p.within(), p.queue)
	p.must(err)
	for _, s := range list {
		p.see("  %+v, counts %+v, %d bytes", s.QueueSettings, s.Counts, s.WaitingBytes)
	}
}

func ofType(typ string) client.Option { return func(s *task.Spec) { s.Type = typ } }

func pauses(p *player) {
	p.submit("a", ofType("a"), client.Priority(200))
	p.submit("b", ofType("b"))
	p.set("a", task.QueueChange{Paused: ptr(true), Reason: "deploy"})
	p.claimFor(p.c, 10)
	p.submit("b again", ofType("b"))
	p.set("", task.QueueChange{Paused: ptr(true)})
	p.claimFor(p.c, 10)
	got := make(chan []*task.Task)
	go func() {
		tasks, err := p.c.Claim(p.within(), task.ClaimRequest{WorkerID: "w", Queues: []string{p.queue}, Max: 5, Wait: patience})
		if err != nil {
			p.t.Error(err)
		}
		got <- tasks
	}()
	p.set("a", task.QueueChange{Paused: ptr(false)})
	p.must(p.c.Resume(p.within(), p.queue, ""))
	p.see("the claim that waited got %d", len(<-got))
	p.set("a", task.QueueChange{Aging: ptr(time.Minute)})
	p.set("", task.QueueChange{})
	p.set("", task.QueueChange{Depth: ptr(uint64(7)), Match: "other"})
	p.set("", task.QueueChange{Depth: ptr(uint64(7)), Match: task.SettingsTag(nil)})
}

func concurrency(p *player) {
	for _, typ := range []string{"a", "a", "b", "b"} {
		p.submit(typ, ofType(typ))
	}
	p.set("", task.QueueChange{Concurrency: ptr(uint32(2))})
	p.set("a", task.QueueChange{Concurrency: ptr(uint32(1))})
	tasks := p.claimFor(p.c, 10)
	p.claimFor(p.c, 10)
	for _, t := range tasks {
		p.report(t, task.Success, nil)
	}
	p.claimFor(p.c, 10, "a")
	p.claimFor(p.c, 10)
}

func rates(p *player) {
	for range 5 {
		p.submit("limited")
	}
	p.set("", task.QueueChange{Rate: &task.Rate{Count: 1, Per: time.Hour, Burst: 2}})
	p.claimFor(p.c, 10)
	p.claimFor(p.c, 10)
	p.set("", task.QueueChange{Rate: &task.Rate{Count: 1, Per: time.Second, Burst: 1}})
	p.claimFor(p.c, 10)
	p.pass(time.Second)
	tasks, err := p.c.Claim(p.within(), task.ClaimRequest{WorkerID: "w", Queues: []string{p.queue}, Max: 10, Wait: patience})
	p.must(err)
	p.see("after a second: %d", len(tasks))
	p.set("", task.QueueChange{Rate: &task.Rate{}})
	p.claimFor(p.c, 10)
}

func full(p *player) {
	p.set("", task.QueueChange{Depth: ptr(uint64(2))})
	p.set("t", task.QueueChange{Bytes: ptr(uint64(8))})
	p.submit("123456789")
	p.submit("12345")
	p.submit("6789")
	p.submit("67", client.Unique("k", task.UniqueUntilDone))
	p.submit("x", ofType("other"))
	p.put("67890", client.Unique("k", task.UniqueUntilDone, task.ConflictReplace))
	specs := []task.Spec{p.spec("fits", ofType("other")), p.spec("not")}
	tasks := p.claimFor(p.c, 1)
	receipts, err := p.c.SubmitAtomic(p.within(), append(specs, p.spec("third")))
	p.see("%s", refusal(err))
	for _, r := range receipts {
		p.see("  %s %s", r.ID, refusal(r.Err))
	}
	p.report(tasks[0], task.Success, func(o *task.Outcome) { o.Submit = specs })
	p.queues()
}

func aging(p *player) {
	p.submit("strict", client.Priority(10))
	p.set("", task.QueueChange{Aging: ptr(time.Hour)})
	p.submit("urgent", client.Priority(12))
	p.submit("old", client.Priority(10), client.At(time.Now().Add(-3*time.Hour)))
	p.submit("young", client.Priority(10), client.At(time.Now().Add(-time.Hour)))
	p.claimFor(p.c, 10)
}

// kept: a retention that is set for a type, and one that is not as the client saw it.
func kept(p *player) {
	typ := ofType("short-lived")
	_, err := p.c.SetRetention(p.within(), task.Retention{Type: "short-lived", Completed: time.Second, DeadLetter: task.KeepForever})
	p.must(err)
	done, dead := p.submit("done", typ), p.submit("dead", typ, client.Priority(1))
	child := p.submit("child", client.DependsOn(done), client.Delay(time.Hour))
	p.report(p.claim(), task.Success, nil)
	p.report(p.claim(), task.Reject, nil)
	p.pass(time.Second)
	p.gone(done)
	p.show(done)
	p.show(dead)
	p.show(child)
	_, err = p.c.SetRetentionIf(p.within(), task.Retention{Type: "short-lived"}, "other")
	p.see("set: %s", refusal(err))
	list, err := p.c.SetRetention(p.within(), task.Retention{Type: "short-lived"})
	p.see("unset: %+v, %s", list, refusal(err))
	_, err = p.c.SetRetention(p.within(), task.Retention{Type: "t", Completed: -time.Hour})
	p.see("set: %s", refusal(err))
}

// firstBad: the first bad item of an atomic batch is named, whatever it and those after it are refused for.
func firstBad(p *player) {
	there := p.submit("there")
	fresh := func() task.Spec { return p.spec("fresh") }
	orphan := func() task.Spec { return p.spec("orphan", client.DependsOn(p.spec("nobody").ID)) }
	conflict := func() task.Spec { return p.spec("conflict", client.ID(there)) }
	held := p.spec("held", client.Unique("k", task.UniqueUntilDone))
	_, err := p.c.SubmitSpec(p.within(), held)
	p.must(err)
	rejected := func() task.Spec {
		return p.spec("rejected", client.Unique("k", task.UniqueUntilDone, task.ConflictReject))
	}
	a, b := fresh(), fresh()
	a.Dependencies, b.Dependencies = []task.ID{b.ID}, []task.ID{a.ID}
	child := p.spec("child", client.DependsOn(there))
	for _, specs := range [][]task.Spec{
		{fresh(), orphan(), conflict()}, {conflict(), orphan()}, {orphan(), a, b}, {a, orphan(), b}, {a, b, conflict()},
		{rejected(), a, b}, {child, conflict()}, {orphan(), rejected()}, {a, a, orphan()}, {orphan(), b, b},
	} {
		receipts, err := p.c.SubmitAtomic(p.within(), specs)
		p.see("%s", refusal(err))
		for _, r := range receipts {
			p.see("  %s %s", r.ID, refusal(r.Err))
		}
	}
	p.claimFor(p.c, 10)
}
