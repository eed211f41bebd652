package haikutest

import (
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// scenarios is what both brokers are compared by. Each has a queue of its own name.
var scenarios = map[string]func(*player){
	"order":        order,
	"types":        types,
	"duplicates":   duplicates,
	"atomic":       atomic,
	"refusals":     refusals,
	"success":      success,
	"failures":     failures,
	"retry_after":  retryAfter,
	"snooze":       snooze,
	"endings":      endings,
	"late":         late,
	"policies":     policies,
	"ended_parent": endedParents,
	"cancel":       cancelWaiting,
	"cancel_run":   cancelRunning,
	"follow_ups":   followUps,
	"progress":     progress,
	"crash":        crash,
	"poison":       poison,
	"timeout":      timeout,
	"delay":        delay,
	"waiting":      waiting,
	"lists":        lists,
	"drain":        drain,
	"reruns":       reruns,
	"unique":       unique,
	"contention":   contention,
	"deletions":    deletions,
	"expiry":       expiry,
	"retention":    retention,
	"kept":         kept,
	"first_bad":    firstBad,
	"pauses":       pauses,
	"concurrency":  concurrency,
	"rates":        rates,
	"full":         full,
	"aging":        aging,
	"schedule":     schedule,
	"calendar":     calendar,
	"operations":   operations,
	"steps":        steps,
}

func order(p *player) {
	p.submit("low", client.Priority(1))
	p.submit("first")
	p.submit("urgent", client.Priority(255))
	p.submit("second")
	p.submit("none", client.Priority(0))
	p.claimFor(p.c, 2)
	p.claimFor(p.c, 10)
	p.claimFor(p.c, 10)
}

func types(p *player) {
	for _, typ := range []string{"a", "b", "c"} {
		spec := p.spec(typ)
		spec.Type = typ
		_, err := p.c.SubmitSpec(p.within(), spec)
		p.must(err)
	}
	p.claimFor(p.c, 10, "c", "a")
	p.claimFor(p.c, 10, "x")
	p.claimFor(p.c, 10)
}

func duplicates(p *player) {
	id := p.submit("one")
	p.submit("one", client.ID(id))
	p.submit("one", client.ID(id), client.Priority(7))
	p.report(p.claim(), task.Success, nil)
	p.submit("one", client.ID(id))
	p.submit("one", client.ID(id), client.Priority(7))
	p.show(id)
}

func atomic(p *player) {
	a, b := p.spec("a"), p.spec("b")
	a.Dependencies = []task.ID{b.ID}
	try := func(what string, specs ...task.Spec) {
		receipts, err := p.c.SubmitAtomic(p.within(), specs)
		p.see("%s: %s", what, refusal(err))
		for _, r := range receipts {
			p.see("  %s duplicate %v, %s", r.ID, r.Duplicate, refusal(r.Err))
		}
		for _, s := range specs {
			p.show(s.ID)
		}
	}
	stranger := p.spec("stranger")
	stranger.Dependencies = []task.ID{p.spec("nobody").ID}
	try("unknown dependency", a, b, stranger)
	circle := b
	circle.Dependencies = []task.ID{a.ID}
	try("circle", a, circle)
	try("twice", b, b)
	try("child first", a, b)
	try("again", a, b)
	other := p.spec("other")
	changed := b
	changed.Payload = []byte("changed")
	try("conflict", other, changed)
}

func refusals(p *player) {
	child := p.spec("child", client.DependsOn(p.spec("nobody").ID))
	receipts, err := p.c.SubmitMany(p.within(), []task.Spec{child, p.spec("plain")})
	p.must(err)
	for _, r := range receipts {
		p.see("%s: %s", r.ID, refusal(r.Err))
	}
	p.show(child.ID)
	canceled, err := p.c.Cancel(p.within(), child.ID)
	p.must(err)
	p.see("cancel: %s", refusal(canceled[0].Err))
}

func success(p *player) {
	id := p.submit("one")
	t := p.claim()
	p.show(id)
	p.report(t, task.Success, func(o *task.Outcome) { o.Result = []byte("done") })
	p.show(id)
}

func failures(p *player) {
	id := p.submit("one")
	p.report(p.claim(), task.Failure, nil)
	p.show(id)
	p.claimFor(p.c, 1)
	p.pass(3 * time.Second)
	p.until(id, task.Ready)
	p.show(id)
	p.report(p.claim(), task.Failure, func(o *task.Outcome) { o.Error = "again" })
	p.show(id)
}

func retryAfter(p *player) {
	id := p.submit("one")
	p.report(p.claim(), task.Failure, func(o *task.Outcome) { o.RetryAfter = 2 * time.Second })
	p.show(id)
	p.pass(2 * time.Second)
	p.until(id, task.Ready)
	p.report(p.claim(), task.Success, nil)
	p.show(id)
}

func snooze(p *player) {
	id := p.submit("one")
	p.report(p.claim(), task.Snooze, func(o *task.Outcome) { o.RetryAfter = 2 * time.Second })
	p.show(id)
	p.claimFor(p.c, 1)
	p.pass(2 * time.Second)
	p.until(id, task.Ready)
	p.claim()
	p.show(id)
}

func endings(p *player) {
	discarded, rejected, returned := p.submit("discarded"), p.submit("rejected"), p.submit("returned")
	for _, kind := range []task.OutcomeKind{task.Discard, task.Reject, task.Interrupted} {
		p.report(p.claim(), kind, nil)
	}
	for _, id := range []task.ID{discarded, rejected, returned} {
		p.show(id)
	}
	p.claim()
}

func late(p *player) {
	id := p.submit("one")
	first := p.claim()
	p.report(first, task.Interrupted, nil)
	second := p.claim()
	p.report(first, task.Success, nil)
	p.heartbeat(p.c, ref(first))
	p.report(first, task.Interrupted, nil)
	p.report(second, task.Success, func(o *task.Outcome) { o.Result = []byte("done") })
	p.report(second, task.Success, func(o *task.Outcome) { o.Result = []byte("done") })
	p.report(second, task.Success, func(o *task.Outcome) { o.Result = []byte("other") })
	p.report(second, task.Failure, nil)
	ghost := *second
	ghost.ID = p.spec("ghost").ID
	p.report(&ghost, task.Success, nil)
	p.show(id)
}

func policies(p *player) {
	parent := p.submit("parent", client.Priority(200))
	good := p.submit("good", client.Priority(199))
	children := []task.ID{
		p.submit("cancelled", client.DependsOn(parent, good)),
		p.submit("ignoring", client.DependsOn(parent, good), client.OnDependencyFailure(task.PolicyIgnore)),
		p.submit("blocked", client.DependsOn(parent, good), client.OnDependencyFailure(task.PolicyBlock)),
	}
	children = append(children, p.submit("grandchild", client.DependsOn(children[0])))
	children = append(children, p.submit("heir", client.DependsOn(children[0]), client.OnDependencyFailure(task.PolicyIgnore)))
	show := func() {
		for _, id := range children {
			p.show(id)
		}
	}
	show()
	p.report(p.claim(), task.Reject, nil)
	show()
	p.report(p.claim(), task.Success, nil)
	show()
	p.claimFor(p.c, 10)
}

func endedParents(p *player) {
	dead, done := p.submit("dead"), p.submit("done")
	p.report(p.claim(), task.Reject, nil)
	p.report(p.claim(), task.Success, nil)
	for _, policy := range []task.DependencyPolicy{task.PolicyCancel, task.PolicyIgnore, task.PolicyBlock} {
		p.show(p.submit("of dead, "+policy.String(), client.DependsOn(dead), client.OnDependencyFailure(policy)))
	}
	p.show(p.submit("of done", client.DependsOn(done)))
	p.claimFor(p.c, 10)
}

func (p *player) cancel(id task.ID) {
	p.t.Helper()
	receipts, err := p.c.Cancel(p.within(), id)
	p.must(err)
	p.see("cancel %s: duplicate %v, %s", id, receipts[0].Duplicate, refusal(receipts[0].Err))
	p.show(id)
}

func cancelWaiting(p *player) {
	ready, scheduled := p.submit("ready"), p.submit("scheduled", client.Delay(time.Hour))
	blocked := p.submit("blocked", client.DependsOn(ready, scheduled))
	p.cancel(scheduled)
	p.show(blocked)
	p.cancel(ready)
	p.cancel(ready)
	p.cancel(p.submit("blocked again", client.DependsOn(p.submit("parent"))))
	parent := p.claim()
	p.report(parent, task.Failure, nil)
	p.cancel(parent.ID)
	done := p.submit("done")
	p.report(p.claim(), task.Success, nil)
	p.cancel(done)
}

func cancelRunning(p *player) {
	for _, kind := range []task.OutcomeKind{task.Success, task.Failure, task.Snooze, task.Discard, task.Interrupted, task.Reject} {
		id := p.submit(kind.String())
		t := p.claim()
		p.cancel(id)
		p.cancel(id)
		p.heartbeat(p.c, ref(t))
		p.report(t, kind, nil)
		p.show(id)
	}
}

func followUps(p *player) {
	id := p.submit("one")
	t := p.claim()
	child, bad := p.spec("child", client.DependsOn(id)), p.spec("bad", client.DependsOn(p.spec("nobody").ID))
	p.report(t, task.Success, func(o *task.Outcome) { o.Submit = []task.Spec{child, bad} })
	p.show(id)
	p.show(child.ID)
	next := p.spec("next", client.DependsOn(child.ID))
	for range 2 {
		p.report(t, task.Success, func(o *task.Outcome) { o.Submit = []task.Spec{child, next} })
	}
	p.show(id)
	p.show(child.ID)
	p.show(next.ID)
	p.report(p.claim(), task.Success, nil)
	p.report(p.claim(), task.Success, nil)
}

func progress(p *player) {
	id := p.submit("one")
	t := p.claim()
	r := ref(t)
	r.Progress = task.Progress{Percent: 40, Message: "on it", Cursor: []byte("c")}
	p.heartbeat(p.c, r)
	p.show(id)
	p.heartbeat(p.c, ref(t))
	p.show(id)
	p.report(t, task.Interrupted, nil)
	p.show(id)
	p.report(p.claim(), task.Success, nil)
	p.show(id)
}

// die ends a worker with all its connections, and waits until the broker has taken its task back.
func (p *player) die(c *client.Client, id task.ID, want task.Phase) {
	p.t.Helper()
	c.Close()
	p.untilPassing(id, want, Grace) // the broker in memory learns of the end a moment later
}

func crash(p *player) {
	id := p.submit("one")
	dies := p.connect()
	t := p.claimFor(dies, 1)[0]
	p.heartbeat(dies, ref(t))
	p.die(dies, id, task.Ready)
	p.show(id)
	dies = p.connect() // one that has never listed its lease: no crash of the task
	t = p.claimFor(dies, 1)[0]
	p.die(dies, id, task.Ready)
	p.show(id)
	p.report(t, task.Success, nil)
}

func poison(p *player) {
	id := p.submit("one", client.MaxCrashes(1))
	child := p.submit("child", client.DependsOn(id))
	dies := p.connect()
	t := p.claimFor(dies, 1)[0]
	p.heartbeat(dies, ref(t))
	p.die(dies, id, task.Phase(task.DeadLetter.String()))
	p.show(id)
	p.show(child)
}

func timeout(p *player) {
	id := p.submit("one", client.Timeout(time.Second))
	t := p.claim()
	p.heartbeat(p.c, ref(t))
	p.pass(time.Second)
	p.until(id, task.Phase(task.Failed.String()))
	p.show(id)
	p.heartbeat(p.c, ref(t))
	p.report(t, task.Success, nil)
	p.pass(3 * time.Second)
	p.until(id, task.Ready)
	p.claim()
}

func delay(p *player) {
	id := p.submit("later", client.Delay(3*time.Second), client.Priority(255))
	now := p.submit("now")
	p.submit("past", client.At(time.Unix(1, 0)))
	p.show(id)
	p.show(now)
	p.claimFor(p.c, 10)
	p.pass(3 * time.Second)
	p.until(id, task.Ready)
	p.claimFor(p.c, 10)
}

func waiting(p *player) {
	got := make(chan []*task.Task)
	go func() {
		tasks, err := p.c.Claim(p.within(), task.ClaimRequest{WorkerID: "w", Queues: []string{p.queue}, Max: 5, Wait: patience})
		if err != nil {
			p.t.Error(err)
		}
		got <- tasks
	}()
	id := p.submit("one")
	tasks := <-got
	p.see("the claim that waited got %d", len(tasks))
	ended := make(chan *task.Task)
	go func() {
		t, err := p.c.Wait(p.within(), id)
		if err != nil {
			p.t.Error(err)
		}
		ended <- t
	}()
	p.report(tasks[0], task.Success, func(o *task.Outcome) { o.Result = []byte("done") })
	p.see("who waited for the end sees %q", (<-ended).Result)
}

func lists(p *player) {
	p.submit("low", client.Priority(1))
	p.submit("high", client.Priority(201))
	p.submit("later", client.Delay(2*time.Hour))
	p.submit("soon", client.Delay(time.Hour))
	blocked := p.submit("blocked", client.DependsOn(p.submit("parent", client.Priority(255))))
	p.report(p.claim(), task.Failure, nil)
	parent := p.submit("first", client.Priority(1))
	for range 3 {
		p.submit("child", client.DependsOn(parent))
	}
	limit := task.Priority(200)
	for _, f := range []task.Filter{
		{}, {Status: task.Pending}, {Status: task.Failed}, {Order: task.OrderByPriority}, {Order: task.OrderByScheduled},
		{MinPriority: 2, MaxPriority: &limit}, {Type: "x"}, {Limit: 2}, {Limit: 4, Order: task.OrderByScheduled},
		{DependsOn: parent}, {DependsOn: parent, Limit: 2, Order: task.OrderByNewest}, {DependsOn: blocked}, {DependsOn: parent, Type: "x"},
		{Order: task.OrderByNewest}, {Order: task.OrderByNewest, Limit: 2, Type: "x"}, {Order: task.OrderByNewest, Status: task.Pending},
	} {
		f.Queue = p.queue
		p.see("list by %s, status %d", f.Order, f.Status)
		for {
			page, err := p.c.List(p.within(), f)
			p.must(err)
			for _, t := range page.Tasks {
				p.see("  %s %s, payload %d of %d", t.ID, t.Phase(), len(t.Payload), t.PayloadSize)
			}
			if f.Cursor = page.Next; f.Cursor == nil {
				break
			}
		}
	}
	stats, err := p.c.Counts(p.within(), task.StatsQuery{Queue: p.queue})
	p.must(err)
	p.see("counts %+v", stats.Total)
	p.see("of which %+v", stats.Queues)
	p.show(blocked)
}

func drain(p *player) {
	name := "worker of " + p.queue
	c := p.connect()
	claim := func() {
		tasks, err := c.Claim(p.within(), task.ClaimRequest{WorkerID: name, Queues: []string{p.queue}, Types: []string{"t", "u"}, Max: 1})
		p.must(err)
		p.see("claim gets %d", len(tasks))
	}
	see := func(what string, workers []member.Worker, err error) {
		p.see("%s: %s", what, refusal(err))
		for _, w := range workers {
			if w.Session == c.Session() {
				p.see("  %v of %v and %v, %d leases, draining %v", w.IDs, w.Queues, w.Types, w.Leases, w.Draining)
			}
		}
	}
	p.submit("one")
	p.submit("two")
	claim()
	workers, err := p.c.Workers(p.within())
	see("list", workers, err)
	p.heartbeat(c)
	workers, err = p.c.DrainWorker(p.within(), name+"?")
	see("drain of nobody", workers, err)
	workers, err = p.c.DrainWorker(p.within(), name)
	see("drain", workers, err)
	claim()
	p.heartbeat(c)
	workers, err = p.c.DrainWorker(p.within(), c.Session().String())
	see("drain again", workers, err)
}
