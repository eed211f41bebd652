package transport

import (
	"errors"
	"fmt"
	"slices"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

func (c *conn) setSchedule(f wire.Frame) (wire.Message, error) {
	var m wirepb.SetScheduleRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	change, err := wire.ScheduleChangeFromPB(&m)
	if err == nil {
		err = change.Validate()
	}
	if err != nil {
		return nil, err
	}
	if err := c.maySchedule(&change); err != nil {
		return nil, err
	}
	schedule, receipt, err := c.s.admin.ChangeSchedule(c.ctx, change)
	if err != nil {
		return nil, err
	}
	reply := &wirepb.SetScheduleReply{Schedule: wire.ScheduleToPB(schedule)}
	if change.Action == task.ScheduleTrigger {
		reply.Receipt = wire.ReceiptsToPB([]task.Receipt{receipt})[0]
	}
	return reply, nil
}

func (c *conn) schedules(f wire.Frame) (wire.Message, error) {
	var m wirepb.SchedulesRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	q := wire.ScheduleQueryFromPB(&m)
	if err := q.Validate(); err != nil {
		return nil, err
	}
	if err := c.enterBulk(f.RequestID, wire.MaxFrame); err != nil {
		return nil, err
	}
	page, err := c.s.admin.Schedules(c.waits, q)
	if err == nil {
		err = c.ownSchedules(&q, &page)
	}
	if err != nil {
		return nil, err
	}
	return wire.SchedulePageToPB(&page), nil
}

// maySchedule returns nil if the client may make this change: of a schedule, and to one, that submits to one of its queues.
func (c *conn) maySchedule(change *task.ScheduleChange) error {
	if !c.access.IsRestricted() {
		return nil
	}
	name := change.Name
	if change.Action == task.ScheduleSet {
		name = change.Schedule.Name
		if err := c.access.Check(change.Schedule.Task.Queue); err != nil {
			return err
		}
	}
	page, err := c.s.admin.Schedules(c.ctx, task.ScheduleQuery{Name: name})
	switch {
	case errors.Is(err, task.ErrNotFound) && change.Action == task.ScheduleSet:
		return nil
	case err != nil:
		return err
	}
	for _, s := range page.Schedules {
		if err := c.access.Check(s.Task.Queue); err != nil {
			return fmt.Errorf("schedule %q: %w", name, err)
		}
	}
	return nil
}

// ownSchedules leaves of a page what the client may see. Like other lists' pages, it may then be short and have a next one.
func (c *conn) ownSchedules(q *task.ScheduleQuery, page *task.SchedulePage) error {
	page.Schedules = slices.DeleteFunc(page.Schedules, func(s *task.Schedule) bool { return !c.access.Covers(s.Task.Queue) })
	if q.Name != "" && len(page.Schedules) == 0 {
		return fmt.Errorf("%w: schedule %q", task.ErrNotFound, q.Name)
	}
	return nil
}
