package web

import (
	"time"

	"github.com/haiku-queue/haiku/task"
)

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
