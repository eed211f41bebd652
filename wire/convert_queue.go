package wire

import (
	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
)

// QueueChangeToPB says a change of a queue's settings on the wire.
func QueueChangeToPB(c *task.QueueChange) *wirepb.SetQueueRequest {
	p := &wirepb.SetQueueRequest{
		Queue: c.Queue, Type: c.Type, Paused: c.Paused, Reason: c.Reason, Concurrency: c.Concurrency, Depth: c.Depth, Bytes: c.Bytes,
		Match: c.Match,
	}
	if c.Rate != nil {
		p.Rate = &wirepb.Rate{Count: c.Rate.Count, PerUs: c.Rate.Per.Microseconds(), Burst: c.Rate.Burst}
	}
	if c.Aging != nil {
		us := c.Aging.Microseconds()
		p.AgingUs = &us
	}
	return p
}

// QueueChangeFromPB reads a change. The error wraps task.ErrInvalid and names the field. QueueChange.Validate is left to
// the caller.
func QueueChangeFromPB(p *wirepb.SetQueueRequest) (task.QueueChange, error) {
	c := task.QueueChange{
		Queue: p.Queue, Type: p.Type, Paused: p.Paused, Reason: p.Reason, Concurrency: p.Concurrency, Depth: p.Depth, Bytes: p.Bytes,
		Match: p.Match,
	}
	if p.Rate != nil {
		r, err := rateFromPB(p.Rate)
		if err != nil {
			return c, err
		}
		c.Rate = &r
	}
	if p.AgingUs != nil {
		aging, err := duration("aging_us", *p.AgingUs)
		if err != nil {
			return c, err
		}
		c.Aging = &aging
	}
	return c, nil
}

func rateFromPB(p *wirepb.Rate) (task.Rate, error) {
	per, err := duration("rate.per_us", p.GetPerUs())
	return task.Rate{Count: p.GetCount(), Per: per, Burst: p.GetBurst()}, err
}

// QueueStatesToPB says what is known of queues on the wire.
func QueueStatesToPB(list []task.QueueState) *wirepb.QueuesReply {
	p := &wirepb.QueuesReply{}
	for i := range list {
		s := &list[i]
		q := &wirepb.QueueState{
			Queue: s.Queue, Type: s.Type, Paused: s.Paused, Reason: s.Reason, Concurrency: s.Concurrency, Depth: s.Depth, Bytes: s.Bytes,
			AgingUs: s.Aging.Microseconds(), Counts: countsToPB(&s.Counts), WaitingBytes: s.WaitingBytes, NextSinceUs: micros(s.NextSince),
		}
		if !s.Rate.IsZero() {
			q.Rate = &wirepb.Rate{Count: s.Rate.Count, PerUs: s.Rate.Per.Microseconds(), Burst: s.Rate.Burst}
		}
		p.Queues = append(p.Queues, q)
	}
	return p
}

// QueueStatesFromPB reads what is known of queues. The error wraps task.ErrInvalid and names the place and the field.
func QueueStatesFromPB(p *wirepb.QueuesReply) ([]task.QueueState, error) {
	return each(p.GetQueues(), queueStateFromPB)
}

func queueStateFromPB(p *wirepb.QueueState) (task.QueueState, error) {
	s := task.QueueState{
		QueueSettings: task.QueueSettings{
			Queue: p.GetQueue(), Type: p.GetType(), Paused: p.GetPaused(), Reason: p.GetReason(), Concurrency: p.GetConcurrency(),
			Depth: p.GetDepth(), Bytes: p.GetBytes(),
		},
		Counts: countsFromPB(p.GetCounts()), WaitingBytes: p.GetWaitingBytes(),
	}
	var f fields
	rate, err := rateFromPB(p.GetRate())
	s.Rate = take(&f, rate, err)
	aging, err := duration("aging_us", p.GetAgingUs())
	s.Aging = take(&f, aging, err)
	since, err := moment("next_since_us", p.GetNextSinceUs())
	s.NextSince = take(&f, since, err)
	return s, f.err
}
