package transport

import (
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
	if err != nil {
		return nil, err
	}
	return wire.SchedulePageToPB(&page), nil
}
