package web

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

func (s *Server) registerTasks(a *api) {
	registerWith(a, op{http.MethodPost, "/v1/tasks", "submit-tasks", "tasks", "Submit a task, or several"}, large, s.submit)
	register(a, op{http.MethodGet, "/v1/tasks", "list-tasks", "tasks", "List tasks, page by page"}, s.list)
	register(a, op{http.MethodGet, "/v1/tasks/{id}", "get-task", "tasks", "Show a task, or wait for its end"}, s.get)
	register(a, op{http.MethodGet, "/v1/tasks/{id}/payload", "get-payload", "tasks", "The payload of a task as it is"}, s.payload)
	register(a, op{http.MethodGet, "/v1/tasks/{id}/result", "get-result", "tasks", "The result of a task as it is"}, s.result)
	register(a, op{http.MethodPost, "/v1/tasks/{id}/cancel", "cancel-task", "tasks",
		"Cancel a task: at once if it waits, by asking its worker if it runs"}, s.changeOne((*client.Client).Cancel))
	register(a, op{http.MethodPost, "/v1/tasks/{id}/retry", "retry-task", "tasks",
		"Have a task run again that ended without success or waits for a retry"}, s.changeOne((*client.Client).Retry))
	register(a, op{http.MethodDelete, "/v1/tasks/{id}", "delete-task", "tasks", "Delete a task that does not run"},
		s.changeOne((*client.Client).Delete))
	register(a, op{http.MethodPost, "/v1/tasks/cancel", "cancel-tasks", "tasks", "Cancel tasks by their ids"},
		s.changeMany((*client.Client).Cancel))
	register(a, op{http.MethodPost, "/v1/tasks/retry", "retry-tasks", "tasks", "Have tasks run again, by their ids"},
		s.changeMany((*client.Client).Retry))
	register(a, op{http.MethodPost, "/v1/tasks/delete", "delete-tasks", "tasks", "Delete tasks by their ids"},
		s.changeMany((*client.Client).Delete))
}

type listInput struct {
	Reads
	Queue         string    `query:"queue" doc:"Only of this queue"`
	Type          string    `query:"type" doc:"Only of this type"`
	Status        string    `query:"status" enum:"pending,in_progress,completed,failed,dead_letter,cancelled"`
	PriorityMin   uint8     `query:"priority_min" doc:"Only of this priority or a higher one"`
	PriorityMax   uint8     `query:"priority_max" default:"255" doc:"Only of this priority or a lower one"`
	ScheduledFrom time.Time `query:"scheduled_from" doc:"Only with this scheduled time or a later one"`
	ScheduledTo   time.Time `query:"scheduled_to" doc:"Only with a scheduled time before this one"`
	UpdatedBefore time.Time `query:"updated_before" doc:"Only tasks that have not changed since"`
	Error         string    `query:"error" maxLength:"1024" doc:"Only tasks whose error contains this text"`
	DependsOn     task.ID   `query:"depends_on" format:"uuid" doc:"Only tasks that depend on this one; with orders id and newest"`
	Filter        string    `query:"filter" maxLength:"4096" doc:"The same as text, in place of the parameters above: queue:mail type:send status:failed priority:200.. error:refused older-than:36h scheduled:A..B depends-on:ID"`
	Order         string    `query:"order" enum:"id,newest,priority,scheduled" default:"id" doc:"id: all tasks, oldest first; newest: all tasks, newest first; priority: ready tasks, as claims take them; scheduled: scheduled tasks and retries, earliest first"`
	Limit         int       `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor        string    `query:"cursor" maxLength:"2048" doc:"next of the page before"`
	Payload       bool      `query:"payload" doc:"With payloads and results"`
}

// TaskPage is one page of a list.
type TaskPage struct {
	Tasks        []Task `json:"tasks"`
	Next         string `json:"next,omitempty" doc:"cursor of the next page; left out on the last one"`
	AppliedIndex uint64 `json:"applied_index"`
}

func (in *listInput) filter() (f task.Filter, err error) {
	if in.Filter != "" {
		if in.Queue != "" || in.Type != "" || in.Status != "" || in.PriorityMin != 0 || in.PriorityMax != 255 || in.Error != "" ||
			!in.ScheduledFrom.IsZero() || !in.ScheduledTo.IsZero() || !in.UpdatedBefore.IsZero() {
			return f, fault("query.filter", "filter stands in place of the other parameters that select tasks")
		}
		if f, err = task.ParseFilter(in.Filter); err != nil {
			return f, err
		}
		f.Limit, f.WithPayload = in.Limit, in.Payload
		if f.DependsOn != (task.ID{}) && in.DependsOn != (task.ID{}) {
			return f, fault("query.depends_on", "depends_on stands in the filter, too")
		}
		return f, in.page(&f)
	}
	f = task.Filter{
		Queue: in.Queue, Type: in.Type, MinPriority: task.Priority(in.PriorityMin), ScheduledFrom: in.ScheduledFrom,
		ScheduledTo: in.ScheduledTo, UpdatedBefore: in.UpdatedBefore, ErrorContains: in.Error, Limit: in.Limit,
		WithPayload: in.Payload,
	}
	if in.PriorityMax < 255 {
		p := task.Priority(in.PriorityMax)
		f.MaxPriority = &p
	}
	if in.Status != "" {
		if f.Status, err = task.ParseStatus(in.Status); err != nil {
			return f, err
		}
	}
	return f, in.page(&f)
}

// page reads what says which page, in which order.
func (in *listInput) page(f *task.Filter) (err error) {
	if in.DependsOn != (task.ID{}) {
		f.DependsOn = in.DependsOn
	}
	if f.Order, err = task.ParseOrder(in.Order); err != nil {
		return err
	}
	if f.Cursor, err = base64.RawURLEncoding.DecodeString(in.Cursor); err != nil {
		return fault("query.cursor", "cursor is not the next of a page")
	}
	return f.Validate()
}

func (s *Server) list(ctx context.Context, in *listInput) (*reply[TaskPage], error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	return read(ctx, s, in.Reads, func(ctx context.Context, c *client.Client, stale bool) (TaskPage, uint64, error) {
		f.Stale = stale
		page, err := c.List(ctx, f)
		return TaskPage{
			Tasks: tasksOf(page.Tasks), Next: base64.RawURLEncoding.EncodeToString(page.Next), AppliedIndex: page.AppliedIndex,
		}, page.AppliedIndex, err
	})
}

// TaskPath names a task in a path.
type TaskPath struct {
	ID task.ID `path:"id" format:"uuid"`
}

type getInput struct {
	TaskPath
	Reads
	Payload bool   `query:"payload" doc:"With payload and result"`
	Wait    string `query:"wait" doc:"Wait for the end of the task, up to so long: 30s, 5m; at most 10m"`
}

func (s *Server) get(ctx context.Context, in *getInput) (*reply[Task], error) {
	wait, err := parseWait(in.Wait)
	if err != nil {
		return nil, err
	}
	if wait > 0 {
		if in.Consistency == "stale" {
			return nil, fault("query.wait", "wait needs the leader, so it does not go with consistency=stale")
		}
		if err := s.awaitEnd(ctx, in.ID, wait); err != nil {
			return nil, err
		}
	}
	return s.one(ctx, in.Reads, in.ID, in.Payload)
}

// one reads one task.
func (s *Server) one(ctx context.Context, r Reads, id task.ID, payload bool) (*reply[Task], error) {
	return read(ctx, s, r, func(ctx context.Context, c *client.Client, stale bool) (t Task, index uint64, err error) {
		tasks, index, err := c.Query(ctx, task.Query{IDs: []task.ID{id}, WithPayload: payload, Stale: stale})
		if err == nil && len(tasks) != 1 {
			err = fmt.Errorf("%w: task %s", task.ErrNotFound, id)
		}
		if err == nil {
			t.Task = tasks[0]
		}
		return t, index, err
	})
}

// awaitEnd returns when a task has ended, the wait is over or the node drains.
func (s *Server) awaitEnd(ctx context.Context, id task.ID, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait+requestTimeout)
	defer cancel()
	defer context.AfterFunc(s.waits, cancel)()
	err := s.fromLeader(ctx, func(ctx context.Context) error {
		return s.callWaiting(ctx, func(c *client.Client) error {
			_, _, err := c.Query(ctx, task.Query{IDs: []task.ID{id}, Wait: wait})
			return err
		})
	})
	if s.waits.Err() != nil {
		return nil // what is known now is the answer
	}
	return err
}

// parseWait reads a wait: a duration, or a number of seconds.
func parseWait(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(text)
	if n, nerr := strconv.ParseUint(text, 10, 31); nerr == nil {
		wait, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || wait < 0 || wait > task.MaxWait {
		return 0, fault("query.wait", "wait is a duration such as 30s, at most %s", task.MaxWait)
	}
	return wait, nil
}

// rawOutput is bytes of a task, which no browser may take for a page.
type rawOutput struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Policy      string `header:"Content-Security-Policy"`
	Body        []byte `contentType:"application/octet-stream"`
}

type rawInput struct {
	TaskPath
	Reads
}

func (s *Server) payload(ctx context.Context, in *rawInput) (*rawOutput, error) {
	t, err := s.one(ctx, in.Reads, in.ID, true)
	if err != nil {
		return nil, err
	}
	return raw(in.ID, "payload", t.Body.Payload), nil
}

func (s *Server) result(ctx context.Context, in *rawInput) (*rawOutput, error) {
	t, err := s.one(ctx, in.Reads, in.ID, true)
	if err != nil {
		return nil, err
	}
	if t.Body.Status != task.Completed {
		return nil, fmt.Errorf("%w: task %s is %s and has no result", task.ErrTransition, in.ID, t.Body.Status)
	}
	return raw(in.ID, "result", t.Body.Result), nil
}

func raw(id task.ID, what string, content []byte) *rawOutput {
	if content == nil {
		content = []byte{}
	}
	return &rawOutput{
		ContentType: "application/octet-stream", Disposition: fmt.Sprintf("attachment; filename=%q", id.String()+"."+what),
		Policy: "sandbox; default-src 'none'", Body: content,
	}
}

// change is what a client does to tasks by their ids.
type change func(c *client.Client, ctx context.Context, ids ...task.ID) ([]task.Receipt, error)

func (s *Server) changeOne(do change) func(context.Context, *TaskPath) (*plain[Receipt], error) {
	return func(ctx context.Context, in *TaskPath) (*plain[Receipt], error) {
		list, err := s.change(ctx, do, in.ID)
		if err == nil {
			err = list[0].Err
		}
		if err != nil {
			return nil, err
		}
		return &plain[Receipt]{receiptOf(list[0])}, nil
	}
}

type idsInput struct {
	Body struct {
		IDs []task.ID `json:"ids" minItems:"1" maxItems:"1000"`
	}
}

func (s *Server) changeMany(do change) func(context.Context, *idsInput) (*plain[Receipts], error) {
	return func(ctx context.Context, in *idsInput) (*plain[Receipts], error) {
		list, err := s.change(ctx, do, in.Body.IDs...)
		if err != nil {
			return nil, err
		}
		return &plain[Receipts]{Receipts{receiptsOf(list)}}, nil
	}
}

func (s *Server) change(ctx context.Context, do change, ids ...task.ID) (list []task.Receipt, err error) {
	ctx, cancel := within(ctx)
	defer cancel()
	err = s.call(ctx, func(c *client.Client) (err error) {
		list, err = do(c, ctx, ids...)
		return err
	})
	return list, err
}
