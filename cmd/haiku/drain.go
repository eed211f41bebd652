package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// drainLook is the pause between two looks at whether workers know that they are to end.
const drainLook = 100 * time.Millisecond

func (a *app) workerDrainCommand() *cobra.Command {
	return &cobra.Command{
		Use: "drain WORKER...", Short: "Have workers finish what they run, claim nothing more and end",
		Long: "Have workers finish what they run, claim nothing more and end; wait until they know it.\n\n" +
			"WORKER is a worker's name, which means all that have it, or a session from worker list. A worker knows when it\n" +
			"has sent a heartbeat since, or has ended. If the leader changes meanwhile, it is asked again through the new one.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				status, err := c.Status(ctx)
				if err != nil {
					return err
				}
				asked := []member.Worker{}
				var problems []error
				for _, name := range args {
					workers, err := c.DrainWorker(ctx, name)
					asked, problems = append(asked, workers...), append(problems, err)
				}
				if len(asked) > 0 {
					problems = append(problems, a.printWorkers(asked))
				}
				return errors.Join(append(problems, awaitDrain(ctx, c, asked, status.Term))...)
			})
		},
	}
}

// awaitDrain waits until workers know that they are to end, and asks those again that another leader lists as working.
func awaitDrain(ctx context.Context, c *client.Client, asked []member.Worker, term uint64) error {
	waiting := make(map[task.SessionID]time.Time, len(asked)) // to the heartbeat before they were asked
	for i := range asked {
		waiting[asked[i].Session] = asked[i].LastHeartbeat
	}
	for len(waiting) > 0 {
		err := pauseFor(ctx, drainLook)
		if err == nil {
			err = lookAtDrain(ctx, c, waiting, term)
		}
		if err != nil {
			return fmt.Errorf("%d workers were asked to end, but it is not known whether they were told; ask again: %w", len(waiting), err)
		}
	}
	return nil
}

// lookAtDrain takes those from waiting that know. One that is not listed has ended, unless the leader has changed since
// the term: it lists only those that have claimed from it.
func lookAtDrain(ctx context.Context, c *client.Client, waiting map[task.SessionID]time.Time, term uint64) error {
	workers, err := c.Workers(ctx)
	if err != nil {
		return err
	}
	status, err := c.Status(ctx)
	if err != nil {
		return err
	}
	listed := make(map[task.SessionID]bool, len(workers))
	for i := range workers {
		w := &workers[i]
		listed[w.Session] = true
		before, ok := waiting[w.Session]
		switch {
		case !ok:
		case !w.Draining:
			if _, err := c.DrainWorker(ctx, w.Session.String()); err != nil && !errors.Is(err, task.ErrNotFound) {
				return err
			}
			waiting[w.Session] = w.LastHeartbeat
		case w.LastHeartbeat.After(before):
			delete(waiting, w.Session)
		}
	}
	for session := range waiting {
		if !listed[session] && status.Term == term {
			delete(waiting, session)
		}
	}
	return nil
}
