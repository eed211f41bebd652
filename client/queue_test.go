package client

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haiku-queue/haiku/internal/fakenode"
	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// TestQueueRequests: changes go to the leader, one that breaks a rule goes nowhere, and states come back as they are.
func TestQueueRequests(t *testing.T) {
	leader := fakenode.Start(t)
	var changes []task.QueueChange
	leader.Handle(wire.SetQueue, func(r *fakenode.Request) (wire.Message, error) {
		var m wirepb.SetQueueRequest
		r.Read(&m)
		change, err := wire.QueueChangeFromPB(&m)
		mustBe(t, err, nil)
		changes = append(changes, change)
		return new(wirepb.SetQueueReply), nil
	})
	want := []task.QueueState{{
		QueueSettings: task.QueueSettings{Queue: "q", Paused: true, Reason: "why", Rate: task.Rate{Count: 5, Per: time.Second, Burst: 5}, Aging: time.Minute},
		Counts:        task.QueueCounts{Queue: "q", Ready: 3}, WaitingBytes: 7, NextSince: time.UnixMicro(1).UTC(),
	}}
	leader.Handle(wire.Queues, func(r *fakenode.Request) (wire.Message, error) {
		var m wirepb.QueuesRequest
		if r.Read(&m); m.Queue != "q" || !m.Stale {
			t.Errorf("%+v", &m)
		}
		return wire.QueueStatesToPB(want), nil
	})
	c := newClient(t, nil, leader)
	mustBe(t, c.Pause(within(t), "q", "t", "why"), nil)
	mustBe(t, c.Resume(within(t), "q", ""), nil)
	mustBe(t, c.SetQueue(within(t), task.QueueChange{Queue: "q"}), task.ErrInvalid)
	yes, no := true, false
	if diff := cmp.Diff([]task.QueueChange{{Queue: "q", Type: "t", Paused: &yes, Reason: "why"}, {Queue: "q", Paused: &no}}, changes); diff != "" {
		t.Error(diff)
	}
	got, err := c.Queues(within(t), "q", Stale())
	mustBe(t, err, nil)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
