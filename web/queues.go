package web

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

// Queue is a queue, or with a type that type in it.
type Queue struct {
	Queue        string           `json:"queue"`
	Type         string           `json:"task_type,omitempty"`
	Paused       bool             `json:"paused"`
	Reason       string           `json:"reason,omitempty" doc:"Of the pause"`
	Concurrency  uint32           `json:"concurrency,omitempty" doc:"Tasks that may run at once"`
	Rate         string           `json:"rate,omitempty" doc:"Tasks that may be claimed in a time, such as 100/1s"`
	Burst        uint32           `json:"burst,omitempty" doc:"Tasks that may be claimed at once after a rest"`
	Depth        uint64           `json:"depth,omitempty" doc:"Tasks that may wait"`
	Bytes        uint64           `json:"bytes,omitempty" doc:"Payload that may wait"`
	Aging        string           `json:"aging,omitempty" doc:"A task gains one priority for each such time that it waits"`
	Counts       task.QueueCounts `json:"counts"`
	WaitingBytes uint64           `json:"waiting_bytes"`
	NextSince    *time.Time       `json:"next_since,omitempty" doc:"Since when the task that is claimed next could have been claimed; of a type, or, in a list without types, the earliest of its types"`
}

func queueOf(s *task.QueueState) Queue {
	q := Queue{
		Queue: s.Queue, Type: s.Type, Paused: s.Paused, Reason: s.Reason, Concurrency: s.Concurrency, Burst: s.Rate.Burst,
		Depth: s.Depth, Bytes: s.Bytes, Counts: s.Counts, WaitingBytes: s.WaitingBytes, NextSince: momentOrNil(s.NextSince),
	}
	if !s.Rate.IsZero() {
		q.Rate = s.Rate.String()
	}
	if s.Aging > 0 {
		q.Aging = s.Aging.String()
	}
	return q
}

// QueueList is queues, each with the sum of its types first.
type QueueList struct {
	Queues []Queue `json:"queues"`
}

// QueueDetail is one queue with its types.
type QueueDetail struct {
	Queue
	Types []Queue `json:"types" doc:"Types that have tasks or settings of their own"`
}

type queuesInput struct {
	Reads
	Types bool `query:"types" default:"true" doc:"With the types of each queue"`
}

// QueuePath names a queue in a path.
type QueuePath struct {
	Queue string `path:"queue" maxLength:"128"`
}

type queueInput struct {
	QueuePath
	Reads
}

type queueOutput struct {
	AppliedIndex uint64 `header:"Haiku-Applied-Index"`
	Stale        string `header:"Haiku-Stale"`
	ETag         string `header:"ETag" doc:"Of the settings; counts do not change it"`
	Body         QueueDetail
}

func (s *Server) registerQueues(a *api) {
	register(a, op{http.MethodGet, "/v1/queues", "list-queues", "queues", "List queues with counts and settings"}, s.queues)
	registerWith(a, op{http.MethodGet, "/v1/queues/{queue}", "get-queue", "queues", "Show a queue and its types"}, tagged, s.queue)
	s.registerSettings(a)
}

func (s *Server) queues(ctx context.Context, in *queuesInput) (*reply[QueueList], error) {
	return read(ctx, s, in.Reads, func(ctx context.Context, c *client.Client, stale bool) (QueueList, uint64, error) {
		var states []task.QueueState
		var err error
		if in.Types {
			states, err = c.Queues(ctx, "", staleness(stale)...)
		} else {
			states, err = c.QueueSums(ctx, staleness(stale)...)
		}
		list := QueueList{Queues: make([]Queue, len(states))}
		for i := range states {
			list.Queues[i] = queueOf(&states[i])
		}
		return list, 0, err
	})
}

func staleness(stale bool) []client.ReadOption {
	if stale {
		return []client.ReadOption{client.Stale()}
	}
	return nil
}

func (s *Server) queue(ctx context.Context, in *queueInput) (*queueOutput, error) {
	if err := task.ValidateName("queue", in.Queue); err != nil {
		return nil, err
	}
	states, err := read(ctx, s, in.Reads, func(ctx context.Context, c *client.Client, stale bool) ([]task.QueueState, uint64, error) {
		states, err := c.Queues(ctx, in.Queue, staleness(stale)...)
		return states, 0, err
	})
	if err != nil {
		return nil, err
	}
	if len(states.Body) == 0 {
		return nil, fmt.Errorf("%w: queue %q has neither tasks nor settings", task.ErrNotFound, clipped(in.Queue))
	}
	return &queueOutput{states.AppliedIndex, states.Stale, settingsTag(states.Body), detailOf(in.Queue, states.Body)}, nil
}

func detailOf(name string, states []task.QueueState) QueueDetail {
	d := QueueDetail{Queue: Queue{Queue: name}, Types: []Queue{}}
	for i := range states {
		if states[i].Type == "" {
			d.Queue = queueOf(&states[i])
		} else {
			d.Types = append(d.Types, queueOf(&states[i]))
		}
	}
	return d
}

// settingsTag is the entity tag of a queue's settings and those of its types.
func settingsTag(states []task.QueueState) string {
	list := make([]task.QueueSettings, len(states))
	for i := range states {
		list[i] = states[i].QueueSettings
	}
	return quoted(task.SettingsTag(list))
}
