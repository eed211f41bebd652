package wire

import (
	"fmt"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
)

var session = task.SessionID{0xaa, 15: 0xbb}

// through converts a message to its domain value and back. Messages that carry only plain fields come back as they are.
func through(m Message) (Message, error) {
	switch m := m.(type) {
	case *wirepb.SubmitRequest:
		out := &wirepb.SubmitRequest{Atomic: m.Atomic}
		for _, p := range m.Tasks {
			s, err := SpecFromPB(p)
			if err != nil {
				return nil, err
			}
			_ = s.Validate()
			out.Tasks = append(out.Tasks, SpecToPB(&s))
		}
		return out, nil
	case *wirepb.SubmitReply:
		r, err := ReceiptsFromPB(m.Receipts)
		return &wirepb.SubmitReply{Receipts: ReceiptsToPB(r)}, err
	case *wirepb.ClaimRequest:
		c, err := ClaimFromPB(m, session)
		return ClaimToPB(&c), err
	case *wirepb.ClaimReply:
		tasks, err := TasksFromPB(m.Tasks)
		return &wirepb.ClaimReply{Tasks: TasksToPB(tasks)}, err
	case *wirepb.ResultRequest:
		return throughResult(m)
	case *wirepb.ResultReply:
		r, err := ReceiptsFromPB(m.Receipts)
		if err != nil {
			return nil, err
		}
		tasks, err := TasksFromPB(m.GetNext().GetTasks())
		out := &wirepb.ResultReply{Receipts: ReceiptsToPB(r)}
		if m.Next != nil {
			out.Next = &wirepb.ClaimReply{Tasks: TasksToPB(tasks)}
		}
		return out, err
	case *wirepb.HeartbeatRequest:
		h, err := HeartbeatFromPB(m, session)
		_ = h.Validate()
		return HeartbeatToPB(&h), err
	case *wirepb.HeartbeatReply:
		h, err := HeartbeatReplyFromPB(m)
		return HeartbeatReplyToPB(&h), err
	}
	return throughRead(m)
}

func throughResult(m *wirepb.ResultRequest) (Message, error) {
	out := &wirepb.ResultRequest{}
	for _, p := range m.Outcomes {
		o, err := OutcomeFromPB(p)
		if err != nil {
			return nil, err
		}
		_ = o.Validate()
		out.Outcomes = append(out.Outcomes, OutcomeToPB(&o))
	}
	if m.Next == nil {
		return out, nil
	}
	c, err := ClaimFromPB(m.Next, session)
	_ = c.Validate()
	out.Next = ClaimToPB(&c)
	return out, err
}

func throughSetScheduleReply(m *wirepb.SetScheduleReply) (Message, error) {
	out := &wirepb.SetScheduleReply{}
	if m.Schedule != nil {
		s, err := ScheduleFromPB(m.Schedule)
		if err != nil {
			return nil, err
		}
		out.Schedule = ScheduleToPB(s)
	}
	if m.Receipt != nil {
		r, err := ReceiptsFromPB([]*wirepb.Receipt{m.Receipt})
		if err != nil {
			return nil, err
		}
		out.Receipt = ReceiptsToPB(r)[0]
	}
	return out, nil
}

func throughRead(m Message) (Message, error) {
	switch m := m.(type) {
	case *wirepb.QueryRequest:
		q, err := QueryFromPB(m)
		_ = q.Validate()
		return QueryToPB(&q), err
	case *wirepb.QueryReply:
		tasks, err := TasksFromPB(m.Tasks)
		return &wirepb.QueryReply{Tasks: TasksToPB(tasks), AppliedIndex: m.AppliedIndex}, err
	case *wirepb.CancelRequest:
		ids, err := IDsFromPB("ids", m.Ids)
		return &wirepb.CancelRequest{Ids: IDsToPB(ids)}, err
	case *wirepb.CancelReply:
		r, err := ReceiptsFromPB(m.Receipts)
		return &wirepb.CancelReply{Receipts: ReceiptsToPB(r)}, err
	case *wirepb.RetryRequest:
		ids, err := IDsFromPB("ids", m.Ids)
		return &wirepb.RetryRequest{Ids: IDsToPB(ids)}, err
	case *wirepb.RetryReply:
		r, err := ReceiptsFromPB(m.Receipts)
		return &wirepb.RetryReply{Receipts: ReceiptsToPB(r)}, err
	case *wirepb.DeleteRequest:
		ids, err := IDsFromPB("ids", m.Ids)
		return &wirepb.DeleteRequest{Ids: IDsToPB(ids)}, err
	case *wirepb.DeleteReply:
		r, err := ReceiptsFromPB(m.Receipts)
		return &wirepb.DeleteReply{Receipts: ReceiptsToPB(r)}, err
	case *wirepb.ListRequest:
		f, err := FilterFromPB(m)
		out := FilterToPB(&f)
		_ = f.Validate()
		return out, err
	case *wirepb.ListReply:
		page, err := PageFromPB(m)
		return PageToPB(&page), err
	case *wirepb.StatsRequest:
		q := StatsQueryFromPB(m)
		return StatsQueryToPB(&q), nil
	case *wirepb.StatsReply:
		s := StatsFromPB(m)
		return StatsToPB(&s), nil
	case *wirepb.Push:
		ids, err := IDsFromPB("cancel", m.Cancel)
		return &wirepb.Push{Cancel: IDsToPB(ids), Drain: m.Drain, End: m.End}, err
	case *wirepb.Hello:
		g, err := GreetingFromPB(m)
		return GreetingToPB(&g), err
	case *wirepb.HelloReply:
		w, err := WelcomeFromPB(m)
		return WelcomeToPB(&w), err
	case *wirepb.Nack:
		return NackFromError(ErrorFromNack(m), ""), nil
	}
	return throughOperation(m)
}

func throughOperation(m Message) (Message, error) {
	switch m := m.(type) {
	case *wirepb.StartOperationRequest:
		o, err := OrderFromPB(m)
		out := OrderToPB(&o)
		_ = o.Validate()
		out.DryRun, out.Cursor = m.DryRun, m.Cursor
		return out, err
	case *wirepb.StartOperationReply:
		o, err := OperationFromPB(m.Operation)
		return &wirepb.StartOperationReply{Operation: OperationToPB(&o), Next: m.Next}, err
	case *wirepb.OperationsRequest:
		id, err := OptionalIDFromPB("id", m.Id)
		return &wirepb.OperationsRequest{Id: bytesOf(id), Cancel: m.Cancel}, err
	case *wirepb.OperationsReply:
		list, err := OperationsFromPB(m)
		return OperationsToPB(list), err
	}
	return throughMember(m)
}

func throughMember(m Message) (Message, error) {
	switch m := m.(type) {
	case *wirepb.ClusterStatusReply:
		s, err := StatusFromPB(m)
		if err != nil {
			return nil, err
		}
		return StatusToPB(&s)
	case *wirepb.JoinRequest:
		j, err := JoinFromPB(m)
		return JoinToPB(&j), err
	case *wirepb.JoinReply:
		id, err := MemberIDFromPB("cluster_id", m.ClusterId)
		return &wirepb.JoinReply{ClusterId: MemberIDToPB(id), Voter: m.Voter}, err
	case *wirepb.RemoveRequest:
		id, err := MemberIDFromPB("node_id", m.NodeId)
		return &wirepb.RemoveRequest{NodeId: MemberIDToPB(id)}, err
	case *wirepb.TransferRequest:
		id, err := MemberIDFromPB("node_id", m.NodeId)
		return &wirepb.TransferRequest{NodeId: MemberIDToPB(id)}, err
	case *wirepb.DoctorReply:
		e, err := ExaminationFromPB(m)
		if err != nil {
			return nil, err
		}
		return ExaminationToPB(&e)
	case *wirepb.AdoptRequest:
		a, err := AdoptionFromPB(m)
		return AdoptionToPB(&a), err
	case *wirepb.SetScheduleRequest:
		c, err := ScheduleChangeFromPB(m)
		_ = c.Validate()
		return ScheduleChangeToPB(&c), err
	case *wirepb.SetScheduleReply:
		return throughSetScheduleReply(m)
	case *wirepb.SchedulesRequest:
		q := ScheduleQueryFromPB(m)
		_ = q.Validate()
		return m, nil
	case *wirepb.SchedulesReply:
		page, err := SchedulePageFromPB(m)
		return SchedulePageToPB(&page), err
	case *wirepb.RetentionRequest:
		if m.Set == nil {
			return m, nil
		}
		r, err := RetentionFromPB(m.Set)
		_ = r.Validate()
		return &wirepb.RetentionRequest{Set: RetentionToPB(&r)}, err
	case *wirepb.SetQueueRequest:
		c, err := QueueChangeFromPB(m)
		_ = c.Validate()
		return QueueChangeToPB(&c), err
	case *wirepb.QueuesReply:
		list, err := QueueStatesFromPB(m)
		return QueueStatesToPB(list), err
	case *wirepb.CreateTokenRequest:
		t, err := NewTokenFromPB(m)
		return NewTokenToPB(&t), err
	case *wirepb.CreateTokenReply:
		t, err := TokenFromPB(m.Token)
		return &wirepb.CreateTokenReply{Token: TokenToPB(&t)}, err
	case *wirepb.RevokeTokenReply:
		t, err := TokenFromPB(m.Token)
		return &wirepb.RevokeTokenReply{Token: TokenToPB(&t)}, err
	case *wirepb.TokensReply:
		list, err := TokensFromPB(m)
		return TokensToPB(list), err
	case *wirepb.WorkersRequest:
		q, err := WorkersQueryFromPB(m)
		return WorkersQueryToPB(&q), err
	case *wirepb.WorkersReply:
		list, more, err := WorkersFromPB(m)
		return WorkersToPB(list, more), err
	case *wirepb.RetentionReply:
		list, err := RetentionsFromPB(m)
		return RetentionsToPB(list), err
	case *wirepb.ClusterStatusRequest, *wirepb.RemoveReply, *wirepb.LeaveRequest, *wirepb.TokensRequest, *wirepb.RevokeTokenRequest, *wirepb.LeaveReply,
		*wirepb.TransferReply, *wirepb.MarkRequest, *wirepb.MarkReply, *wirepb.DoctorRequest, *wirepb.AdoptReply,
		*wirepb.SaveSnapshotRequest, *wirepb.SaveSnapshotReply, *wirepb.SetDispatchRequest, *wirepb.SetDispatchReply,
		*wirepb.SetQueueReply, *wirepb.QueuesRequest:
		return m, nil
	}
	return nil, fmt.Errorf("%w: no conversion of %T is tested", task.ErrInternal, m)
}
