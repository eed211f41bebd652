package transport

import (
	"context"
	"slices"
	"testing"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// startRestricted serves an operator who may use queues that begin with "mail", beside one of all queues. Of the tasks mine
// and other the first is in one of them.
func startRestricted(t *testing.T) (p, all *peer, b *fakeBroker, mine, other task.ID) {
	t.Helper()
	b = newBroker()
	mine, other = task.NewID(), task.NewID()
	b.get = func(_ context.Context, q task.Query) (tasks []*task.Task, _ uint64, _ error) {
		for _, id := range q.IDs {
			switch id {
			case mine:
				tasks = append(tasks, &task.Task{ID: id, Queue: "mail.eu", Type: "t", Status: task.Pending})
			case other:
				tasks = append(tasks, &task.Task{ID: id, Queue: "report", Type: "t", Status: task.Pending})
			}
		}
		return tasks, 7, nil
	}
	b.grant(map[string]member.Access{
		"some": {Role: member.RoleOperator, Queues: []string{"mail"}}, "all": {Role: member.RoleOperator},
	})
	s := start(t, 1, b, nil)
	p, _ = connectWith(t, s, "some")
	all, _ = connectWith(t, s, "all")
	return p, all, b, mine, other
}

func specOfPB(queue string, parents ...task.ID) *wirepb.TaskSpec {
	return wire.SpecToPB(&task.Spec{ID: task.NewID(), Type: "t", Queue: queue, Dependencies: parents})
}

// TestForeignQueuesNamed: a request that names a queue of others is refused, and so is one that means all queues.
func TestForeignQueuesNamed(t *testing.T) {
	p, all, _, _, other := startRestricted(t)
	session := other // any 16 bytes
	set := func(queue string) *wirepb.SetScheduleRequest {
		return wire.ScheduleChangeToPB(&task.ScheduleChange{Action: task.ScheduleSet, Schedule: task.Schedule{
			Name: "s", Expression: "@daily", Task: task.Spec{Type: "t", Queue: queue}}})
	}
	order := func(queue string) wire.Message {
		return wire.OrderToPB(&task.OperationOrder{ID: task.NewID(), Action: task.ActionRetry, Selection: task.Selection{Queue: queue}})
	}
	paused := true
	for name, c := range map[string]struct {
		kind wire.Type
		m    wire.Message
	}{
		"claim":              {wire.ClaimTask, &wirepb.ClaimRequest{WorkerId: "w", Max: 1, Queues: []string{"mail", "report"}}},
		"claim of default":   {wire.ClaimTask, &wirepb.ClaimRequest{WorkerId: "w", Max: 1}},
		"next claim":         {wire.TaskResult, &wirepb.ResultRequest{Outcomes: outcomesPB(other), Next: &wirepb.ClaimRequest{WorkerId: "w", Max: 1, Queues: []string{"report"}}}},
		"list":               {wire.ListTasks, &wirepb.ListRequest{Queue: "report"}},
		"stats":              {wire.GetStats, &wirepb.StatsRequest{Queue: "report"}},
		"queues":             {wire.Queues, &wirepb.QueuesRequest{Queue: "report"}},
		"queue":              {wire.SetQueue, wire.QueueChangeToPB(&task.QueueChange{Queue: "report", Paused: &paused})},
		"schedule":           {wire.SetSchedule, set("report")},
		"schedule, default":  {wire.SetSchedule, set("")},
		"schedule of others": {wire.SetSchedule, set("mail")}, // the one there is of the default queue
		"trigger":            {wire.SetSchedule, wire.ScheduleChangeToPB(&task.ScheduleChange{Action: task.ScheduleTrigger, Name: "s", TaskID: task.NewID()})},
		"operation":          {wire.StartOperation, order("report")},
		"operation on all":   {wire.StartOperation, order("")},
		"dispatch":           {wire.SetDispatch, &wirepb.SetDispatchRequest{}},
		"retention":          {wire.Retention, &wirepb.RetentionRequest{Set: &wirepb.Retention{Type: "t", CompletedUs: 1e6}}},
		"drain":              {wire.Workers, &wirepb.WorkersRequest{Drain: session.String()}},
	} {
		id := p.send(c.kind, c.m)
		if f := p.receive(); f.RequestID != id || f.Type != wire.Nack || wire.CodeOf(nackError(f)) != wire.CodeOf(task.ErrPermissionDenied) {
			t.Errorf("%s: %s, %v", name, f.Type, nackError(f))
		}
		all.send(c.kind, c.m)
		if f := all.receive(); f.Type == wire.Nack && wire.CodeOf(nackError(f)) == wire.CodeOf(task.ErrPermissionDenied) {
			t.Errorf("%s is refused to one of all queues: %v", name, nackError(f))
		}
	}
	p.call(wire.ListTasks, &wirepb.ListRequest{Queue: "mail.eu"}, new(wirepb.ListReply))
	p.call(wire.StartOperation, order("mail"), new(wirepb.StartOperationReply))
}

func outcomesPB(ids ...task.ID) (list []*wirepb.Outcome) {
	for _, id := range ids {
		list = append(list, wire.OutcomeToPB(&task.Outcome{ID: id, LeaseID: 1, Kind: task.Success}))
	}
	return list
}

// TestForeignItems: the items of a request are held to the queues one by one, and foreign tasks are as if not there.
func TestForeignItems(t *testing.T) {
	p, _, b, mine, other := startRestricted(t)
	var submitted wirepb.SubmitReply
	specs := []*wirepb.TaskSpec{specOfPB("mail"), specOfPB("report"), specOfPB(""), specOfPB("mail.eu", mine), specOfPB("mail", other)}
	p.call(wire.SubmitTask, &wirepb.SubmitRequest{Tasks: specs}, &submitted)
	wantErrors(t, receiptErrors(submitted.Receipts), nil, task.ErrPermissionDenied, task.ErrPermissionDenied, nil, task.ErrUnknownDependency)
	submitted.Reset()
	p.call(wire.SubmitTask, &wirepb.SubmitRequest{Tasks: specs[:2], Atomic: true}, &submitted)
	wantErrors(t, receiptErrors(submitted.Receipts), task.ErrAborted, task.ErrPermissionDenied)

	var finished wirepb.ResultReply
	outcomes := outcomesPB(mine, other, mine, mine)
	outcomes[2].Submit, outcomes[3].Submit = []*wirepb.TaskSpec{specOfPB("report")}, []*wirepb.TaskSpec{specOfPB("mail")}
	p.call(wire.TaskResult, &wirepb.ResultRequest{Outcomes: outcomes}, &finished)
	wantErrors(t, receiptErrors(finished.Receipts), nil, task.ErrNotFound, task.ErrPermissionDenied, nil)

	var beaten task.Heartbeat
	b.heartbeat = func(h task.Heartbeat) (task.HeartbeatReply, error) { beaten = h; return task.HeartbeatReply{}, nil }
	var beat wirepb.HeartbeatReply
	p.call(wire.Heartbeat, wire.HeartbeatToPB(&task.Heartbeat{Leases: []task.LeaseRef{{ID: mine, LeaseID: 1}, {ID: other, LeaseID: 2}}}), &beat)
	if len(beat.Lost) != 1 || task.ID(beat.Lost[0]) != other || len(beaten.Leases) != 1 || beaten.Leases[0].ID != mine {
		t.Errorf("lost %x, renewed %v", beat.Lost, beaten.Leases)
	}

	ids := wire.IDsToPB([]task.ID{other, mine})
	var retried wirepb.RetryReply
	p.call(wire.RetryTask, &wirepb.RetryRequest{Ids: ids}, &retried)
	wantErrors(t, receiptErrors(retried.Receipts), task.ErrNotFound, nil)
	var deleted wirepb.DeleteReply
	p.call(wire.DeleteTask, &wirepb.DeleteRequest{Ids: ids[:1]}, &deleted)
	wantErrors(t, receiptErrors(deleted.Receipts), task.ErrNotFound)

	var found wirepb.QueryReply
	p.call(wire.QueryStatus, &wirepb.QueryRequest{Ids: ids}, &found)
	if len(found.Tasks) != 1 || task.ID(found.Tasks[0].Id) != mine {
		t.Errorf("found %v", found.Tasks)
	}
	found.Reset()
	p.call(wire.QueryStatus, &wirepb.QueryRequest{Ids: ids[:1], WaitUs: 60e6}, &found) // at once
	if len(found.Tasks) != 0 {
		t.Errorf("waited for %v", found.Tasks)
	}
}

// TestForeignListed: what lists and counts is of one's own queues only.
func TestForeignListed(t *testing.T) {
	own := member.Access{Authentication: true, Token: "some", Role: member.RoleOperator, Queues: []string{"mail"}}
	p, _, b, _, _ := startRestricted(t)
	var asked task.Filter
	b.list = func(_ context.Context, f task.Filter) (task.Page, error) { asked = f; return task.Page{}, nil }
	p.call(wire.ListTasks, new(wirepb.ListRequest), new(wirepb.ListReply))
	if !slices.Equal(asked.QueuePrefixes, own.Queues) || asked.HasQueue("report") || !asked.HasQueue("mail.eu") {
		t.Errorf("the broker is asked for %v", asked.QueuePrefixes)
	}
	var queues wirepb.QueuesReply
	p.call(wire.Queues, new(wirepb.QueuesRequest), &queues)
	var operations wirepb.OperationsReply
	p.call(wire.Operations, new(wirepb.OperationsRequest), &operations) // those there are name no queue
	var schedules wirepb.SchedulesReply
	p.call(wire.Schedules, new(wirepb.SchedulesRequest), &schedules) // that of the default queue
	if len(queues.Queues)+len(operations.Operations)+len(schedules.Schedules) != 0 {
		t.Errorf("listed: %v, %v, %v", &queues, &operations, &schedules)
	}
	p.nack(p.send(wire.Schedules, &wirepb.SchedulesRequest{Name: "s"}), task.ErrNotFound)
	p.nack(p.send(wire.Operations, &wirepb.OperationsRequest{Id: make([]byte, 16), Cancel: true}), task.ErrNotFound)

	c := &conn{access: own}
	stats := task.Stats{Total: task.QueueCounts{Ready: 9}, Queues: []task.QueueCounts{
		{Queue: "mail", Type: "a", Ready: 1}, {Queue: "report", Ready: 5}, {Queue: "mail.eu", Ready: 2}}}
	if c.ownStats(&stats); len(stats.Queues) != 2 || stats.Total.Ready != 3 {
		t.Errorf("stats %+v", stats)
	}
	workers := c.ownWorkers([]member.Worker{{Queues: []string{"mail"}}, {Queues: []string{"mail", "report"}}, {Queues: []string{"report"}}})
	if len(workers) != 1 {
		t.Errorf("workers %+v", workers)
	}
}
