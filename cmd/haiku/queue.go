package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

func (a *app) queueCommand() *cobra.Command {
	return a.group("queue", "List queues, pause and limit them",
		a.queueListCommand(), a.queuePauseCommand(), a.queueResumeCommand(), a.queueLimitCommand(), a.queueAgingCommand())
}

// queueForm is a queue, or a type in it, as scripts see it.
type queueForm struct {
	Queue        string           `json:"queue"`
	Type         string           `json:"task_type,omitempty"`
	Paused       bool             `json:"paused"`
	Reason       string           `json:"reason,omitempty"`
	Concurrency  uint32           `json:"concurrency,omitempty"`
	Rate         string           `json:"rate,omitempty"`
	Burst        uint32           `json:"burst,omitempty"`
	Depth        uint64           `json:"depth,omitempty"`
	Bytes        uint64           `json:"bytes,omitempty"`
	Aging        string           `json:"aging,omitempty"`
	Counts       task.QueueCounts `json:"counts"`
	WaitingBytes uint64           `json:"waiting_bytes"`
	NextSince    *time.Time       `json:"next_since,omitempty"`
}

func queueFormOf(s *task.QueueState) queueForm {
	f := queueForm{
		Queue: s.Queue, Type: s.Type, Paused: s.Paused, Reason: s.Reason, Concurrency: s.Concurrency, Burst: s.Rate.Burst,
		Depth: s.Depth, Bytes: s.Bytes, Counts: s.Counts, WaitingBytes: s.WaitingBytes,
	}
	if !s.Rate.IsZero() {
		f.Rate = s.Rate.String()
	}
	if s.Aging > 0 {
		f.Aging = s.Aging.String()
	}
	if !s.NextSince.IsZero() {
		f.NextSince = &s.NextSince
	}
	return f
}

func (a *app) queueListCommand() *cobra.Command {
	var stale bool
	cmd := &cobra.Command{
		Use: "list [QUEUE]", Short: "List queues and their types: tasks, pauses, limits, how long the next one waits",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			queue := ""
			if len(args) == 1 {
				queue = args[0]
			}
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				var opts []client.ReadOption
				if stale {
					opts = append(opts, client.Stale())
				}
				list, err := c.Queues(ctx, queue, opts...)
				if err != nil {
					return err
				}
				return a.printQueues(list)
			})
		},
	}
	cmd.Flags().BoolVar(&stale, "stale", false, "answer from the node's own state, however old")
	return cmd
}

func (a *app) printQueues(list []task.QueueState) error {
	forms := make([]queueForm, len(list))
	for i := range list {
		forms[i] = queueFormOf(&list[i])
	}
	return a.print(forms, func(w io.Writer) {
		row(w, "QUEUE", "TYPE", "READY", "SCHEDULED", "BLOCKED", "RETRYING", "RUNNING", "BYTES", "NEXT WAITS", "SETTINGS")
		for i := range forms {
			f := &forms[i]
			n, waits := &f.Counts, ""
			if f.NextSince != nil {
				waits = max(0, time.Since(*f.NextSince)).Round(time.Millisecond).String()
			}
			row(w, f.Queue, either(f.Type, "*"), n.Ready, n.Scheduled, n.Blocked, n.Failed, n.InProgress, f.WaitingBytes, waits, f.settings())
		}
	})
}

// changeQueue makes a change and shows what is set then.
func (a *app) changeQueue(cmd *cobra.Command, change task.QueueChange) error {
	if err := change.Validate(); err != nil {
		return &usageError{err}
	}
	return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
		if err := c.SetQueue(ctx, change); err != nil {
			return err
		}
		list, err := c.Queues(ctx, change.Queue)
		if err != nil {
			return err
		}
		for i := range list {
			if list[i].Type == change.Type {
				return a.printQueues(list[i : i+1])
			}
		}
		return a.printQueues([]task.QueueState{{QueueSettings: task.QueueSettings{Queue: change.Queue, Type: change.Type}}})
	})
}

func (a *app) queuePauseCommand() *cobra.Command {
	change, paused := task.QueueChange{}, true
	cmd := &cobra.Command{
		Use: "pause QUEUE", Short: "Hand out no task of a queue, or of a type in it; everything else goes on", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			change.Queue, change.Paused = args[0], &paused
			return a.changeQueue(cmd, change)
		},
	}
	cmd.Flags().StringVar(&change.Type, "type", "", "only this type")
	cmd.Flags().StringVar(&change.Reason, "reason", "", "what to tell people who ask")
	return cmd
}

func (a *app) queueResumeCommand() *cobra.Command {
	change, paused := task.QueueChange{}, false
	cmd := &cobra.Command{
		Use: "resume QUEUE", Short: "Hand out tasks of a queue, or of a type in it, again", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			change.Queue, change.Paused = args[0], &paused
			return a.changeQueue(cmd, change)
		},
	}
	cmd.Flags().StringVar(&change.Type, "type", "", "only this type")
	return cmd
}
