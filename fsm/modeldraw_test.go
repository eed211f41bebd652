package fsm

import (
	"time"

	"pgregory.net/rapid"

	"github.com/haiku-queue/haiku/task"
)

// command draws the next command, gives it to both, and lets time go by.
func (d *drive) command() {
	switch step := d.n("step", 100); {
	case step < 85:
		d.clock = d.clock.Add(time.Duration(d.n("ms", 1500)) * time.Millisecond)
	case step < 90:
		d.clock = d.clock.Add(-time.Duration(d.n("ms", 1500)) * time.Millisecond) // time itself never goes back
	case step < 98:
		d.clock = d.clock.Add(time.Duration(d.n("s", 60)) * time.Second)
	case step < 99:
		d.clock = d.clock.Add(time.Duration(d.n("h", 30)) * time.Hour)
	}
	if d.wide && d.n("wide", 10) == 0 {
		d.family()
		return
	}
	draw := rapid.SampledFrom([]func() Command{
		d.drawSubmit, d.drawSubmit, d.drawSubmit, d.drawSubmit, d.drawClaim, d.drawClaim, d.drawClaim, d.drawFinish, d.drawFinish,
		d.drawFinish, d.drawRelease, d.drawCancel, d.drawPromote, d.drawReap, d.drawSetting, d.drawRetry, d.drawRetry, d.drawDelete,
		d.drawExpire, d.drawOperation, d.drawOperation, d.drawOperation, d.drawSchedule, d.drawSchedule, d.drawMember, d.drawToken,
	}).Draw(d.t, "command")
	d.run(draw())
}

// n draws a number, each as likely as the others; IntRange prefers small ones.
func (d *drive) n(name string, below int) int {
	for len(d.numbers) < below {
		d.numbers = append(d.numbers, len(d.numbers))
	}
	return rapid.SampledFrom(d.numbers[:below]).Draw(d.t, name)
}

// anyID is mostly one that is known.
func (d *drive) anyID() task.ID {
	if len(d.ids) == 0 || d.n("unknown", 30) == 0 {
		return d.newID()
	}
	return d.ids[len(d.ids)-1-d.n("back", len(d.ids))]
}

func (d *drive) drawSubmit() Command {
	c := &Submit{Atomic: d.n("atomic", 3) == 0, DedupWindow: 24 * time.Hour}
	d.drawSpecs(c, 1+d.n("specs", 4))
	return c
}

func (d *drive) drawSpecs(c *Submit, count int) {
	batch := make([]task.ID, count)
	for i := range batch {
		batch[i] = d.newID()
		if d.n("again", 12) == 0 {
			batch[i] = d.anyID()
		}
		if i > 0 && d.n("twin", 60) == 0 {
			batch[i] = batch[i-1]
		}
	}
	for _, id := range batch {
		s := d.drawSpec(id)
		for range max(0, d.n("parents", 5)-2) {
			parent := d.anyID()
			if d.n("of the batch", 2) == 0 {
				parent = batch[d.n("parent", len(batch))]
			}
			if parent != id && !has(s.Dependencies, parent) {
				s.Dependencies = append(s.Dependencies, parent)
			}
		}
		if len(s.Dependencies) > 0 {
			s.OnDependencyFailure = task.DependencyPolicy(d.n("policy", 3))
		}
		d.drawUnique(&s)
		if old, ok := d.sent[id]; ok && d.n("the same", 2) == 0 {
			s = old
		}
		if err := s.Validate(); err != nil {
			d.t.Fatal(err)
		}
		d.sent[id] = s
		c.Specs, c.Hashes = append(c.Specs, s), append(c.Hashes, s.ContentHash())
	}
	for _, id := range batch {
		if !has(d.ids, id) {
			d.ids = append(d.ids, id)
		}
	}
}

func (d *drive) drawSpec(id task.ID) task.Spec {
	s := task.Spec{ID: id, Type: string(rune('a' + d.n("type", 3)))}
	if d.n("queue", 3) == 0 {
		s.Queue = "q"
	}
	if d.n("payload", 3) == 0 {
		s.Payload = make([]byte, d.n("bytes", 1500))
	}
	if d.n("urgent", 2) == 0 {
		p := task.Priority(d.n("priority", 4) + 98)
		s.Priority = &p
	}
	switch d.n("when", 8) {
	case 0:
		s.Delay = time.Duration(d.n("delay", 8000)) * time.Millisecond
	case 1:
		s.ScheduledAt = d.clock.Add(time.Duration(d.n("at", 8000)-4000) * time.Millisecond).Truncate(time.Second)
	}
	if d.n("retries", 3) == 0 {
		n := uint32(d.n("max", 3))
		s.MaxRetries = &n
	}
	if d.n("crashes", 3) == 0 {
		n := uint32(1 + d.n("max", 2))
		s.MaxCrashes = &n
	}
	if d.n("kept", 5) == 0 {
		s.Retention = time.Duration(1+d.n("retention", 30)) * time.Second
	}
	return s
}

func (d *drive) drawClaim() Command {
	c := &Claim{Session: task.SessionID{byte(1 + d.n("session", 3))}, WorkerID: "w", Max: 1 + d.n("max", 4), Lease: 30 * time.Second}
	c.Queues = [][]string{{"default"}, {"q"}, {"q", "default"}, {"default", "q", "nobody's"}}[d.n("queues", 4)]
	c.Types = [][]string{nil, nil, {"a"}, {"b", "c"}, {"c", "a", "x"}}[d.n("types", 5)]
	return c
}

// lease is mostly one that is held.
func (d *drive) lease() (Lease, bool) {
	running := d.model.pick(func(t *modelTask) bool { return t.status == task.InProgress }, byID)
	switch {
	case len(running) > 0 && d.n("held", 5) > 0:
		t := running[d.n("running", len(running))]
		return Lease{t.ID, t.lease}, true
	case len(d.leases) > 0:
		return d.leases[len(d.leases)-1-d.n("lease", len(d.leases))], true
	}
	return Lease{}, false
}

func (d *drive) drawProgress() (p task.Progress) {
	if d.n("progress", 4) == 0 {
		p = task.Progress{Percent: uint32(d.n("percent", 101)), Message: "going on", Cursor: []byte{byte(d.n("cursor", 9))}}
	}
	return p
}

func (d *drive) drawFinish() Command {
	c := &Finish{DedupWindow: 24 * time.Hour}
	for range 1 + d.n("outcomes", 3) {
		held, ok := d.lease()
		if !ok {
			return d.drawClaim()
		}
		kinds := []task.OutcomeKind{task.Success, task.Success, task.Failure, task.Failure, task.Snooze, task.Discard, task.Reject, task.Interrupted}
		o := task.Outcome{ID: held.ID, LeaseID: held.LeaseID, Kind: kinds[d.n("kind", len(kinds))], Progress: d.drawProgress()}
		var hashes [][16]byte
		if o.Kind == task.Success {
			o.Result = []byte("done")[:d.n("result", 5)]
			if d.n("more", 4) == 0 {
				s := &Submit{}
				d.drawSpecs(s, 1+d.n("specs", 3))
				if d.n("after it", 3) == 0 && !has(s.Specs[0].Dependencies, o.ID) && s.Specs[0].ID != o.ID {
					s.Specs[0].Dependencies, s.Specs[0].OnConflict = append(s.Specs[0].Dependencies, o.ID), task.ConflictReturn
					d.sent[s.Specs[0].ID] = s.Specs[0]
					s.Hashes[0] = s.Specs[0].ContentHash()
				}
				o.Submit, hashes = s.Specs, s.Hashes
			}
		} else if d.n("text", 2) == 0 {
			o.Error = "did not work"
		}
		if t := d.model.tasks[held.ID]; t != nil && t.last.lease == held.LeaseID && d.n("repeat", 2) == 0 {
			o.Kind, o.Result, o.Error, o.Submit, hashes = t.last.kind, t.last.result, t.last.err, nil, nil
			if o.Kind > task.Interrupted || len(t.last.hashes) > 0 {
				continue
			}
		}
		c.Outcomes, c.Hashes = append(c.Outcomes, o), append(c.Hashes, hashes)
		c.Delays = append(c.Delays, time.Duration(d.n("delay", 5000))*time.Millisecond)
	}
	return c
}

func (d *drive) drawRelease() Command {
	held, ok := d.lease()
	if !ok {
		return d.drawClaim()
	}
	kinds := []task.OutcomeKind{task.LeaseExpired, task.SessionLost, task.LeaseUnheard, task.Revoked, task.TimedOut}
	e := Ended{ID: held.ID, LeaseID: held.LeaseID, Kind: kinds[d.n("kind", len(kinds))], Progress: d.drawProgress()}
	switch e.Kind {
	case task.LeaseExpired, task.SessionLost:
		e.Crash = d.n("crash", 4) > 0
	case task.TimedOut:
		e.Delay = time.Duration(d.n("delay", 5000)) * time.Millisecond
	}
	return &Release{Ended: []Ended{e}}
}

func (d *drive) drawCancel() Command {
	c := &Cancel{}
	for range 1 + d.n("ids", 2) {
		c.IDs = append(c.IDs, d.anyID())
	}
	return c
}

func (d *drive) drawPromote() Command { return &Promote{Max: 1 + d.n("max", 10)} }

func (d *drive) drawReap() Command {
	return &Reap{Max: 1 + d.n("max", 10), DedupWindow: 24 * time.Hour}
}

// drawSetting is of what is rare.
func (d *drive) drawSetting() Command {
	seconds := func() time.Duration { return time.Duration(d.n("s", 60)) * time.Second }
	switch d.n("setting", 12) {
	case 0:
		return &SetDispatch{Paused: true}
	case 1, 2, 3:
		return &SetDispatch{}
	case 4:
		c := &SetRetention{task.Retention{Type: []string{"", "a", "b"}[d.n("type", 3)], Completed: seconds(), DeadLetter: seconds(), Cancelled: seconds()}}
		if d.n("for ever", 4) == 0 {
			c.Retention.DeadLetter = task.KeepForever
		}
		return c
	case 5:
		c := &Requeue{Max: d.n("max", 4)}
		if d.n("after", 2) == 0 {
			c.After = d.anyID()
		}
		return c
	case 6:
		return &Step{}
	}
	return d.drawSetQueue()
}

func (d *drive) drawSetQueue() Command {
	c := task.QueueChange{Queue: []string{"default", "default", "q"}[d.n("queue", 3)]}
	if d.n("of a type", 2) == 0 {
		c.Type = string(rune('a' + d.n("type", 3)))
	}
	if paused := d.n("paused", 6) == 0; d.n("pause", 2) == 0 {
		c.Paused = &paused
	}
	if n := uint32(d.n("concurrency", 6)); d.n("limit", 3) == 0 {
		c.Concurrency = &n
	}
	if r := (task.Rate{}); d.n("rate", 3) == 0 {
		if d.n("rated", 3) > 0 {
			r = task.Rate{Count: uint32(1 + d.n("count", 7)), Per: time.Duration(1+d.n("per", 3000)) * time.Millisecond, Burst: uint32(1 + d.n("burst", 4))}
		}
		c.Rate = &r
	}
	if depth, size := uint64(d.n("depth", 3)*15), uint64(d.n("size", 3)*4000); d.n("depths", 3) == 0 {
		c.Depth, c.Bytes = &depth, &size
	}
	if aging := time.Duration(d.n("aging", 3)) * 2 * time.Second; c.Type == "" && d.n("age", 3) == 0 {
		c.Aging = &aging
	}
	return &SetQueue{Change: c}
}

// family submits a parent with more children than one command may touch, and most often ends it.
func (d *drive) family() {
	parent := d.drawSpec(d.newID())
	ids := []task.ID{parent.ID}
	d.run(&Submit{Specs: []task.Spec{parent}, Hashes: [][16]byte{parent.ContentHash()}, DedupWindow: 24 * time.Hour})
	policy := task.DependencyPolicy(d.n("policy", 3))
	for range 2 + d.n("hundreds", 12) {
		c := &Submit{DedupWindow: 24 * time.Hour}
		for range 100 {
			s := task.Spec{ID: d.newID(), Type: "a", Dependencies: []task.ID{parent.ID}, OnDependencyFailure: policy}
			ids = append(ids, s.ID)
			c.Specs, c.Hashes = append(c.Specs, s), append(c.Hashes, s.ContentHash())
		}
		d.run(c)
	}
	d.ids = append(d.ids, ids...)
	if d.n("cancelled", 3) > 0 {
		d.run(&Cancel{IDs: []task.ID{parent.ID}})
		if d.n("retried", 2) == 0 {
			d.run(&Retry{IDs: []task.ID{parent.ID}})
		}
	}
}
