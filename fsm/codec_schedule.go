package fsm

import (
	"fmt"

	"github.com/haiku-queue/haiku/internal/pb/commandpb"
	"github.com/haiku-queue/haiku/task"
)

func scheduleToPB(s *task.Schedule) *commandpb.Schedule {
	m := &commandpb.Schedule{
		Name: s.Name, Expression: s.Expression, Zone: s.Zone, Task: specToPB(&s.Task, nil), CatchUp: uint32(s.CatchUp),
		Overlap: uint32(s.Overlap), StartUs: timeToMicros(s.Start), EndUs: timeToMicros(s.End), Id: s.ID, Version: s.Version,
		AnchorUs: timeToMicros(s.Anchor), Paused: s.Paused, PauseReason: s.PauseReason, NextUs: timeToMicros(s.Next),
		LastFireUs: timeToMicros(s.LastFire), LastError: s.LastError, Fired: s.Fired, Skipped: s.Skipped,
		CreatedUs: timeToMicros(s.CreatedAt), UpdatedUs: timeToMicros(s.UpdatedAt),
	}
	m.Task.Id = nil
	if s.LastTask != (task.ID{}) {
		m.LastTask = s.LastTask[:]
	}
	return m
}

func scheduleFromPB(m *commandpb.Schedule) (*task.Schedule, error) {
	if m == nil || m.Task == nil || len(m.Task.Id) > 0 {
		return nil, fmt.Errorf("%w: a schedule without a task, or one with an id", errField)
	}
	if err := refuseUnknown(m); err != nil {
		return nil, err
	}
	s := &task.Schedule{
		Name: m.Name, Expression: m.Expression, Zone: m.Zone, CatchUp: task.CatchUp(m.CatchUp), Overlap: task.Overlap(m.Overlap),
		Start: timeFromMicros(m.StartUs), End: timeFromMicros(m.EndUs), ID: m.Id, Version: m.Version,
		Anchor: timeFromMicros(m.AnchorUs), Paused: m.Paused, PauseReason: m.PauseReason, Next: timeFromMicros(m.NextUs),
		LastFire: timeFromMicros(m.LastFireUs), LastError: m.LastError, Fired: m.Fired, Skipped: m.Skipped,
		CreatedAt: timeFromMicros(m.CreatedUs), UpdatedAt: timeFromMicros(m.UpdatedUs),
	}
	var err error
	if len(m.LastTask) > 0 {
		if s.LastTask, err = task.IDFromBytes(m.LastTask); err != nil {
			return nil, err
		}
	}
	m.Task.Id = make([]byte, 16)
	return s, specFromPB(m.Task, &s.Task)
}

func setScheduleFromPB(m *commandpb.SetSchedule) (Command, error) {
	s, err := scheduleFromPB(m.Schedule)
	if err != nil {
		return nil, err
	}
	return &SetSchedule{Schedule: *s}, nil
}

func fireToPB(c *Fire) message {
	m := &commandpb.Fire{
		Name: c.Name, Version: c.Version, DueUs: timeToMicros(c.Due), AtUs: timeToMicros(c.At), NextUs: timeToMicros(c.Next),
	}
	if c.Trigger != (task.ID{}) {
		m.Trigger = c.Trigger[:]
	}
	return m
}

func fireFromPB(m *commandpb.Fire) (Command, error) {
	c := &Fire{
		Name: m.Name, Version: m.Version, Due: timeFromMicros(m.DueUs), At: timeFromMicros(m.AtUs), Next: timeFromMicros(m.NextUs),
	}
	if len(m.Trigger) == 0 {
		return c, nil
	}
	var err error
	c.Trigger, err = task.IDFromBytes(m.Trigger)
	return c, err
}
