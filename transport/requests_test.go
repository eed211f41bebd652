package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

func receiptErrors(receipts []*wirepb.Receipt) []error {
	var errs []error
	for _, r := range receipts {
		errs = append(errs, wire.ErrorFromNack(r.Error))
	}
	return errs
}

func wantErrors(t *testing.T, got []error, want ...error) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d receipts, want %d", len(got), len(want))
	}
	for i := range want {
		if !errors.Is(got[i], want[i]) {
			t.Errorf("receipt %d: %v, want %v", i, got[i], want[i])
		}
	}
}

func TestSubmitAnswersEachItem(t *testing.T) {
	p := connect(t, start(t, 1, newBroker(), nil))
	m := submitPB(4)
	m.Tasks[1].Priority = new(uint32)
	*m.Tasks[1].Priority = 256        // does not even convert
	m.Tasks[2].Type = ""              // the broker refuses it
	m.Tasks[3].Id = m.Tasks[3].Id[:5] // no id
	var reply wirepb.SubmitReply
	p.call(wire.SubmitTask, m, &reply)
	wantErrors(t, receiptErrors(reply.Receipts), nil, task.ErrInvalid, task.ErrInvalid, task.ErrInvalid)
	for i := range 3 {
		if string(reply.Receipts[i].Id) != string(m.Tasks[i].Id) {
			t.Errorf("receipt %d names %x", i, reply.Receipts[i].Id)
		}
	}
}

func TestAtomicSubmitWithBadItemReachesNobody(t *testing.T) {
	b := newBroker()
	p := connect(t, start(t, 1, b, nil))
	m := submitPB(3)
	m.Atomic = true
	m.Tasks[1].DelayUs = -1
	var reply wirepb.SubmitReply
	p.call(wire.SubmitTask, m, &reply)
	wantErrors(t, receiptErrors(reply.Receipts), task.ErrAborted, task.ErrInvalid, task.ErrAborted)
	if b.submits != 0 {
		t.Error("the broker was called")
	}
}

func TestResultKeepsReceiptsWhenTheNextClaimFails(t *testing.T) {
	b := newBroker()
	b.finish = func(_ context.Context, outcomes []task.Outcome, next *task.ClaimRequest) (
		[]task.Receipt, []*task.Task, error,
	) {
		if next == nil || next.Max != 3 {
			return nil, nil, fmt.Errorf("%w: next claim %+v", task.ErrInvalid, next)
		}
		return []task.Receipt{{ID: outcomes[0].ID}}, nil, task.ErrNotLeader
	}
	p := connectAs(t, start(t, 1, b, nil), task.NewSessionID())
	id := task.NewID()
	m := &wirepb.ResultRequest{
		Outcomes: []*wirepb.Outcome{{Id: id[:], LeaseId: 1, Kind: 99}, {Id: id[:], LeaseId: 1, Kind: 1}},
		Next:     &wirepb.ClaimRequest{WorkerId: "w", Max: 3},
	}
	var reply wirepb.ResultReply
	p.call(wire.TaskResult, m, &reply)
	wantErrors(t, receiptErrors(reply.Receipts), task.ErrInvalid, nil)
	m.Next.Max = 0
	p.nack(p.send(wire.TaskResult, m), task.ErrInvalid)
}

func TestResultWithOnlyBadOutcomesStillClaims(t *testing.T) {
	b := newBroker()
	b.claim = func(_ context.Context, req task.ClaimRequest) ([]*task.Task, error) {
		if req.Wait != 0 {
			return nil, fmt.Errorf("%w: the claim would wait", task.ErrInvalid)
		}
		return []*task.Task{{ID: task.NewID(), Type: "mail", Queue: "default", Status: task.InProgress}}, nil
	}
	p := connectAs(t, start(t, 1, b, nil), task.NewSessionID())
	var reply wirepb.ResultReply
	p.call(wire.TaskResult, &wirepb.ResultRequest{Outcomes: []*wirepb.Outcome{{}}, Next: waitingClaim()}, &reply)
	wantErrors(t, receiptErrors(reply.Receipts), task.ErrInvalid)
	if len(reply.Next.GetTasks()) != 1 {
		t.Errorf("next claim: %v", reply.Next)
	}
}

func TestClaimCarriesTheSession(t *testing.T) {
	b := newBroker()
	got := make(chan task.ClaimRequest, 1)
	b.claim = func(_ context.Context, req task.ClaimRequest) ([]*task.Task, error) {
		got <- req
		return nil, nil
	}
	s := start(t, 1, b, nil)
	session := task.NewSessionID()
	p := connectAs(t, s, session)
	m := &wirepb.ClaimRequest{WorkerId: "w", Max: 2, Queues: []string{"a"}, WaitUs: 5}
	p.call(wire.ClaimTask, m, new(wirepb.ClaimReply))
	if req := <-got; req.Session != session || req.Max != 2 || req.Wait != 5*time.Microsecond || req.Queues[0] != "a" {
		t.Errorf("claim %+v", req)
	}
	q := connect(t, s)
	q.nack(q.send(wire.ClaimTask, waitingClaim()), task.ErrInvalid) // no session
}

func TestOtherRequests(t *testing.T) {
	b := newBroker()
	b.heartbeat = func(h task.Heartbeat) (task.HeartbeatReply, error) {
		return task.HeartbeatReply{Lost: []task.ID{h.Leases[0].ID}, Drain: true}, nil
	}
	p := connectAs(t, start(t, 1, b, nil), task.NewSessionID())
	id := task.NewID()

	var beat wirepb.HeartbeatReply
	p.call(wire.Heartbeat, &wirepb.HeartbeatRequest{Leases: []*wirepb.LeaseRef{{Id: id[:], LeaseId: 3}}}, &beat)
	if !beat.Drain || string(beat.Lost[0]) != string(id[:]) {
		t.Errorf("heartbeat: %+v", &beat)
	}
	var query wirepb.QueryReply
	p.call(wire.QueryStatus, &wirepb.QueryRequest{Ids: [][]byte{id[:]}, WithPayload: true}, &query)
	var list wirepb.ListReply
	p.call(wire.ListTasks, new(wirepb.ListRequest), &list)
	var stats wirepb.StatsReply
	p.call(wire.GetStats, new(wirepb.StatsRequest), &stats)
	if query.AppliedIndex != 7 || list.AppliedIndex != 8 || stats.AppliedIndex != 9 {
		t.Errorf("indexes %d %d %d", query.AppliedIndex, list.AppliedIndex, stats.AppliedIndex)
	}
	var cancelled wirepb.CancelReply
	p.call(wire.CancelTask, &wirepb.CancelRequest{Ids: [][]byte{id[:]}}, &cancelled)
	wantErrors(t, receiptErrors(cancelled.Receipts), task.ErrNotFound)
	var retried wirepb.RetryReply
	p.call(wire.RetryTask, &wirepb.RetryRequest{Ids: [][]byte{id[:]}}, &retried)
	wantErrors(t, receiptErrors(retried.Receipts), nil)
	var deleted wirepb.DeleteReply
	p.call(wire.DeleteTask, &wirepb.DeleteRequest{Ids: [][]byte{id[:], id[:]}}, &deleted)
	if len(deleted.Receipts) != 2 || deleted.Receipts[0].Duplicate || !deleted.Receipts[1].Duplicate {
		t.Errorf("delete: %v", deleted.Receipts)
	}
}

func TestOperationRequests(t *testing.T) {
	p := connect(t, start(t, 1, newBroker(), nil))
	id := task.NewID()
	order := task.OperationOrder{ID: id, Action: task.ActionDelete, Selection: task.Selection{Queue: "q"}}
	m := wire.OrderToPB(&order)
	var started wirepb.StartOperationReply
	p.call(wire.StartOperation, m, &started)
	if o := started.Operation; o.State != uint32(task.OperationRunning) || o.Selection.Queue != "q" || len(started.Next) > 0 {
		t.Errorf("start: %v", &started)
	}
	m.DryRun, m.Cursor = true, []byte{7}
	p.call(wire.StartOperation, m, &started)
	if started.Operation.Changed != 5 || string(started.Next) != "\x07\x01" {
		t.Errorf("dry run: %v", &started)
	}
	m.DryRun = false
	p.nack(p.send(wire.StartOperation, m), task.ErrInvalid) // a cursor is for dry runs
	m.Cursor, m.Action = nil, 4
	p.nack(p.send(wire.StartOperation, m), task.ErrInvalid)
	var list wirepb.OperationsReply
	p.call(wire.Operations, new(wirepb.OperationsRequest), &list)
	if len(list.Operations) != 2 {
		t.Fatalf("list: %v", &list)
	}
	one := list.Operations[0].Id
	var single wirepb.OperationsReply
	p.call(wire.Operations, &wirepb.OperationsRequest{Id: one}, &single)
	if len(single.Operations) != 1 || single.Operations[0].Action != uint32(task.ActionCancel) {
		t.Errorf("one: %v", &single)
	}
	p.nack(p.send(wire.Operations, &wirepb.OperationsRequest{Id: one, Cancel: true}), task.ErrTransition)
	p.nack(p.send(wire.Operations, &wirepb.OperationsRequest{Id: id[:]}), task.ErrNotFound)
	p.nack(p.send(wire.Operations, &wirepb.OperationsRequest{Cancel: true}), task.ErrInvalid)
}

func TestAdminRequests(t *testing.T) {
	p := connect(t, start(t, 1, newBroker(), nil))
	node := member.ID{5}
	var status wirepb.ClusterStatusReply
	p.call(wire.ClusterStatus, new(wirepb.ClusterStatusRequest), &status)
	if status.NodeName != "node-1" || status.Term != 3 {
		t.Errorf("status %+v", &status)
	}
	var join wirepb.JoinReply
	p.call(wire.Join, &wirepb.JoinRequest{Member: &wirepb.Member{Id: node[:]}, AppliedIndex: 6}, &join)
	if !join.Voter || string(join.ClusterId) != string(node[:]) {
		t.Errorf("join %+v", &join)
	}
	var transfer wirepb.TransferReply
	p.call(wire.Transfer, &wirepb.TransferRequest{NodeId: node[:]}, &transfer)
	if transfer.LeaderAddress != "to-"+node.String() {
		t.Errorf("transfer %+v", &transfer)
	}
	var mark wirepb.MarkReply
	p.call(wire.Mark, new(wirepb.MarkRequest), &mark)
	if mark.Index != 42 {
		t.Errorf("mark %+v", &mark)
	}
	var doctor wirepb.DoctorReply
	p.call(wire.Doctor, &wirepb.DoctorRequest{Index: 42}, &doctor)
	if doctor.Index != 42 || !doctor.Finished || doctor.Found.Removed != 3 {
		t.Errorf("doctor %+v", &doctor)
	}
	p.nack(p.send(wire.Doctor, &wirepb.DoctorRequest{Index: 420}), task.ErrNotFound)
	p.nack(p.send(wire.Remove, &wirepb.RemoveRequest{NodeId: node[:]}), task.ErrNotFound)
	p.nack(p.send(wire.Leave, new(wirepb.LeaveRequest)), task.ErrNotAllowed)
	p.nack(p.send(wire.Adopt, &wirepb.AdoptRequest{Addresses: []string{"a:1"}}), task.ErrConflict)
	p.nack(p.send(wire.Adopt, new(wirepb.AdoptRequest)), task.ErrInvalid)
	p.nack(p.send(wire.SaveSnapshot, &wirepb.SaveSnapshotRequest{MinIndex: 5}), task.ErrTimeout)
	p.nack(p.send(wire.SetDispatch, &wirepb.SetDispatchRequest{Paused: true}), task.ErrConflict)
	yes, many := true, uint32(1<<31)
	p.call(wire.SetQueue, &wirepb.SetQueueRequest{Queue: "q", Paused: &yes}, new(wirepb.SetQueueReply))
	for _, bad := range []*wirepb.SetQueueRequest{
		{}, {Queue: "q"}, {Queue: "q", Type: "\n", Paused: &yes}, {Queue: "q", Concurrency: &many}, {Queue: "q", Rate: &wirepb.Rate{Count: 1, PerUs: -1}},
		{Queue: "q", Rate: &wirepb.Rate{Count: 1, Burst: 1}}, {Queue: "q", Rate: &wirepb.Rate{Burst: 1}},
	} {
		p.nack(p.send(wire.SetQueue, bad), task.ErrInvalid)
	}
	var queues wirepb.QueuesReply
	p.call(wire.Queues, &wirepb.QueuesRequest{Queue: "q", Stale: true}, &queues)
	if len(queues.Queues) != 1 || queues.Queues[0].Queue != "q" || !queues.Queues[0].Paused {
		t.Errorf("queues %+v", &queues)
	}
	var set wirepb.SetScheduleReply
	daily := &wirepb.Schedule{Name: "d", Expression: "@daily", Task: &wirepb.TaskSpec{Type: "t"}}
	p.call(wire.SetSchedule, &wirepb.SetScheduleRequest{Action: 1, Schedule: daily}, &set)
	if set.Schedule.GetName() != "d" || set.Receipt != nil {
		t.Errorf("schedule %+v", &set)
	}
	id := task.NewID()
	var triggered wirepb.SetScheduleReply
	p.call(wire.SetSchedule, &wirepb.SetScheduleRequest{Action: 4, Name: "d", TaskId: id[:]}, &triggered)
	if triggered.Schedule != nil || !bytes.Equal(triggered.Receipt.GetId(), id[:]) {
		t.Errorf("trigger %+v", &triggered)
	}
	p.nack(p.send(wire.SetSchedule, &wirepb.SetScheduleRequest{Action: 6, Name: "d"}), task.ErrInvalid)
	var page wirepb.SchedulesReply
	p.call(wire.Schedules, &wirepb.SchedulesRequest{Name: "d", Fires: 3}, &page)
	if len(page.Schedules) != 1 || page.Schedules[0].Name != "d" || len(page.UpcomingUs) != 3 {
		t.Errorf("schedules %+v", &page)
	}
	var workers wirepb.WorkersReply
	p.call(wire.Workers, &wirepb.WorkersRequest{}, &workers)
	if w := workers.Workers[0]; w.Leases != task.MaxItems || !workers.More {
		t.Errorf("workers %v", &workers)
	}
	workers.Reset()
	p.call(wire.Workers, &wirepb.WorkersRequest{Drain: "w"}, &workers)
	if w := workers.Workers[0]; w.WorkerIds[0] != "w" || !w.Draining {
		t.Errorf("drained %v", &workers)
	}
	p.nack(p.send(wire.Workers, &wirepb.WorkersRequest{Drain: "nobody"}), task.ErrNotFound)
	var kept wirepb.RetentionReply
	p.call(wire.Retention, &wirepb.RetentionRequest{Set: &wirepb.Retention{Type: "a", CompletedUs: -1}}, &kept)
	if len(kept.Settings) != 2 || kept.Settings[1].CompletedUs != time.Hour.Microseconds() {
		t.Errorf("retention %+v", &kept)
	}
	p.nack(p.send(wire.Retention, &wirepb.RetentionRequest{Set: &wirepb.Retention{CancelledUs: -2}}), task.ErrInvalid)
	p.nack(p.send(wire.Retention, &wirepb.RetentionRequest{Set: &wirepb.Retention{Type: "\n"}}), task.ErrInvalid)
}

func TestInternalErrorsStayInside(t *testing.T) {
	b := newBroker()
	b.list = func(context.Context, task.Filter) (task.Page, error) {
		return task.Page{}, errors.New("open /var/lib/secret: no such file")
	}
	p := connect(t, start(t, 1, b, nil))
	e := p.nack(p.send(wire.ListTasks, new(wirepb.ListRequest)), task.ErrInternal)
	if e.Message != task.ErrInternal.Error() {
		t.Errorf("message %q", e.Message)
	}
}

func TestContextErrorsGetANameForTheClient(t *testing.T) {
	b := newBroker()
	b.submit = func(context.Context, []task.Spec, bool) ([]task.Receipt, error) { return nil, context.Canceled }
	b.list = func(context.Context, task.Filter) (task.Page, error) { return task.Page{}, context.DeadlineExceeded }
	p := connect(t, start(t, 1, b, nil))
	p.nack(p.send(wire.SubmitTask, submitPB(1)), task.ErrUnknownOutcome)
	p.nack(p.send(wire.ListTasks, new(wirepb.ListRequest)), task.ErrTimeout)
}

func TestWrongReceiptCountIsAnInternalError(t *testing.T) {
	b := newBroker()
	b.submit = func(context.Context, []task.Spec, bool) ([]task.Receipt, error) { return nil, nil }
	p := connect(t, start(t, 1, b, nil))
	p.nack(p.send(wire.SubmitTask, submitPB(1)), task.ErrInternal)
}
