package client

import (
	"testing"
	"time"

	"github.com/haiku-queue/haiku/internal/fakenode"
	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// TestScheduleRequests: changes and queries go to the leader as they are said, and what it says comes back.
func TestScheduleRequests(t *testing.T) {
	leader := fakenode.Start(t)
	var got task.ScheduleChange
	at := time.Date(2030, 1, 2, 3, 0, 0, 0, time.UTC)
	leader.Handle(wire.SetSchedule, func(r *fakenode.Request) (wire.Message, error) {
		var m wirepb.SetScheduleRequest
		r.Read(&m)
		var err error
		got, err = wire.ScheduleChangeFromPB(&m)
		mustBe(t, err, nil)
		switch {
		case got.Name == "gone":
			return nil, task.ErrNotFound
		case got.Action == task.ScheduleTrigger:
			return &wirepb.SetScheduleReply{Receipt: wire.ReceiptsToPB([]task.Receipt{{ID: got.TaskID}})[0]}, nil
		}
		return &wirepb.SetScheduleReply{Schedule: wire.ScheduleToPB(&task.Schedule{Name: "s", Next: at})}, nil
	})
	leader.Handle(wire.Schedules, func(r *fakenode.Request) (wire.Message, error) {
		var m wirepb.SchedulesRequest
		r.Read(&m)
		return wire.SchedulePageToPB(&task.SchedulePage{Schedules: []*task.Schedule{{Name: m.Name}}, Upcoming: []time.Time{at}}), nil
	})
	c := newClient(t, nil, leader)

	s, err := c.SetSchedule(within(t), task.Schedule{Name: "s", Expression: "@daily", Task: task.Spec{Type: "t"}})
	if mustBe(t, err, nil); !s.Next.Equal(at) || got.Schedule.Expression != "@daily" {
		t.Errorf("%+v, sent %+v", s, got)
	}
	_, err = c.PauseSchedule(within(t), "s", "why")
	if mustBe(t, err, nil); got.Action != task.SchedulePause || got.Name != "s" || got.Reason != "why" {
		t.Errorf("sent %+v", got)
	}
	_, err = c.ResumeSchedule(within(t), "s")
	if mustBe(t, err, nil); got.Action != task.ScheduleResume {
		t.Errorf("sent %+v", got)
	}
	receipt, err := c.TriggerSchedule(within(t), "s")
	if mustBe(t, err, nil); receipt.ID != got.TaskID || got.TaskID.Validate() != nil {
		t.Errorf("%+v, sent %+v", receipt, got)
	}
	mustBe(t, c.RemoveSchedule(within(t), "gone"), task.ErrNotFound)
	_, err = c.TriggerSchedule(within(t), "gone")
	mustBe(t, err, task.ErrNotFound)
	page, err := c.Schedules(within(t), task.ScheduleQuery{Name: "s", Fires: 1})
	if mustBe(t, err, nil); len(page.Schedules) != 1 || page.Schedules[0].Name != "s" || !page.Upcoming[0].Equal(at) {
		t.Errorf("page %+v", page)
	}
	_, err = c.SetSchedule(within(t), task.Schedule{Name: "s", Task: task.Spec{Type: "t", ID: task.NewID()}})
	mustBe(t, err, task.ErrInvalid)
	_, err = c.Schedules(within(t), task.ScheduleQuery{Fires: 1})
	mustBe(t, err, task.ErrInvalid)
}
