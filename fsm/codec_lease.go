package fsm

import (
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/commandpb"
	"github.com/haiku-queue/haiku/task"
)

func finishToPB(c *Finish) (message, error) {
	if len(c.Delays) != len(c.Outcomes) || len(c.Hashes) != len(c.Outcomes) {
		return nil, fmt.Errorf("%w: %d outcomes, %d delays, %d lists of hashes", errField, len(c.Outcomes), len(c.Delays), len(c.Hashes))
	}
	m := &commandpb.Finish{Outcomes: make([]*commandpb.Outcome, len(c.Outcomes))}
	for i := range c.Outcomes {
		o := &c.Outcomes[i]
		p := &commandpb.Outcome{
			Id: o.ID[:], LeaseId: o.LeaseID, Kind: uint32(o.Kind), Result: o.Result, Error: o.Error,
			DelayUs: c.Delays[i].Microseconds(), Progress: progressToPB(&o.Progress),
		}
		if len(o.Submit) > 0 {
			submit, err := submitToPB(&Submit{Specs: o.Submit, Hashes: c.Hashes[i], Atomic: true, DedupWindow: c.DedupWindow})
			if err != nil {
				return nil, err
			}
			p.Submit = submit
		}
		m.Outcomes[i] = p
	}
	return m, nil
}

func finishFromPB(m *commandpb.Finish) (Command, error) {
	n := len(m.Outcomes)
	c := &Finish{Outcomes: make([]task.Outcome, n), Delays: make([]time.Duration, n), Hashes: make([][][16]byte, n)}
	for i, p := range m.Outcomes {
		if err := refuseUnknown(p); err != nil {
			return nil, err
		}
		id, err := task.IDFromBytes(p.Id)
		if err != nil {
			return nil, err
		}
		o := &c.Outcomes[i]
		*o = task.Outcome{ID: id, LeaseID: p.LeaseId, Kind: task.OutcomeKind(p.Kind), Result: p.Result, Error: p.Error}
		c.Delays[i] = micros(p.DelayUs)
		if o.Progress, err = progressFromPB(p.Progress); err != nil {
			return nil, err
		}
		if p.Submit == nil {
			continue
		}
		submit, err := submitFromPB(p.Submit)
		if err != nil {
			return nil, err
		}
		o.Submit, c.Hashes[i], c.DedupWindow = submit.Specs, submit.Hashes, submit.DedupWindow
	}
	return c, nil
}

func releaseToPB(c *Release) message {
	m := &commandpb.Release{Ended: make([]*commandpb.Ended, len(c.Ended))}
	for i := range c.Ended {
		e := &c.Ended[i]
		m.Ended[i] = &commandpb.Ended{
			Id: e.ID[:], LeaseId: e.LeaseID, Kind: uint32(e.Kind), Crash: e.Crash, DelayUs: e.Delay.Microseconds(),
			Progress: progressToPB(&e.Progress),
		}
	}
	return m
}

func releaseFromPB(m *commandpb.Release) (Command, error) {
	c := &Release{Ended: make([]Ended, len(m.Ended))}
	for i, p := range m.Ended {
		if err := refuseUnknown(p); err != nil {
			return nil, err
		}
		id, err := task.IDFromBytes(p.Id)
		if err != nil {
			return nil, err
		}
		progress, err := progressFromPB(p.Progress)
		if err != nil {
			return nil, err
		}
		c.Ended[i] = Ended{
			ID: id, LeaseID: p.LeaseId, Kind: task.OutcomeKind(p.Kind), Crash: p.Crash, Delay: micros(p.DelayUs), Progress: progress,
		}
	}
	return c, nil
}

func progressToPB(p *task.Progress) *commandpb.Progress {
	if p.IsZero() {
		return nil
	}
	return &commandpb.Progress{Percent: p.Percent, Message: p.Message, Cursor: p.Cursor}
}

func progressFromPB(p *commandpb.Progress) (task.Progress, error) {
	if p == nil {
		return task.Progress{}, nil
	}
	return task.Progress{Percent: p.Percent, Message: p.Message, Cursor: p.Cursor}, refuseUnknown(p)
}
