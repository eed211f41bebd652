package web

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

// QueueSettings are what a change sets; what is left out stays as it is.
type QueueSettings struct {
	Type        string  `json:"task_type,omitempty" maxLength:"128" doc:"Only of this type in the queue"`
	Paused      *bool   `json:"paused,omitempty"`
	Reason      string  `json:"reason,omitempty" maxLength:"1024" doc:"Of the pause"`
	Concurrency *uint32 `json:"concurrency,omitempty" doc:"Tasks that may run at once; 0 for no limit"`
	Rate        *string `json:"rate,omitempty" doc:"Tasks that may be claimed in a time, such as 100/1s; none for no limit"`
	Burst       uint32  `json:"burst,omitempty" doc:"With rate: tasks that may be claimed at once after a rest; the rate's count if left out"`
	Depth       *uint64 `json:"depth,omitempty" doc:"Tasks that may wait; 0 for no limit"`
	Bytes       *uint64 `json:"bytes,omitempty" doc:"Payload that may wait; 0 for no limit"`
	Aging       *string `json:"aging,omitempty" doc:"Of a whole queue: a task gains one priority for each such time that it waits; 0s for strict priority"`
}

func (in *QueueSettings) change(queue string) (c task.QueueChange, err error) {
	c = task.QueueChange{
		Queue: queue, Type: in.Type, Paused: in.Paused, Reason: in.Reason, Concurrency: in.Concurrency, Depth: in.Depth, Bytes: in.Bytes,
	}
	if in.Rate != nil {
		rate, err := parseRate(*in.Rate, in.Burst)
		if err != nil {
			return c, err
		}
		c.Rate = &rate
	} else if in.Burst != 0 {
		return c, fault("body.burst", "burst belongs to rate")
	}
	if in.Aging != nil {
		aging, err := time.ParseDuration(*in.Aging)
		if err != nil {
			return c, fault("body.aging", "aging %q is not a duration such as 30s", clipped(*in.Aging))
		}
		c.Aging = &aging
	}
	return c, c.Validate()
}

// parseRate reads COUNT/DURATION, or none.
func parseRate(text string, burst uint32) (r task.Rate, err error) {
	if text == "none" {
		return r, nil
	}
	count, per, found := strings.Cut(text, "/")
	n, err := strconv.ParseUint(count, 10, 32)
	if err != nil || !found {
		return r, fault("body.rate", "rate %q is neither COUNT/DURATION, such as 100/1s, nor none", clipped(text))
	}
	if per == "s" || per == "m" || per == "h" {
		per = "1" + per
	}
	d, err := time.ParseDuration(per)
	if err != nil {
		return r, fault("body.rate", "rate %q is neither COUNT/DURATION, such as 100/1s, nor none", clipped(text))
	}
	r = task.Rate{Count: uint32(n), Per: d, Burst: burst}
	if r.Burst == 0 {
		r.Burst = r.Count
	}
	return r, nil
}

type patchQueueInput struct {
	QueuePath
	Match string `header:"If-Match" maxLength:"256" doc:"Only if the queue's settings still have this ETag"`
	Body  QueueSettings
}

type pauseQueueInput struct {
	QueuePath
	Match string `header:"If-Match" maxLength:"256" doc:"Only if the queue's settings still have this ETag"`
	Body  *Pause
}

// Pause says what to pause or resume, and why.
type Pause struct {
	Type   string `json:"task_type,omitempty" maxLength:"128" doc:"Only this type in the queue"`
	Reason string `json:"reason,omitempty" maxLength:"1024" doc:"Of a pause: what to tell people who ask"`
}

func (s *Server) registerSettings(a *api) {
	register(a, op{http.MethodPatch, "/v1/queues/{queue}", "change-queue", "queues", "Change settings of a queue, or of a type in it"},
		func(ctx context.Context, in *patchQueueInput) (*queueOutput, error) {
			c, err := in.Body.change(in.Queue)
			if err != nil {
				return nil, err
			}
			return s.changeQueue(ctx, c, in.Match)
		})
	pause := func(paused bool) func(context.Context, *pauseQueueInput) (*queueOutput, error) {
		return func(ctx context.Context, in *pauseQueueInput) (*queueOutput, error) {
			c := task.QueueChange{Queue: in.Queue, Paused: &paused}
			if in.Body != nil {
				c.Type, c.Reason = in.Body.Type, in.Body.Reason
			}
			if err := c.Validate(); err != nil {
				return nil, err
			}
			return s.changeQueue(ctx, c, in.Match)
		}
	}
	register(a, op{http.MethodPost, "/v1/queues/{queue}/pause", "pause-queue", "queues",
		"Hand out no task of a queue, or of a type in it; everything else goes on"}, pause(true))
	register(a, op{http.MethodPost, "/v1/queues/{queue}/resume", "resume-queue", "queues",
		"Hand out tasks of a queue, or of a type in it, again"}, pause(false))
	registerWith(a, op{http.MethodGet, "/v1/retention", "get-retention", "queues", "How long tasks are kept after their end"}, tagged, s.retention)
	register(a, op{http.MethodPut, "/v1/retention", "set-retention", "queues",
		"Set how long tasks of a type, or of all types, are kept after their end"}, s.setRetention)
}

func (s *Server) changeQueue(ctx context.Context, c task.QueueChange, match string) (*queueOutput, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	c.Match = matchOf(match)
	out := &queueOutput{}
	return out, s.call(ctx, func(cl *client.Client) error {
		if err := cl.SetQueue(ctx, c); err != nil {
			return err
		}
		states, err := cl.Queues(ctx, c.Queue)
		out.ETag, out.Body = settingsTag(states), detailOf(c.Queue, states)
		return err
	})
}

// Retention is how long tasks of a type are kept after their end: durations such as 36h0m0s, or forever.
type Retention struct {
	Type       string `json:"task_type" maxLength:"128" doc:"Empty for all types without a setting of their own"`
	Completed  string `json:"completed,omitempty" doc:"Left out if it is not set: as for all types, or 24h"`
	DeadLetter string `json:"dead_letter,omitempty" doc:"Left out if it is not set: as for all types, or 168h"`
	Cancelled  string `json:"cancelled,omitempty" doc:"Left out if it is not set: as for all types, or 168h"`
}

// RetentionList is all settings, that for all types first.
type RetentionList struct {
	Settings []Retention `json:"settings"`
}

type retentionOutput struct {
	AppliedIndex uint64 `header:"Haiku-Applied-Index"`
	Stale        string `header:"Haiku-Stale"`
	ETag         string `header:"ETag"`
	Body         RetentionList
}

func retentionsOf(list []task.Retention) (out RetentionList) {
	out.Settings = make([]Retention, len(list))
	for i, r := range list {
		out.Settings[i] = Retention{r.Type, keptText(r.Completed), keptText(r.DeadLetter), keptText(r.Cancelled)}
	}
	return out
}

// keptText says a retention; empty if it is not set.
func keptText(d time.Duration) string {
	switch d {
	case 0:
		return ""
	case task.KeepForever:
		return "forever"
	}
	return d.String()
}

// parseKept reads a retention: a duration, forever, or empty for not set.
func parseKept(field, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	if text == "forever" {
		return task.KeepForever, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Microsecond {
		return 0, fault("body."+field, "%s %q is neither a duration such as 36h or 90m nor forever", field, clipped(text))
	}
	return d, nil
}

func (s *Server) retention(ctx context.Context, in *struct{ Reads }) (*retentionOutput, error) {
	list, err := read(ctx, s, in.Reads, func(ctx context.Context, c *client.Client, stale bool) ([]task.Retention, uint64, error) {
		list, err := c.Retentions(ctx, staleness(stale)...)
		return list, 0, err
	})
	if err != nil {
		return nil, err
	}
	return &retentionOutput{list.AppliedIndex, list.Stale, quoted(task.RetentionsTag(list.Body)), retentionsOf(list.Body)}, nil
}

type setRetentionInput struct {
	Match string    `header:"If-Match" maxLength:"256" doc:"Only if the settings still have this ETag"`
	Body  Retention `doc:"With nothing set the setting of the type is removed"`
}

func (s *Server) setRetention(ctx context.Context, in *setRetentionInput) (*retentionOutput, error) {
	r := task.Retention{Type: in.Body.Type}
	for _, f := range []struct {
		name, text string
		to         *time.Duration
	}{
		{"completed", in.Body.Completed, &r.Completed}, {"dead_letter", in.Body.DeadLetter, &r.DeadLetter},
		{"cancelled", in.Body.Cancelled, &r.Cancelled},
	} {
		var err error
		if *f.to, err = parseKept(f.name, f.text); err != nil {
			return nil, err
		}
	}
	ctx, cancel := within(ctx)
	defer cancel()
	out := &retentionOutput{}
	return out, s.call(ctx, func(c *client.Client) error {
		list, err := c.SetRetentionIf(ctx, r, matchOf(in.Match))
		out.ETag, out.Body = quoted(task.RetentionsTag(list)), retentionsOf(list)
		return err
	})
}

func quoted(tag string) string { return fmt.Sprintf("%q", tag) }

// matchOf reads an If-Match header: the tag without its quotation marks, or nothing if any will do.
func matchOf(header string) string {
	header = strings.TrimSpace(header)
	if header == "*" {
		return ""
	}
	return strings.Trim(strings.TrimPrefix(header, "W/"), `"`)
}
