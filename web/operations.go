package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

// countTimeout is how long a dry run may count.
const countTimeout = 5 * time.Minute

// Operation is a change of all tasks of a selection.
type Operation struct {
	ID        task.ID   `json:"id" format:"uuid"`
	Action    string    `json:"action" enum:"retry,cancel,delete"`
	Selection Selection `json:"selection"`
	Rate      uint32    `json:"rate,omitempty" doc:"At most so many tasks a second"`
	State     string    `json:"state" enum:"dry_run,running,done,cancelled"`
	Examined  uint64    `json:"examined" doc:"Tasks looked at so far"`
	Changed   uint64    `json:"changed" doc:"Of them; in a dry run those that would be"`
	Failed    uint64    `json:"failed" doc:"Selected, but refused"`
	Error     string    `json:"error,omitempty" doc:"Of the task that was refused last"`
	StartedAt time.Time `json:"started_at,omitzero"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
}

// Selection says which tasks an operation changes. What is left out selects all.
type Selection struct {
	Queue         string     `json:"queue,omitempty"`
	Type          string     `json:"task_type,omitempty"`
	Statuses      []string   `json:"statuses,omitempty" enum:"pending,in_progress,completed,failed,dead_letter,cancelled" doc:"None: all that the action can change"`
	MinPriority   uint8      `json:"min_priority,omitempty" maximum:"255"`
	MaxPriority   *uint8     `json:"max_priority,omitempty" maximum:"255"`
	UpdatedBefore *time.Time `json:"updated_before,omitempty" doc:"Has not changed since"`
	ErrorContains string     `json:"error_contains,omitempty" maxLength:"1024"`
}

// OperationList is the operations that run and the last that have ended, those that started last first.
type OperationList struct {
	Operations []Operation `json:"operations"`
}

func operationOf(o *task.Operation) Operation {
	s := &o.Selection
	out := Operation{
		ID: o.ID, Action: o.Action.String(), Rate: o.Rate, State: o.State.String(), Examined: o.Examined, Changed: o.Changed,
		Failed: o.Failed, Error: o.Error, StartedAt: o.StartedAt, EndedAt: o.EndedAt,
		Selection: Selection{
			Queue: s.Queue, Type: s.Type, Statuses: []string{}, MinPriority: uint8(s.MinPriority),
			UpdatedBefore: momentOrNil(s.UpdatedBefore), ErrorContains: s.ErrorContains,
		},
	}
	for _, status := range s.Statuses {
		out.Selection.Statuses = append(out.Selection.Statuses, status.String())
	}
	if s.MaxPriority != nil {
		p := uint8(*s.MaxPriority)
		out.Selection.MaxPriority = &p
	}
	return out
}

func operationsOf(list []task.Operation) []Operation {
	out := make([]Operation, len(list))
	for i := range list {
		out[i] = operationOf(&list[i])
	}
	return out
}

// OperationInput says what to change, and of which tasks.
type OperationInput struct {
	Action    string     `json:"action" enum:"retry,cancel,delete,redrive,purge" doc:"redrive is retry of dead letters, purge is delete of dead letters, where the filter names no status"`
	Filter    string     `json:"filter,omitempty" maxLength:"4096" doc:"Which tasks, as in the filter of a list: queue:mail status:failed,dead_letter error:refused older-than:36h"`
	Selection *Selection `json:"selection,omitempty" doc:"The same as fields, in place of filter"`
	All       bool       `json:"all,omitempty" doc:"Needed where nothing selects tasks"`
	DryRun    bool       `json:"dry_run,omitempty" doc:"Only count the tasks that it would change"`
	Rate      uint32     `json:"rate,omitempty" maximum:"1048576" doc:"At most so many tasks a second; 0 for no limit"`
}

type startOperationInput struct {
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"Sent again with the same key, the request is the same operation"`
	Body OperationInput
}

type operationOutput struct {
	Status int
	Body   Operation
}

func (s *Server) registerOperations(a *api) {
	register(a, op{http.MethodPost, "/v1/operations", "start-operation", "operations", "Change all tasks of a selection, however many, step by step"}, s.startOperation)
	register(a, op{http.MethodGet, "/v1/operations", "list-operations", "operations", "The operations that run and the last that have ended"},
		func(ctx context.Context, in *struct{ Reads }) (*reply[OperationList], error) {
			return read(ctx, s, in.Reads, func(ctx context.Context, c *client.Client, stale bool) (OperationList, uint64, error) {
				list, err := c.Operations(ctx, staleness(stale)...)
				return OperationList{operationsOf(list)}, 0, err
			})
		})
	register(a, op{http.MethodGet, "/v1/operations/{id}", "get-operation", "operations", "How far an operation is"},
		s.oneOperation(func(c *client.Client, ctx context.Context, id task.ID) (task.Operation, error) {
			return c.Operation(ctx, id)
		}))
	register(a, op{http.MethodPost, "/v1/operations/{id}/cancel", "cancel-operation", "operations", "Cancel a running operation; what it has changed stays"},
		s.oneOperation(func(c *client.Client, ctx context.Context, id task.ID) (task.Operation, error) {
			return c.CancelOperation(ctx, id)
		}))
}

func (s *Server) oneOperation(do func(*client.Client, context.Context, task.ID) (task.Operation, error)) func(context.Context, *TaskPath) (*plain[Operation], error) {
	return func(ctx context.Context, in *TaskPath) (*plain[Operation], error) {
		ctx, cancel := within(ctx)
		defer cancel()
		out := &plain[Operation]{}
		return out, s.call(ctx, func(c *client.Client) error {
			o, err := do(c, ctx, in.ID)
			out.Body = operationOf(&o)
			return err
		})
	}
}

// order reads what an operation is to do.
func (in *OperationInput) order() (o task.OperationOrder, err error) {
	o.Rate = in.Rate
	switch {
	case in.Filter != "" && in.Selection != nil:
		return o, fault("body.selection", "filter and selection exclude each other")
	case in.Selection != nil:
		o.Selection, err = in.Selection.task()
	default:
		o.Selection, err = task.ParseSelection(in.Filter)
	}
	if err != nil {
		return o, err
	}
	s := &o.Selection
	if !in.All && len(s.Statuses) == 0 && s.Queue == "" && s.Type == "" && s.MinPriority == 0 && s.MaxPriority == nil &&
		s.UpdatedBefore.IsZero() && s.Idle == 0 && s.ErrorContains == "" {
		return o, fault("body", "nothing selects tasks; all says that all are meant")
	}
	switch in.Action {
	case "retry":
		o.Action = task.ActionRetry
	case "cancel":
		o.Action = task.ActionCancel
	case "delete":
		o.Action = task.ActionDelete
	case "redrive", "purge":
		o.Action = map[string]task.Action{"redrive": task.ActionRetry, "purge": task.ActionDelete}[in.Action]
		if len(s.Statuses) == 0 {
			s.Statuses = []task.Status{task.DeadLetter}
		}
	}
	return o, nil
}

func (s *Selection) task() (out task.Selection, err error) {
	out = task.Selection{
		Queue: s.Queue, Type: s.Type, MinPriority: task.Priority(s.MinPriority), UpdatedBefore: momentOf(s.UpdatedBefore),
		ErrorContains: s.ErrorContains,
	}
	for _, name := range s.Statuses {
		status, err := task.ParseStatus(name)
		if err != nil {
			return out, err
		}
		out.Statuses = append(out.Statuses, status)
	}
	if s.MaxPriority != nil {
		p := task.Priority(*s.MaxPriority)
		out.MaxPriority = &p
	}
	return out, nil
}

func (s *Server) startOperation(ctx context.Context, in *startOperationInput) (*operationOutput, error) {
	order, err := in.Body.order()
	if err != nil {
		return nil, err
	}
	if in.Body.DryRun {
		return s.tryOperation(ctx, order)
	}
	ctx, cancel := within(ctx)
	defer cancel()
	out := &operationOutput{Status: http.StatusAccepted}
	return out, s.call(ctx, func(c *client.Client) error {
		if in.Key != "" {
			if order.ID, err = s.operationID(ctx, c, in.Key); err != nil {
				return err
			}
		}
		o, err := c.StartOperation(ctx, order)
		out.Body = operationOf(&o)
		return err
	})
}

// operationID is the id that an idempotency key means: that of the period before, if there is such an operation.
func (s *Server) operationID(ctx context.Context, c *client.Client, key string) (task.ID, error) {
	before, now := s.keyPeriods()
	token := tokenIn(ctx)
	old := keyedID(token, key, before, 0)
	_, err := c.Operation(ctx, old)
	switch {
	case err == nil:
		return old, nil
	case errors.Is(err, task.ErrNotFound):
		return keyedID(token, key, now, 0), nil
	}
	return task.ID{}, err
}

// tryOperation counts. It may take long: as many requests as it needs.
func (s *Server) tryOperation(ctx context.Context, order task.OperationOrder) (*operationOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	out := &operationOutput{Status: http.StatusOK}
	return out, s.call(ctx, func(c *client.Client) error {
		would, err := c.TryOperation(ctx, order)
		would.ID = task.ID{}
		out.Body = operationOf(&would)
		return err
	})
}
