package task

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestScheduleValidate: one that is well-formed, and what each rule refuses.
func TestScheduleValidate(t *testing.T) {
	good := func() Schedule {
		return Schedule{Name: "s", Expression: "@daily", Zone: "Europe/Berlin", Task: Spec{Type: "t", Payload: make([]byte, MaxScheduleBytes)}}
	}
	s := good()
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for says, spoil := range map[string]func(*Schedule){
		"schedule name is empty":          func(s *Schedule) { s.Name = "" },
		"control character":               func(s *Schedule) { s.Name = "a\nb" },
		"cron expression of 257":          func(s *Schedule) { s.Expression = strings.Repeat("a", 257) },
		"time zone of 200":                func(s *Schedule) { s.Zone = strings.Repeat("a", 200) },
		"catch_up":                        func(s *Schedule) { s.CatchUp = 3 },
		"overlap":                         func(s *Schedule) { s.Overlap = 2 },
		"ends before it starts":           func(s *Schedule) { s.Start, s.End = now, now.Add(-1) },
		"start lies outside":              func(s *Schedule) { s.Start = time.Unix(-1, 0) },
		"end lies outside":                func(s *Schedule) { s.End = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"has no id":                       func(s *Schedule) { s.Task.ID = NewID() },
		"no delay":                        func(s *Schedule) { s.Task.Delay = 1 },
		"no delay, scheduled_at":          func(s *Schedule) { s.Task.ScheduledAt = now },
		"expires_at":                      func(s *Schedule) { s.Task.ExpiresAt = now },
		"no dependencies":                 func(s *Schedule) { s.Task.Dependencies = []ID{{1}} },
		"65537 bytes":                     func(s *Schedule) { s.Task.Payload = make([]byte, MaxScheduleBytes+1) },
		"type is empty":                   func(s *Schedule) { s.Task.Type = "" },
		`"haiku-schedule" is named twice`: func(s *Schedule) { s.Task.Headers = []Header{{Name: HeaderSchedule}} },
	} {
		s := good()
		spoil(&s)
		if err := s.Validate(); (!errors.Is(err, ErrInvalid) && !errors.Is(err, ErrTooLarge)) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

// TestScheduleSameAs: whatever a client says makes a difference, what the broker keeps does not.
func TestScheduleSameAs(t *testing.T) {
	base := Schedule{Name: "s", Expression: "@daily", Task: Spec{Type: "t"}}
	kept := base
	kept.ID, kept.Version, kept.Paused, kept.Next, kept.Fired = 1, 2, true, time.Now(), 3
	if !base.SameAs(&kept) {
		t.Error("what the broker keeps makes a difference")
	}
	traced := base
	traced.Task.Headers = []Header{{HeaderTraceParent, "x"}, {HeaderTraceState, "y"}}
	if !base.SameAs(&traced) {
		t.Error("the trace context makes a difference")
	}
	for i, change := range []func(*Schedule){
		func(s *Schedule) { s.Name = "o" }, func(s *Schedule) { s.Expression = "@hourly" }, func(s *Schedule) { s.Zone = "UTC" },
		func(s *Schedule) { s.CatchUp = CatchUpAll }, func(s *Schedule) { s.Overlap = OverlapAllow },
		func(s *Schedule) { s.Start = time.Now() }, func(s *Schedule) { s.End = time.Now() },
		func(s *Schedule) { s.Task.Queue = "q" }, func(s *Schedule) { s.Task.Payload = []byte("p") },
		func(s *Schedule) { s.Task.Headers = []Header{{"a", "x"}} },
	} {
		other := base
		change(&other)
		if base.SameAs(&other) {
			t.Errorf("change %d makes no difference", i)
		}
	}
}

// TestScheduleRequests: changes and queries that are refused.
func TestScheduleRequests(t *testing.T) {
	for says, c := range map[string]ScheduleChange{
		"action 0":          {Name: "s"},
		"action 6":          {Action: 6, Name: "s"},
		"name is empty":     {Action: SchedulePause},
		"1025 bytes":        {Action: SchedulePause, Name: "s", Reason: strings.Repeat("a", 1025)},
		"control":           {Action: SchedulePause, Name: "s", Reason: "a\x1b[2J"},
		"version 7":         {Action: ScheduleTrigger, Name: "s"},
		"schedule name is ": {Action: ScheduleSet},
	} {
		if err := c.Validate(); (!errors.Is(err, ErrInvalid) && !errors.Is(err, ErrTooLarge)) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
	for says, q := range map[string]ScheduleQuery{
		"limit 1001": {Limit: 1001}, "limit -1": {Limit: -1}, "101 next fires": {Name: "s", Fires: 101}, "asked for by its name": {Fires: 1},
		"exclude each other": {Name: "s", After: "r"}, "control": {After: "\n"},
	} {
		if err := q.Validate(); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}
