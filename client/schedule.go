package client

import (
	"context"
	"fmt"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// SetSchedule makes a schedule, or changes the one of its name, and returns it as it is then. Setting what is set already
// changes nothing. Of s counts what a client says: all before its ID.
func (c *Client) SetSchedule(ctx context.Context, s task.Schedule) (*task.Schedule, error) {
	return c.SetScheduleIf(ctx, s, "")
}

// SetScheduleIf is SetSchedule if the schedule has a tag, as task.Schedule.Tag says, or, with task.ScheduleAbsent, if there
// is none; else the error wraps task.ErrPrecondition. An empty tag is any.
func (c *Client) SetScheduleIf(ctx context.Context, s task.Schedule, match string) (*task.Schedule, error) {
	return c.changeSchedule(ctx, task.ScheduleChange{Action: task.ScheduleSet, Schedule: s, Match: match})
}

// PauseSchedule stops the fires of a schedule until it is resumed.
func (c *Client) PauseSchedule(ctx context.Context, name, reason string) (*task.Schedule, error) {
	return c.changeSchedule(ctx, task.ScheduleChange{Action: task.SchedulePause, Name: name, Reason: reason})
}

// ResumeSchedule ends a pause. What would have fired meanwhile is left out.
func (c *Client) ResumeSchedule(ctx context.Context, name string) (*task.Schedule, error) {
	return c.changeSchedule(ctx, task.ScheduleChange{Action: task.ScheduleResume, Name: name})
}

// TriggerSchedule submits the task of a schedule now, also while that is paused; its next fire stays as it is. With
// overlap skip it is refused, with an error that wraps task.ErrTransition, while the task of the last fire has not ended.
func (c *Client) TriggerSchedule(ctx context.Context, name string) (task.Receipt, error) {
	change := task.ScheduleChange{Action: task.ScheduleTrigger, Name: name, TaskID: task.NewID()}
	receipt := task.Receipt{ID: change.TaskID}
	reply, err := c.sendSchedule(ctx, &change)
	if err != nil {
		return receipt, err
	}
	receipts, err := receiptsOf([]*wirepb.Receipt{reply.Receipt}, 1)
	if err != nil {
		return receipt, err
	}
	return receipts[0], receipts[0].Err
}

// RemoveSchedule forgets a schedule. The tasks that it has submitted stay.
func (c *Client) RemoveSchedule(ctx context.Context, name string) error {
	_, err := c.sendSchedule(ctx, &task.ScheduleChange{Action: task.ScheduleRemove, Name: name})
	return err
}

// Schedules returns one page of the schedules that a query selects: the query again with After set to the page's Next
// gives the next one. The error wraps task.ErrNotFound if one asked for by its name is not there.
func (c *Client) Schedules(ctx context.Context, q task.ScheduleQuery) (task.SchedulePage, error) {
	if err := q.Validate(); err != nil {
		return task.SchedulePage{}, err
	}
	var reply wirepb.SchedulesReply
	if err := c.do(ctx, wire.Schedules, wire.ScheduleQueryToPB(&q), &reply, true); err != nil {
		return task.SchedulePage{}, err
	}
	return wire.SchedulePageFromPB(&reply)
}

func (c *Client) changeSchedule(ctx context.Context, change task.ScheduleChange) (*task.Schedule, error) {
	reply, err := c.sendSchedule(ctx, &change)
	if err != nil {
		return nil, err
	}
	s, err := wire.ScheduleFromPB(reply.Schedule)
	if err != nil {
		return nil, fmt.Errorf("%w: the node sent: %w", task.ErrInternal, err)
	}
	return s, nil
}

// sendSchedule sends a change. All are safe to repeat but the removal, which would say that there is no such schedule, and
// a change with a condition, which the change itself may have made false.
func (c *Client) sendSchedule(ctx context.Context, change *task.ScheduleChange) (*wirepb.SetScheduleReply, error) {
	if err := change.Validate(); err != nil {
		return nil, err
	}
	var reply wirepb.SetScheduleReply
	return &reply, c.do(ctx, wire.SetSchedule, wire.ScheduleChangeToPB(change), &reply, change.Action != task.ScheduleRemove && change.Match == "")
}
