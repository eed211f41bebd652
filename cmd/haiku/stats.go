package main

import (
	"cmp"
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

func (a *app) statsCommand() *cobra.Command {
	var q task.StatsQuery
	cmd := &cobra.Command{
		Use: "stats", Short: "Count tasks by queue, type and status", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				stats, err := c.Counts(ctx, q)
				if err != nil {
					return err
				}
				if stats.Queues == nil {
					stats.Queues = []task.QueueCounts{}
				}
				if stats.DispatchPaused {
					a.say("No task is handed out: haiku cluster resume")
				}
				return a.print(stats, func(w io.Writer) { writeStats(w, &stats) })
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&q.Queue, "queue", "", "only of this queue")
	flags.StringVar(&q.Type, "type", "", "only of this type")
	flags.BoolVar(&q.Stale, "stale", false, "answer from the node's own state, however old")
	return cmd
}

func writeStats(w io.Writer, s *task.Stats) {
	row(w, "QUEUE", "TYPE", "READY", "SCHEDULED", "BLOCKED", "RUNNING", "RETRYING", "COMPLETED", "DEAD", "CANCELLED")
	line := func(queue, typ string, c *task.QueueCounts) {
		row(w, queue, typ, c.Ready, c.Scheduled, c.Blocked, c.InProgress, c.Failed, c.Completed, c.DeadLetter, c.Cancelled)
	}
	for i := range s.Queues {
		line(s.Queues[i].Queue, s.Queues[i].Type, &s.Queues[i])
	}
	line(cmp.Or(s.Total.Queue, "all"), s.Total.Type, &s.Total)
}
