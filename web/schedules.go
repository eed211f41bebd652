package web

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

// ScheduleSettings are what a client says of a schedule.
type ScheduleSettings struct {
	Expression string       `json:"expression" maxLength:"256" doc:"Five or six fields of cron, @daily and the like, or @every DURATION"`
	Zone       string       `json:"time_zone,omitempty" maxLength:"128" doc:"IANA name such as Europe/Berlin; UTC if left out"`
	CatchUp    string       `json:"catch_up,omitempty" enum:"skip,one,all" doc:"What of fires missed while nothing could fire; skip if left out"`
	Overlap    string       `json:"overlap,omitempty" enum:"skip,allow" doc:"While the task of the last fire has not ended; skip if left out"`
	Start      *time.Time   `json:"start,omitempty" doc:"No fire before this moment"`
	End        *time.Time   `json:"end,omitempty" doc:"No fire after this moment"`
	Task       ScheduleTask `json:"task" doc:"What each fire submits"`
}

// ScheduleTask is the task that a schedule submits.
type ScheduleTask struct {
	Type             string        `json:"task_type" minLength:"1" maxLength:"128"`
	Queue            string        `json:"queue,omitempty" maxLength:"128"`
	Payload          Base64        `json:"payload,omitzero" doc:"Base64, up to 64 KiB; or payload_text. Of an answer only for a schedule asked for by its name"`
	PayloadText      *string       `json:"payload_text,omitempty"`
	Priority         *uint8        `json:"priority,omitempty" maximum:"255"`
	MaxRetries       *uint32       `json:"max_retries,omitempty"`
	TimeoutSeconds   uint64        `json:"timeout_seconds,omitempty"`
	RetentionSeconds float64       `json:"retention_seconds,omitempty" minimum:"0"`
	Headers          []task.Header `json:"headers,omitempty" maxItems:"128"`
	UniqueKey        string        `json:"unique_key,omitempty"`
}

// Schedule submits a task again and again.
type Schedule struct {
	Name string `json:"name"`
	ScheduleSettings
	Paused      bool        `json:"paused"`
	PauseReason string      `json:"pause_reason,omitempty"`
	Next        *string     `json:"next_fire" format:"date-time"`
	Upcoming    []time.Time `json:"next_fires,omitempty"`
	LastFire    *string     `json:"last_fire" format:"date-time"`
	LastTask    *string     `json:"last_task" format:"uuid"`
	LastError   string      `json:"last_error,omitempty" doc:"Why the last fire submitted nothing"`
	Fired       uint64      `json:"fired"`
	Skipped     uint64      `json:"skipped"`
	CreatedAt   time.Time   `json:"created_at"`
	UpdatedAt   time.Time   `json:"updated_at"`
}

func scheduleOf(s *task.Schedule) Schedule {
	out := Schedule{
		Name: s.Name, Paused: s.Paused, PauseReason: s.PauseReason, Next: stampOrNil(s.Next), LastFire: stampOrNil(s.LastFire),
		LastError: s.LastError, Fired: s.Fired, Skipped: s.Skipped, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
		ScheduleSettings: ScheduleSettings{
			Expression: s.Expression, Zone: s.Zone, CatchUp: s.CatchUp.String(), Overlap: s.Overlap.String(), Start: momentOrNil(s.Start),
			End: momentOrNil(s.End),
			Task: ScheduleTask{
				Type: s.Task.Type, Queue: s.Task.Queue, Payload: Base64{Bytes: s.Task.Payload}, MaxRetries: s.Task.MaxRetries,
				TimeoutSeconds: s.Task.TimeoutSeconds, RetentionSeconds: s.Task.Retention.Seconds(), Headers: s.Task.Headers,
				UniqueKey: s.Task.UniqueKey,
			},
		},
	}
	if out.Zone == "" {
		out.Zone = "UTC"
	}
	if s.Task.Priority != nil {
		p := uint8(*s.Task.Priority)
		out.Task.Priority = &p
	}
	if s.LastTask != (task.ID{}) {
		id := s.LastTask.String()
		out.LastTask = &id
	}
	return out
}

func stampOrNil(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := t.Format(time.RFC3339Nano)
	return &text
}

func (in *ScheduleSettings) schedule(name string) (s task.Schedule, err error) {
	t := &in.Task
	body := Submission{
		Type: t.Type, Queue: t.Queue, Payload: t.Payload, PayloadText: t.PayloadText, Priority: t.Priority, MaxRetries: t.MaxRetries,
		TimeoutSeconds: t.TimeoutSeconds, RetentionSeconds: t.RetentionSeconds, Headers: t.Headers,
	}
	if t.UniqueKey != "" {
		body.UniqueKey = &t.UniqueKey
	}
	s = task.Schedule{Name: name, Expression: in.Expression, Zone: in.Zone, Start: momentOf(in.Start), End: momentOf(in.End)}
	if s.Task, err = body.spec(); err != nil {
		return s, err
	}
	if err := s.CatchUp.UnmarshalText([]byte(in.CatchUp)); err != nil {
		return s, err
	}
	if err := s.Overlap.UnmarshalText([]byte(in.Overlap)); err != nil {
		return s, err
	}
	return s, s.Validate()
}

// SchedulePath names a schedule in a path.
type SchedulePath struct {
	Name string `path:"name" maxLength:"128"`
}

type scheduleOutput struct {
	Status       int
	AppliedIndex uint64 `header:"Haiku-Applied-Index"`
	Stale        string `header:"Haiku-Stale"`
	ETag         string `header:"ETag" doc:"Of what is set; fires do not change it"`
	Body         Schedule
}

// ScheduleList is one page of schedules, in the order of their names.
type ScheduleList struct {
	Schedules []Schedule `json:"schedules"`
	Next      string     `json:"next,omitempty" doc:"after of the next page; left out on the last one"`
}

func (s *Server) registerSchedules(a *api) {
	const tag, one = "schedules", "/v1/schedules/{name}"
	register(a, op{http.MethodGet, "/v1/schedules", "list-schedules", tag, "List schedules, page by page"}, s.schedules)
	register(a, op{http.MethodPost, "/v1/schedules", "make-schedule", tag, "Make a schedule; one of that name is refused"}, s.makeSchedule)
	registerWith(a, op{http.MethodGet, one, "get-schedule", tag, "Show a schedule with the payload of its task"}, tagged, s.schedule)
	register(a, op{http.MethodGet, one + "/next", "get-next-fires", tag, "When a schedule fires next"}, s.nextFires)
	register(a, op{http.MethodPut, one, "set-schedule", tag, "Make a schedule, or change the one of that name"}, s.setSchedule)
	register(a, op{http.MethodDelete, one, "remove-schedule", tag, "Forget a schedule; the tasks that it has submitted stay"}, s.removeSchedule)
	register(a, op{http.MethodPost, one + "/pause", "pause-schedule", tag, "Stop the fires of a schedule"}, s.pauseSchedule)
	register(a, op{http.MethodPost, one + "/resume", "resume-schedule", tag, "Let a schedule fire again; what it missed is left out"},
		func(ctx context.Context, in *SchedulePath) (*scheduleOutput, error) {
			return s.changeSchedule(ctx, func(ctx context.Context, c *client.Client) (*task.Schedule, error) {
				return c.ResumeSchedule(ctx, in.Name)
			})
		})
	register(a, op{http.MethodPost, one + "/trigger", "trigger-schedule", tag, "Submit the task of a schedule now"}, s.triggerSchedule)
}

type schedulesInput struct {
	Reads
	After string `query:"after" maxLength:"128" doc:"next of the page before"`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"1000"`
}

func (s *Server) schedules(ctx context.Context, in *schedulesInput) (*reply[ScheduleList], error) {
	return read(ctx, s, in.Reads, func(ctx context.Context, c *client.Client, stale bool) (ScheduleList, uint64, error) {
		page, err := c.Schedules(ctx, task.ScheduleQuery{After: in.After, Limit: in.Limit, Stale: stale})
		list := ScheduleList{Schedules: []Schedule{}, Next: page.Next}
		for _, one := range page.Schedules {
			list.Schedules = append(list.Schedules, scheduleOf(one))
		}
		return list, 0, err
	})
}

type scheduleInput struct {
	SchedulePath
	Reads
}

func (s *Server) schedule(ctx context.Context, in *scheduleInput) (*scheduleOutput, error) {
	page, err := s.readSchedule(ctx, in.Reads, in.Name, 0)
	if err != nil {
		return nil, err
	}
	one := page.Body.Schedules[0]
	return &scheduleOutput{http.StatusOK, page.AppliedIndex, page.Stale, scheduleTag(one), scheduleOf(one)}, nil
}

func (s *Server) readSchedule(ctx context.Context, r Reads, name string, fires int) (*reply[task.SchedulePage], error) {
	if err := task.ValidateName("schedule name", name); err != nil {
		return nil, err
	}
	return read(ctx, s, r, func(ctx context.Context, c *client.Client, stale bool) (task.SchedulePage, uint64, error) {
		page, err := c.Schedules(ctx, task.ScheduleQuery{Name: name, Fires: fires, Stale: stale})
		if err == nil && len(page.Schedules) != 1 {
			err = fmt.Errorf("%w: the node sent %d schedules", task.ErrInternal, len(page.Schedules))
		}
		return page, 0, err
	})
}

func scheduleTag(s *task.Schedule) string { return quoted(s.Tag()) }

type nextInput struct {
	SchedulePath
	Reads
	N int `query:"n" minimum:"1" maximum:"100" default:"5" doc:"How many"`
}

// Fires are moments at which a schedule fires.
type Fires struct {
	NextFires []time.Time `json:"next_fires"`
}

func (s *Server) nextFires(ctx context.Context, in *nextInput) (*plain[Fires], error) {
	page, err := s.readSchedule(ctx, in.Reads, in.Name, in.N)
	if err != nil {
		return nil, err
	}
	return &plain[Fires]{Fires{append([]time.Time{}, page.Body.Upcoming...)}}, nil
}

type makeScheduleInput struct {
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"128"`
		ScheduleSettings
	}
}

func (s *Server) makeSchedule(ctx context.Context, in *makeScheduleInput) (*scheduleOutput, error) {
	set, err := in.Body.schedule(in.Body.Name)
	if err != nil {
		return nil, err
	}
	return s.set(ctx, set, task.ScheduleAbsent)
}

type setScheduleInput struct {
	SchedulePath
	Match string `header:"If-Match" maxLength:"256" doc:"Only if the schedule still has this ETag"`
	None  string `header:"If-None-Match" enum:"*" doc:"Only if there is no schedule of this name"`
	Body  ScheduleSettings
}

func (s *Server) setSchedule(ctx context.Context, in *setScheduleInput) (*scheduleOutput, error) {
	set, err := in.Body.schedule(in.Name)
	if err != nil {
		return nil, err
	}
	match := matchOf(in.Match)
	if in.Match != "" && match == "" { // "any" would make one that is not there
		return nil, fault("header.If-Match", "If-Match takes the ETag of the schedule, not *")
	}
	if in.None != "" {
		match = task.ScheduleAbsent
	}
	return s.set(ctx, set, match)
}

func (s *Server) set(ctx context.Context, set task.Schedule, match string) (*scheduleOutput, error) {
	return s.changeSchedule(ctx, func(ctx context.Context, c *client.Client) (*task.Schedule, error) {
		return c.SetScheduleIf(ctx, set, match)
	})
}

func (s *Server) changeSchedule(ctx context.Context, do func(context.Context, *client.Client) (*task.Schedule, error)) (*scheduleOutput, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	out := &scheduleOutput{Status: http.StatusOK}
	return out, s.call(ctx, func(c *client.Client) error {
		now, err := do(ctx, c)
		if err != nil {
			return err
		}
		out.ETag, out.Body = scheduleTag(now), scheduleOf(now)
		return nil
	})
}

type pauseScheduleInput struct {
	SchedulePath
	Body *struct {
		Reason string `json:"reason,omitempty" maxLength:"1024" doc:"Why, for others to see"`
	}
}

func (s *Server) pauseSchedule(ctx context.Context, in *pauseScheduleInput) (*scheduleOutput, error) {
	reason := ""
	if in.Body != nil {
		reason = in.Body.Reason
	}
	return s.changeSchedule(ctx, func(ctx context.Context, c *client.Client) (*task.Schedule, error) {
		return c.PauseSchedule(ctx, in.Name, reason)
	})
}

func (s *Server) triggerSchedule(ctx context.Context, in *SchedulePath) (*plain[Receipt], error) {
	ctx, cancel := within(ctx)
	defer cancel()
	out := &plain[Receipt]{}
	return out, s.call(ctx, func(c *client.Client) error {
		r, err := c.TriggerSchedule(ctx, in.Name)
		out.Body = receiptOf(r)
		return err
	})
}

func (s *Server) removeSchedule(ctx context.Context, in *SchedulePath) (*struct{}, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	return nil, s.call(ctx, func(c *client.Client) error { return c.RemoveSchedule(ctx, in.Name) })
}
