package wire

import (
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
)

// ScheduleToPB says a schedule on the wire; nil gives nil.
func ScheduleToPB(s *task.Schedule) *wirepb.Schedule {
	if s == nil {
		return nil
	}
	return &wirepb.Schedule{
		Name: s.Name, Expression: s.Expression, Zone: s.Zone, Task: SpecToPB(&s.Task), CatchUp: uint32(s.CatchUp),
		Overlap: uint32(s.Overlap), StartUs: micros(s.Start), EndUs: micros(s.End), Paused: s.Paused,
		PauseReason: s.PauseReason, NextUs: micros(s.Next), LastFireUs: micros(s.LastFire), LastTask: bytesOf(s.LastTask),
		LastError: s.LastError, Fired: s.Fired, Skipped: s.Skipped, CreatedUs: micros(s.CreatedAt),
		UpdatedUs: micros(s.UpdatedAt), Id: s.ID, Version: s.Version,
	}
}

// ScheduleFromPB reads a schedule. The error wraps task.ErrInvalid and names the field. The limits of Schedule.Validate
// are left to the caller.
func ScheduleFromPB(p *wirepb.Schedule) (*task.Schedule, error) {
	if p == nil {
		return nil, fmt.Errorf("%w: schedule is missing", task.ErrInvalid)
	}
	var f fields
	s := &task.Schedule{
		Name: p.Name, Expression: p.Expression, Zone: p.Zone, Paused: p.Paused, PauseReason: p.PauseReason,
		LastError: p.LastError, Fired: p.Fired, Skipped: p.Skipped, ID: p.Id, Version: p.Version,
	}
	spec, err := scheduledSpec(p.Task)
	s.Task = take(&f, spec, err)
	v, err := small("catch_up", p.CatchUp)
	s.CatchUp = task.CatchUp(take(&f, v, err))
	v, err = small("overlap", p.Overlap)
	s.Overlap = task.Overlap(take(&f, v, err))
	for _, at := range []struct {
		field string
		us    int64
		to    *time.Time
	}{
		{"start_us", p.StartUs, &s.Start}, {"end_us", p.EndUs, &s.End}, {"next_us", p.NextUs, &s.Next},
		{"last_fire_us", p.LastFireUs, &s.LastFire}, {"created_us", p.CreatedUs, &s.CreatedAt},
		{"updated_us", p.UpdatedUs, &s.UpdatedAt},
	} {
		t, err := moment(at.field, at.us)
		*at.to = take(&f, t, err)
	}
	last, err := optionalID16[task.ID]("last_task", p.LastTask)
	s.LastTask = take(&f, last, err)
	return s, f.err
}

// scheduledSpec reads the task of a schedule, which is a spec without id.
func scheduledSpec(p *wirepb.TaskSpec) (task.Spec, error) {
	if p == nil {
		return task.Spec{}, fmt.Errorf("%w: schedule.task is missing", task.ErrInvalid)
	}
	if len(p.Id) > 0 {
		return task.Spec{}, fmt.Errorf("%w: schedule.task.id: each fire makes one", task.ErrInvalid)
	}
	p.Id = make([]byte, len(task.ID{}))
	spec, err := SpecFromPB(p)
	p.Id = nil
	return spec, err
}

// ScheduleChangeToPB says a change on the wire.
func ScheduleChangeToPB(c *task.ScheduleChange) *wirepb.SetScheduleRequest {
	p := &wirepb.SetScheduleRequest{Action: uint32(c.Action), Name: c.Name, Reason: c.Reason, TaskId: bytesOf(c.TaskID), Match: c.Match}
	if c.Action == task.ScheduleSet {
		p.Schedule = ScheduleToPB(&c.Schedule)
	}
	return p
}

// ScheduleChangeFromPB reads a change. The error wraps task.ErrInvalid and names the field.
func ScheduleChangeFromPB(p *wirepb.SetScheduleRequest) (c task.ScheduleChange, err error) {
	var f fields
	action, err := small("action", p.Action)
	c = task.ScheduleChange{Action: task.ScheduleAction(take(&f, action, err)), Name: p.Name, Reason: p.Reason, Match: p.Match}
	id, err := optionalID16[task.ID]("task_id", p.TaskId)
	c.TaskID = take(&f, id, err)
	if c.Action == task.ScheduleSet && f.err == nil {
		s, err := ScheduleFromPB(p.Schedule)
		if err != nil {
			return c, err
		}
		c.Schedule = *s
		c.Schedule.ID, c.Schedule.Version = 0, 0 // the broker's to say
	}
	return c, f.err
}

// ScheduleQueryToPB says a query on the wire.
func ScheduleQueryToPB(q *task.ScheduleQuery) *wirepb.SchedulesRequest {
	return &wirepb.SchedulesRequest{Name: q.Name, Fires: uint32(q.Fires), After: q.After, Limit: uint32(q.Limit), Stale: q.Stale}
}

// ScheduleQueryFromPB reads a query. Numbers too large for any answer are cut to what Validate refuses.
func ScheduleQueryFromPB(p *wirepb.SchedulesRequest) task.ScheduleQuery {
	return task.ScheduleQuery{
		Name: p.Name, Fires: int(min(p.Fires, task.MaxUpcoming+1)), After: p.After,
		Limit: int(min(p.Limit, task.MaxItems+1)), Stale: p.Stale,
	}
}

// SchedulePageToPB says a page on the wire.
func SchedulePageToPB(page *task.SchedulePage) *wirepb.SchedulesReply {
	p := &wirepb.SchedulesReply{Next: page.Next}
	for _, s := range page.Schedules {
		p.Schedules = append(p.Schedules, ScheduleToPB(s))
	}
	for _, at := range page.Upcoming {
		p.UpcomingUs = append(p.UpcomingUs, micros(at))
	}
	return p
}

// SchedulePageFromPB reads a page. The error wraps task.ErrInvalid and names the place and the field.
func SchedulePageFromPB(p *wirepb.SchedulesReply) (page task.SchedulePage, err error) {
	page.Next = p.GetNext()
	if page.Schedules, err = each(p.GetSchedules(), ScheduleFromPB); err != nil {
		return page, err
	}
	page.Upcoming, err = each(p.GetUpcomingUs(), func(us int64) (time.Time, error) { return moment("upcoming_us", us) })
	return page, err
}
