package haikutest

import (
	"testing"
	"time"

	"github.com/haiku-queue/haiku/task"
)

func (p *player) scheduled(what string, s *task.Schedule, err error) {
	p.t.Helper()
	p.see("%s: %s", what, refusal(err))
	if s != nil {
		p.see("  %s %q in %q, paused %v %q, catch up %s, overlap %s, fired %d, next %v, error %q", s.Name, s.Expression, s.Zone, s.Paused,
			s.PauseReason, s.CatchUp, s.Overlap, s.Fired, !s.Next.IsZero(), s.LastError)
	}
}

// look returns a schedule.
func (p *player) look(name string) *task.Schedule {
	p.t.Helper()
	page, err := p.c.Schedules(p.within(), task.ScheduleQuery{Name: name})
	p.must(err)
	return page.Schedules[0]
}

// fired waits until a schedule has fired, and returns the task.
func (p *player) fired(name string) task.ID {
	p.t.Helper()
	ctx := p.within()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if s := p.look(name); s.Fired > 0 {
			p.names[s.LastTask] = "task of the fire"
			return s.LastTask
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.t.Fatalf("at %s: schedule %s never fires", p.address, name)
		}
	}
}

// schedule: one fires; its task does not overlap with the next; it is paused, triggered, resumed and removed.
func schedule(p *player) {
	s := task.Schedule{Name: p.queue, Expression: "@every 1s", Task: task.Spec{Type: "t", Queue: p.queue, Payload: []byte("p")}}
	set, err := p.c.SetScheduleIf(p.within(), s, task.ScheduleAbsent)
	p.scheduled("set", set, err)
	p.pass(time.Second)
	id := p.fired(s.Name)
	set, err = p.c.PauseSchedule(p.within(), s.Name, "too often")
	p.scheduled("pause", set, err)
	t := p.claim()
	p.show(id)
	for _, h := range t.Headers {
		p.see("  header %s, as expected %v", h.Name, h.Name == task.HeaderSchedule && h.Value == s.Name ||
			h.Name == task.HeaderFireTime && h.Value == p.look(s.Name).LastFire.Format(time.RFC3339Nano))
	}
	_, err = p.c.TriggerSchedule(p.within(), s.Name)
	p.see("trigger: %s", refusal(err))
	p.report(t, task.Success, nil)
	receipt, err := p.c.TriggerSchedule(p.within(), s.Name)
	p.names[receipt.ID] = "triggered"
	p.see("trigger: %s, %s", receipt.ID, refusal(err))
	p.scheduled("now", p.look(s.Name), nil)
	s.Expression, s.Overlap = "0 0 1 1 *", task.OverlapAllow
	set, err = p.c.SetSchedule(p.within(), s)
	p.scheduled("set", set, err)
	_, err = p.c.SetScheduleIf(p.within(), s, task.ScheduleAbsent)
	p.see("set if absent: %s", refusal(err))
	_, err = p.c.SetScheduleIf(p.within(), s, "other")
	p.see("set if other: %s", refusal(err))
	set, err = p.c.ResumeSchedule(p.within(), s.Name)
	p.scheduled("resume", set, err)
	p.see("remove: %s", refusal(p.c.RemoveSchedule(p.within(), s.Name)))
	p.see("remove: %s", refusal(p.c.RemoveSchedule(p.within(), s.Name)))
	_, err = p.c.PauseSchedule(p.within(), s.Name, "")
	p.see("pause: %s", refusal(err))
	_, err = p.c.TriggerSchedule(p.within(), s.Name)
	p.see("trigger: %s", refusal(err))
	p.claimFor(p.c, 10)
}

// calendar: what is read of expressions, zones and bounds.
func calendar(p *player) {
	for _, s := range []task.Schedule{
		{Expression: "0 9 * * MON-FRI", Zone: "Europe/Berlin"}, {Expression: "@daily", Start: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)},
		{Expression: "@every 90m", Start: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2100, 1, 1, 2, 0, 0, 0, time.UTC)},
		{Expression: "@daily", End: time.Unix(1, 0)}, {Expression: "61 * * * *"}, {Expression: "@daily", Zone: "Nowhere/Else"},
		{Expression: "@daily", CatchUp: 7}, {Expression: "0 0 30 2 *"},
	} {
		s.Name, s.Task = p.queue, task.Spec{Type: "t", Queue: p.queue}
		set, err := p.c.SetSchedule(p.within(), s)
		p.scheduled("set", set, err)
		if err == nil {
			page, err := p.c.Schedules(p.within(), task.ScheduleQuery{Name: s.Name, Fires: 5})
			p.must(err)
			p.see("fires at %v", page.Upcoming)
		}
	}
}

// TestFires: a schedule fires as often as it should have in the time that passes at once.
func TestFires(t *testing.T) {
	b := Start(t)
	c := b.Client(t)
	for _, s := range []task.Schedule{
		{Name: "all", Expression: "@every 1h", Overlap: task.OverlapAllow, Task: task.Spec{Type: "t"}},
		{Name: "skipping", Expression: "@every 1h", Task: task.Spec{Type: "t"}},
	} {
		if _, err := c.SetSchedule(within(t), s); err != nil {
			t.Fatal(err)
		}
	}
	b.Advance(24 * time.Hour)
	page, err := c.Schedules(within(t), task.ScheduleQuery{})
	if err != nil || len(page.Schedules) != 2 {
		t.Fatalf("%+v, %v", page, err)
	}
	all, skipping := page.Schedules[0], page.Schedules[1]
	if all.Fired != 24 || all.Skipped != 0 || skipping.Fired != 1 || skipping.Skipped != 23 {
		t.Errorf("fired %d and skipped %d, fired %d and skipped %d", all.Fired, all.Skipped, skipping.Fired, skipping.Skipped)
	}
	if stats, err := c.Stats(within(t)); err != nil || stats.Total.Ready != 25 {
		t.Errorf("counts %+v, %v", stats.Total, err)
	}
}
