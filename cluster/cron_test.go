package cluster

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/task"
)

// setSchedule sets a schedule, again until it is acknowledged.
func (c *liveCluster) setSchedule(s task.Schedule) (set *task.Schedule) {
	c.t.Helper()
	eventually(c.t, "a schedule is set", func() (ok bool) {
		var err error
		set, _, err = c.leader().ChangeSchedule(c.t.Context(), task.ScheduleChange{Action: task.ScheduleSet, Schedule: s})
		if errors.Is(err, task.ErrInvalid) {
			c.t.Fatal(err)
		}
		return err == nil
	})
	return set
}

// firedTimes returns the moments whose fires have submitted a task of a type, in order, as the leader has them.
func (c *liveCluster) firedTimes(typ string) (times []time.Time) {
	c.t.Helper()
	n := c.leader()
	filter := task.Filter{Type: typ, Limit: task.MaxItems}
	for {
		page, err := n.store.List(filter)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, got := range page.Tasks {
			times = append(times, got.ID.Time())
		}
		if len(page.Next) == 0 {
			return times
		}
		filter.Cursor = page.Next
	}
}

func (c *liveCluster) schedule(name string) *task.Schedule {
	c.t.Helper()
	s, err := fsm.Schedule(c.leader().store, name)
	if err != nil || s == nil {
		c.t.Fatal(s, err)
	}
	return s
}

// TestScheduleFiresThroughLeaderChanges: each second once and none left out, while leadership is handed on and its
// holder crashes.
func TestScheduleFiresThroughLeaderChanges(t *testing.T) {
	c := startCluster(t, 3, nil)
	c.setSchedule(task.Schedule{
		Name: "tick", Expression: "* * * * * *", Zone: "Europe/Berlin", CatchUp: task.CatchUpAll, Overlap: task.OverlapAllow,
		Task: task.Spec{Type: "tick", Payload: []byte("p"), Headers: []task.Header{{Name: "a", Value: "b"}}},
	})
	ticked := func(n uint64) func() bool { return func() bool { return c.schedule("tick").Fired >= n } }
	eventually(t, "it ticks", ticked(2))
	if _, err := c.leader().Transfer(t.Context(), c.followers()[0].ID()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it ticks under the second leader", ticked(c.schedule("tick").Fired+2))
	old := c.leader()
	c.crash(old)
	eventually(t, "it ticks under the third leader", ticked(c.schedule("tick").Fired+2))
	c.start(old, nil)

	if _, _, err := c.leader().ChangeSchedule(t.Context(), task.ScheduleChange{Action: task.SchedulePause, Name: "tick", Reason: "enough"}); err != nil {
		t.Fatal(err)
	}
	s, times := c.schedule("tick"), c.firedTimes("tick")
	if uint64(len(times)) != s.Fired || s.LastError != "" || !s.Next.IsZero() || s.PauseReason != "enough" {
		t.Errorf("%d tasks, %+v", len(times), s)
	}
	for i := range times[1:] {
		if got := times[i+1].Sub(times[i]); got != time.Second {
			t.Errorf("%s lie between the fires at %s and %s", got, times[i], times[i+1])
		}
	}
	got, _, err := c.leader().Get(t.Context(), task.Query{IDs: []task.ID{s.LastTask}, WithPayload: true})
	want := []task.Header{{Name: "a", Value: "b"}, {Name: task.HeaderSchedule, Value: "tick"}, {Name: task.HeaderFireTime, Value: s.LastFire.Format(time.RFC3339Nano)}}
	if err != nil || len(got) != 1 || string(got[0].Payload) != "p" || fmt.Sprint(got[0].Headers) != fmt.Sprint(want) {
		t.Errorf("the last task is %+v, %v", got, err)
	}
	c.sameState()
}

// TestMissedFires: what a leader finds due that should have fired long ago, by policy; more than one step of it.
func TestMissedFires(t *testing.T) {
	c := startCluster(t, 1, nil)
	l, err := c.leader().leading()
	if err != nil {
		t.Fatal(err)
	}
	begin := l.clock.Now().Truncate(time.Second).Add(-95 * time.Minute)
	for _, tt := range []struct {
		name, expression string
		catchUp          task.CatchUp
		end              time.Duration
		first, last      time.Duration // of what fires, since begin
		fires            uint64
	}{
		{"all", "@every 1s", task.CatchUpAll, 2500 * time.Second, 0, 2500 * time.Second, 2501},
		{"one", "@every 10m", task.CatchUpOne, 0, 90 * time.Minute, 90 * time.Minute, 1},
		{"one-ended", "@every 10m", task.CatchUpOne, 45 * time.Minute, 40 * time.Minute, 40 * time.Minute, 1},
		{"skip", "@every 10m", task.CatchUpSkip, 0, 0, 0, 0},
		{"skip-in-time", "@every 95m", task.CatchUpSkip, 0, 95 * time.Minute, 95 * time.Minute, 1},
	} {
		s := task.Schedule{
			Name: tt.name, Expression: tt.expression, Anchor: begin, Next: begin, CatchUp: tt.catchUp, Overlap: task.OverlapAllow, Task: task.Spec{Type: tt.name},
		}
		if tt.end > 0 {
			s.End = begin.Add(tt.end)
		}
		if r, err := l.do(t.Context(), &fsm.SetSchedule{Schedule: s}); err != nil || r.Count != 1 {
			t.Fatal(r, err)
		}
		eventually(t, tt.name+" has caught up", func() bool {
			got := c.schedule(tt.name)
			return got.Next.After(l.clock.Now()) || (tt.end > 0 && got.Next.IsZero())
		})
		times := c.firedTimes(tt.name)
		if got := c.schedule(tt.name); got.Fired != tt.fires || uint64(len(times)) != tt.fires || got.Next.IsZero() != (tt.end > 0) {
			t.Errorf("%s: %d tasks, %+v", tt.name, len(times), got)
		}
		if len(times) > 0 && (!times[0].Equal(begin.Add(tt.first)) || !times[len(times)-1].Equal(begin.Add(tt.last))) {
			t.Errorf("%s: fired from %s to %s", tt.name, times[0].Sub(begin), times[len(times)-1].Sub(begin))
		}
	}
	c.sameState()
}

// TestScheduleChanges: the same again changes nothing, another expression begins anew, a pause leaves out what would
// have fired, and whatever is not well-formed is refused.
func TestScheduleChanges(t *testing.T) {
	c := startCluster(t, 1, nil)
	n := c.leader()
	do := func(change task.ScheduleChange) (*task.Schedule, task.Receipt, error) {
		return n.ChangeSchedule(t.Context(), change)
	}
	daily := task.Schedule{Name: "d", Expression: "0 3 * * *", Zone: "America/New_York", Task: task.Spec{Type: "t", Payload: []byte("p")}}
	first, again := c.setSchedule(daily), c.setSchedule(daily)
	if first.Version != again.Version || !first.Next.After(time.Now()) || first.Task.Payload != nil {
		t.Errorf("set %+v, again %+v", first, again)
	}
	daily.Expression = "0 4 * * *"
	if changed := c.setSchedule(daily); changed.Version == first.Version || changed.ID != first.ID || changed.Next.Sub(first.Next).Abs() > 25*time.Hour {
		t.Errorf("changed %+v", changed)
	}
	paused, _, err := do(task.ScheduleChange{Action: task.SchedulePause, Name: "d", Reason: "r"})
	if err != nil || !paused.Paused || !paused.Next.IsZero() {
		t.Fatal(paused, err)
	}
	daily.Expression = "@hourly"
	if kept := c.setSchedule(daily); !kept.Paused || kept.PauseReason != "r" || !kept.Next.IsZero() {
		t.Errorf("a change ended the pause: %+v", kept)
	}
	id := task.NewID()
	for i := range 2 {
		if _, receipt, err := do(task.ScheduleChange{Action: task.ScheduleTrigger, Name: "d", TaskID: id}); err != nil || receipt.ID != id || receipt.Duplicate != (i == 1) {
			t.Errorf("trigger %d: %+v %v", i, receipt, err)
		}
	}
	if _, _, err := do(task.ScheduleChange{Action: task.ScheduleTrigger, Name: "d", TaskID: task.NewID()}); !errors.Is(err, task.ErrTransition) {
		t.Errorf("trigger while the last task waits: %v", err)
	}
	resumed, _, err := do(task.ScheduleChange{Action: task.ScheduleResume, Name: "d"})
	if err != nil || resumed.Paused || resumed.PauseReason != "" || time.Until(resumed.Next) > time.Hour {
		t.Error(resumed, err)
	}
	page, err := n.Schedules(t.Context(), task.ScheduleQuery{Name: "d", Fires: 3})
	if err != nil || len(page.Schedules) != 1 || string(page.Schedules[0].Task.Payload) != "p" || len(page.Upcoming) != 3 ||
		!page.Upcoming[0].Equal(resumed.Next) || page.Upcoming[2].Sub(resumed.Next) != 2*time.Hour {
		t.Errorf("%+v %v", page, err)
	}
	for _, name := range []string{"a", "z"} {
		c.setSchedule(task.Schedule{Name: name, Expression: "@daily", Task: task.Spec{Type: "t"}})
	}
	var names []string
	for q := (task.ScheduleQuery{Limit: 2}); ; q.After = page.Next {
		if page, err = n.Schedules(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		for _, s := range page.Schedules {
			names = append(names, s.Name)
		}
		if page.Next == "" {
			break
		}
	}
	if strings.Join(names, " ") != "a d z" {
		t.Errorf("listed %v", names)
	}
	if _, _, err := do(task.ScheduleChange{Action: task.ScheduleRemove, Name: "d"}); err != nil {
		t.Fatal(err)
	}
	for _, action := range []task.ScheduleAction{task.SchedulePause, task.ScheduleResume, task.ScheduleTrigger, task.ScheduleRemove} {
		if _, _, err := do(task.ScheduleChange{Action: action, Name: "d", TaskID: task.NewID()}); !errors.Is(err, task.ErrNotFound) {
			t.Errorf("action %d on a removed schedule: %v", action, err)
		}
	}
	past := time.Now().Add(-time.Hour)
	for what, bad := range map[string]task.Schedule{
		"never fires": {Name: "b", Expression: "0 0 30 2 *", Task: task.Spec{Type: "t"}},
		"time zone":   {Name: "b", Expression: "@daily", Zone: "Nowhere", Task: task.Spec{Type: "t"}},
		"its end":     {Name: "b", Expression: "@daily", End: past, Task: task.Spec{Type: "t"}},
	} {
		if _, _, err := do(task.ScheduleChange{Action: task.ScheduleSet, Schedule: bad}); !errors.Is(err, task.ErrInvalid) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestNothingFiresWhileDisksAreFull: what is due waits until there is space again.
func TestNothingFiresWhileDisksAreFull(t *testing.T) {
	c := startCluster(t, 1, func(cfg *Config) { cfg.DiskRefuseBelow = 1 << 60 })
	n := c.leader()
	l, err := n.leading()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the disk is found full", func() bool { return n.refusal() != nil })
	set := &fsm.SetSchedule{Schedule: task.Schedule{Name: "s", Expression: "@every 1h", Anchor: epochOf(l), Next: epochOf(l), CatchUp: task.CatchUpOne, Task: task.Spec{Type: "t"}}}
	if r, err := l.do(t.Context(), set); err != nil || r.Count != 1 {
		t.Fatal(r, err)
	}
	for range 3 {
		if _, ok := l.fireAll(t.Context(), []string{"s"}, l.clock.Now()); ok || c.schedule("s").Fired != 0 {
			t.Fatal("it fired")
		}
	}
	n.disks.mu.Lock()
	n.disks.below, n.disks.low = 0, false
	n.disks.mu.Unlock()
	eventually(t, "it fires", func() bool { return c.schedule("s").Fired == 1 })
}

func epochOf(l *leadership) time.Time { return l.clock.Now().Truncate(time.Minute) }

// TestAgendaRests: what the duty keeps for itself does not wake it, what others tell does, and all of it is read again.
func TestAgendaRests(t *testing.T) {
	a := newAgenda()
	a.keep("a")
	if len(a.changed) != 0 {
		t.Error("the duty woke itself")
	}
	a.tell("b")
	if len(a.changed) != 1 || len(a.take()) != 2 || len(a.take()) != 0 {
		t.Error("what was told got lost")
	}
}
