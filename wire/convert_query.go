package wire

import (
	"fmt"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
)

// QueryToPB says a query on the wire.
func QueryToPB(q *task.Query) *wirepb.QueryRequest {
	return &wirepb.QueryRequest{Ids: IDsToPB(q.IDs), WithPayload: q.WithPayload, Stale: q.Stale,
		WaitUs: q.Wait.Microseconds()}
}

// QueryFromPB reads a query. The error wraps task.ErrInvalid and names the field. Query.Validate is left to the caller.
func QueryFromPB(p *wirepb.QueryRequest) (q task.Query, err error) {
	q.WithPayload, q.Stale = p.GetWithPayload(), p.GetStale()
	if q.IDs, err = IDsFromPB("ids", p.GetIds()); err != nil {
		return q, err
	}
	q.Wait, err = duration("wait_us", p.GetWaitUs())
	return q, err
}

// FilterToPB says a filter on the wire.
func FilterToPB(f *task.Filter) *wirepb.ListRequest {
	p := &wirepb.ListRequest{
		Queue: f.Queue, Type: f.Type, Status: uint32(f.Status), MinPriority: uint32(f.MinPriority),
		Limit:  uint32(max(f.Limit, 0)),
		Cursor: f.Cursor, WithPayload: f.WithPayload, Stale: f.Stale, Order: uint32(f.Order),
		ScheduledFromUs: micros(f.ScheduledFrom), ScheduledToUs: micros(f.ScheduledTo),
		UpdatedBeforeUs: micros(f.UpdatedBefore), IdleUs: f.Idle.Microseconds(), ErrorContains: f.ErrorContains,
	}
	if f.DependsOn != (task.ID{}) {
		p.DependsOn = f.DependsOn[:]
	}
	if f.MaxPriority != nil {
		v := uint32(*f.MaxPriority)
		p.MaxPriority = &v
	}
	return p
}

// FilterFromPB reads a filter. The error wraps task.ErrInvalid and names the field. Filter.Validate is left to the
// caller.
func FilterFromPB(p *wirepb.ListRequest) (task.Filter, error) {
	f := task.Filter{Queue: p.GetQueue(), Type: p.GetType(), Cursor: p.GetCursor(), WithPayload: p.GetWithPayload(),
		Stale: p.GetStale(), ErrorContains: p.GetErrorContains()}
	var err error
	if p.GetStatus() != 0 {
		if f.Status, err = statusFromPB(p.GetStatus()); err != nil {
			return f, err
		}
	}
	low, err := small("min_priority", p.GetMinPriority())
	if err != nil {
		return f, err
	}
	f.MinPriority = task.Priority(low)
	if p != nil {
		if f.MaxPriority, err = optionalPriority("max_priority", p.MaxPriority); err != nil {
			return f, err
		}
	}
	if p.GetLimit() > task.MaxItems {
		return f, fmt.Errorf("%w: limit %d is not within 0 and %d", task.ErrInvalid, p.GetLimit(), task.MaxItems)
	}
	f.Limit = int(p.GetLimit())
	if f.DependsOn, err = optionalID16[task.ID]("depends_on", p.GetDependsOn()); err != nil {
		return f, err
	}
	return f, orderFromPB(p, &f)
}

// orderFromPB reads the order of a list and the range of scheduled times. An order that is not known is refused by
// Filter.Validate.
func orderFromPB(p *wirepb.ListRequest, f *task.Filter) error {
	order, err := small("order", p.GetOrder())
	if err != nil {
		return err
	}
	f.Order = task.Order(order)
	if f.ScheduledFrom, err = moment("scheduled_from_us", p.GetScheduledFromUs()); err != nil {
		return err
	}
	if f.ScheduledTo, err = moment("scheduled_to_us", p.GetScheduledToUs()); err != nil {
		return err
	}
	if f.Idle, err = duration("idle_us", p.GetIdleUs()); err != nil {
		return err
	}
	f.UpdatedBefore, err = moment("updated_before_us", p.GetUpdatedBeforeUs())
	return err
}

// optionalPriority reads a priority that may be missing.
func optionalPriority(field string, v *uint32) (*task.Priority, error) {
	if v == nil {
		return nil, nil
	}
	n, err := small(field, *v)
	priority := task.Priority(n)
	return &priority, err
}

// StatsQueryToPB says a query for counts on the wire.
func StatsQueryToPB(q *task.StatsQuery) *wirepb.StatsRequest {
	return &wirepb.StatsRequest{Queue: q.Queue, Type: q.Type, Stale: q.Stale}
}

// StatsQueryFromPB reads a query for counts. StatsQuery.Validate is left to the caller.
func StatsQueryFromPB(p *wirepb.StatsRequest) task.StatsQuery {
	return task.StatsQuery{Queue: p.GetQueue(), Type: p.GetType(), Stale: p.GetStale()}
}

// PageToPB says a page on the wire.
func PageToPB(page *task.Page) *wirepb.ListReply {
	return &wirepb.ListReply{Tasks: TasksToPB(page.Tasks), Next: page.Next, AppliedIndex: page.AppliedIndex}
}

// PageFromPB reads a page. The error wraps task.ErrInvalid and names the field.
func PageFromPB(p *wirepb.ListReply) (page task.Page, err error) {
	page.AppliedIndex = p.GetAppliedIndex()
	if len(p.GetNext()) > 0 {
		page.Next = p.GetNext()
	}
	page.Tasks, err = TasksFromPB(p.GetTasks())
	return page, err
}

// StatsToPB says counts on the wire.
func StatsToPB(s *task.Stats) *wirepb.StatsReply {
	p := &wirepb.StatsReply{Total: countsToPB(&s.Total), AppliedIndex: s.AppliedIndex, DispatchPaused: s.DispatchPaused}
	for i := range s.Queues {
		p.Queues = append(p.Queues, countsToPB(&s.Queues[i]))
	}
	return p
}

// StatsFromPB reads counts.
func StatsFromPB(p *wirepb.StatsReply) task.Stats {
	s := task.Stats{Total: countsFromPB(p.GetTotal()), AppliedIndex: p.GetAppliedIndex(), DispatchPaused: p.GetDispatchPaused()}
	for _, c := range p.GetQueues() {
		s.Queues = append(s.Queues, countsFromPB(c))
	}
	return s
}

func countsToPB(c *task.QueueCounts) *wirepb.QueueCounts {
	return &wirepb.QueueCounts{
		Queue: c.Queue, Type: c.Type, Pending: c.Pending, Ready: c.Ready, Scheduled: c.Scheduled, Blocked: c.Blocked,
		InProgress: c.InProgress, Completed: c.Completed, Failed: c.Failed, DeadLetter: c.DeadLetter, Cancelled: c.Cancelled,
	}
}

func countsFromPB(p *wirepb.QueueCounts) task.QueueCounts {
	return task.QueueCounts{
		Queue: p.GetQueue(), Type: p.GetType(), Pending: p.GetPending(), Ready: p.GetReady(), Scheduled: p.GetScheduled(),
		Blocked: p.GetBlocked(), InProgress: p.GetInProgress(), Completed: p.GetCompleted(), Failed: p.GetFailed(),
		DeadLetter: p.GetDeadLetter(), Cancelled: p.GetCancelled(),
	}
}
