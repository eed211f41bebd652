package fsm

import (
	"bytes"
	"slices"
	"time"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// drawUnique gives a task a unique key that others have too, and a time by which it has to be started.
func (d *drive) drawUnique(s *task.Spec) {
	if d.n("expires", 5) == 0 {
		if after := time.Duration(1+d.n("expiry", 8000)) * time.Millisecond; d.n("at", 2) == 0 {
			s.ExpiresIn = s.Delay + after
		} else {
			s.ExpiresAt = d.clock.Add(after)
			if s.ExpiresAt.Before(s.ScheduledAt) {
				s.ExpiresAt = s.ScheduledAt.Add(after)
			}
		}
	}
	if d.n("unique", 3) > 0 {
		return
	}
	s.UniqueKey, s.UniqueScope = []string{"k", "k", "l"}[d.n("key", 3)], task.UniqueScope(d.n("scope", 4))
	if s.UniqueScope == task.UniqueTTL {
		s.UniqueTTL = time.Duration(1+d.n("ttl", 40_000)) * time.Millisecond
	}
	if s.OnConflict = task.ConflictPolicy(d.n("conflict", 4)); len(s.Dependencies) > 0 {
		s.OnConflict %= task.ConflictReplace
	}
	if s.OnConflict == task.ConflictDebounce && s.Delay == 0 && s.ScheduledAt.IsZero() {
		s.OnConflict = task.ConflictReplace
	}
}

func (d *drive) drawIDs() (ids []task.ID) {
	for range 1 + d.n("ids", 3) {
		ids = append(ids, d.anyID())
	}
	return ids
}

// drawRetry is mostly of tasks that have ended without success.
func (d *drive) drawRetry() Command {
	c := &Retry{IDs: d.drawIDs()}
	over := d.model.pick(func(t *modelTask) bool { return t.status == task.DeadLetter || t.status == task.Cancelled }, byID)
	for i := range c.IDs {
		if len(over) > 0 && d.n("over", 4) > 0 {
			c.IDs[i] = over[d.n("which", len(over))].ID
		}
	}
	return c
}

func (d *drive) drawDelete() Command { return &Delete{IDs: d.drawIDs(), DedupWindow: 24 * time.Hour} }

func (d *drive) drawExpire() Command { return &Expire{Max: 1 + d.n("max", 5)} }

// drawOperation begins an operation, ends one, or does the next step of one that runs: as the leader would, which looks
// at what is committed and may come late with it.
func (d *drive) drawOperation() Command {
	var running []*task.Operation
	for _, id := range sortedIDs(d.model.operations) {
		if o := d.model.operations[id]; o.State == task.OperationRunning {
			running = append(running, o)
		}
	}
	switch kind := d.n("operation", 10); {
	case len(running) == 0 || kind < 2:
		return d.drawStart()
	case kind == 2 && d.n("end", 2) == 0:
		return &EndOperation{ID: slices.Concat(sortedIDs(d.model.operations), []task.ID{{1}})[d.n("which", 1+len(d.model.operations))]}
	case kind == 3 && d.later != nil:
		return d.later
	default:
		c := d.drawStep(running[d.n("which", len(running))])
		if kind == 4 {
			d.later = c
			return d.drawCancel()
		}
		return c
	}
}

func (d *drive) drawStart() Command {
	if len(d.orders) > 0 && d.n("again", 6) == 0 {
		o := d.orders[d.n("which", len(d.orders))]
		o.Rate += uint32(d.n("other", 2))
		return &StartOperation{o}
	}
	o := task.OperationOrder{ID: d.newID(), Action: task.Action(1 + d.n("action", 3))}
	s := &o.Selection
	s.Type = []string{"", "", "a", "b"}[d.n("type", 4)]
	s.Queue = []string{"", "", "q"}[d.n("queue", 3)]
	s.MinPriority = task.Priority(d.n("min", 2) * 99)
	if d.n("max", 3) == 0 {
		most := task.Priority(100)
		s.MaxPriority = &most
	}
	if d.n("idle", 3) == 0 {
		s.UpdatedBefore = d.clock.Add(-time.Duration(d.n("s", 20)) * time.Second)
	}
	if d.n("text", 4) == 0 {
		s.ErrorContains = "not work" // which the broker itself says of no task
	}
	if all := o.Action.Changes(); d.n("statuses", 2) == 0 {
		s.Statuses = all[d.n("status", len(all)):]
	}
	if err := o.Validate(); err != nil {
		d.t.Fatal(err)
	}
	d.orders = append(d.orders, o)
	return &StartOperation{o}
}

// drawStep looks for the next tasks of an operation; both sides have to find the same.
func (d *drive) drawStep(o *task.Operation) *StepOperation {
	limit := 1 + d.n("limit", 6)
	found, err := d.store.Select(&o.Selection, o.Cursor, limit)
	if err != nil {
		d.t.Fatal(err)
	}
	var want []task.ID
	for _, t := range d.model.next(o) {
		if found.More && bytes.Compare(t.ID[:], found.Last[:]) > 0 {
			break // it has looked at no more
		}
		want = append(want, t.ID)
	}
	if !slices.Equal(want, found.IDs) || len(found.IDs) > limit {
		d.t.Fatalf("operation %+v: found are %v, the model says %v", o, found.IDs, want)
	}
	c := &StepOperation{
		ID: o.ID, Action: o.Action, From: o.Cursor, To: found.Last, IDs: found.IDs, Examined: found.Examined, Last: !found.More,
		DedupWindow: 24 * time.Hour,
	}
	if d.n("more", 8) == 0 {
		c.IDs = append(c.IDs, d.anyID()) // mostly one that is not selected
	}
	return c
}

// drawSchedule is of one of three schedules.
func (d *drive) drawSchedule() Command {
	name := string(rune('x' + d.n("schedule", 3)))
	s := d.model.schedules[name]
	soon := func() time.Time {
		return d.clock.Add(time.Duration(d.n("soon", 20)) * time.Second).Truncate(time.Second)
	}
	if s == nil || d.n("set", 6) == 0 {
		return d.drawSetSchedule(name, s, soon())
	}
	c := &Fire{Name: name, Version: s.Version, Due: s.Next, At: s.Next, Next: soon()}
	switch d.n("fire", 12) {
	case 0:
		return &RemoveSchedule{Name: name}
	case 1, 2:
		return d.fires(&Fire{Name: name, Trigger: d.anyID()}, s)
	case 3:
		c.Version++
	case 4:
		c.Due = soon()
	case 5:
		c.At = time.Time{}
	case 6:
		if !c.At.IsZero() {
			c.At = c.At.Add(time.Duration(d.n("later", 3)) * time.Second)
		}
	case 7:
		c.Next = time.Time{}
	}
	return d.fires(c, s)
}

// fires notes the id of a task that may be submitted.
func (d *drive) fires(c *Fire, s *task.Schedule) Command {
	id := c.Trigger
	if id == (task.ID{}) {
		id = task.FireID(d.model.cluster, s.ID, c.At)
	}
	if (c.Trigger != task.ID{} || !c.At.IsZero()) && !has(d.ids, id) {
		d.ids = append(d.ids, id)
	}
	return c
}

func (d *drive) drawSetSchedule(name string, old *task.Schedule, next time.Time) Command {
	s := task.Schedule{Name: name, Expression: "@every 1m", Task: d.drawSpec(task.ID{}), Anchor: d.clock, Next: next}
	s.Task.Delay, s.Task.ScheduledAt = 0, time.Time{}
	if d.drawUnique(&s.Task); s.Task.OnConflict == task.ConflictDebounce {
		s.Task.OnConflict = task.ConflictReplace
	}
	s.Task.ExpiresAt = time.Time{}
	s.Overlap = task.Overlap(d.n("overlap", 2))
	if d.n("paused", 5) == 0 {
		s.Paused, s.PauseReason, s.Next = true, "stopped", time.Time{}
	}
	if old != nil && d.n("version", 5) > 0 {
		s.Version = old.Version
	}
	if err := s.Validate(); err != nil {
		d.t.Fatal(err)
	}
	return &SetSchedule{Schedule: s}
}

// drawMember is of what the nodes tell of themselves, and marks.
func (d *drive) drawMember() Command {
	id := member.ID{byte(1 + d.n("node", 3))}
	switch d.n("of a node", 5) {
	case 0:
		return &Found{ClusterID: id}
	case 1:
		return &RemoveMember{ID: id}
	case 2:
		return &Mark{}
	}
	return &SetMember{Member: member.Member{ID: id, Name: string(rune('a' + d.n("name", 9))), Address: "host:1", MaxCommandVersion: 2}}
}
