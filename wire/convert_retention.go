package wire

import (
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
)

// RetentionToPB says a setting on the wire.
func RetentionToPB(r *task.Retention) *wirepb.Retention {
	return &wirepb.Retention{
		Type: r.Type, CompletedUs: r.Completed.Microseconds(), DeadLetterUs: r.DeadLetter.Microseconds(),
		CancelledUs: r.Cancelled.Microseconds(),
	}
}

// RetentionFromPB reads a setting. The error wraps task.ErrInvalid and names the field.
func RetentionFromPB(p *wirepb.Retention) (task.Retention, error) {
	if p == nil {
		return task.Retention{}, fmt.Errorf("%w: retention is missing", task.ErrInvalid)
	}
	r := task.Retention{Type: p.Type}
	var f fields
	d, err := kept("completed_us", p.CompletedUs)
	r.Completed = take(&f, d, err)
	d, err = kept("dead_letter_us", p.DeadLetterUs)
	r.DeadLetter = take(&f, d, err)
	d, err = kept("cancelled_us", p.CancelledUs)
	r.Cancelled = take(&f, d, err)
	return r, f.err
}

// kept reads a duration, of which -1 stands for ever.
func kept(field string, us int64) (time.Duration, error) {
	if us == task.KeepForever.Microseconds() {
		return task.KeepForever, nil
	}
	return duration(field, us)
}

// RetentionsToPB says a list of settings on the wire.
func RetentionsToPB(list []task.Retention) *wirepb.RetentionReply {
	p := &wirepb.RetentionReply{}
	for i := range list {
		p.Settings = append(p.Settings, RetentionToPB(&list[i]))
	}
	return p
}

// RetentionsFromPB reads a list of settings. The error wraps task.ErrInvalid and names the place and the field.
func RetentionsFromPB(p *wirepb.RetentionReply) ([]task.Retention, error) {
	return each(p.GetSettings(), RetentionFromPB)
}
