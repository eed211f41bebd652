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

// drainGrace is how long a worker may take to come to a new leader before it counts as ended.
const drainGrace = 10 * time.Second

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
	waiting := make(map[task.SessionID]*told, len(asked))
	for i := range asked {
		waiting[asked[i].Session] = &told{before: asked[i].LastHeartbeat}
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

// told is what is known of a worker that was asked to end.
type told struct {
	before  time.Time // its heartbeat before it was asked
	missing time.Time // since when a new leader does not know it; zero if it does
}

// lookAtDrain takes those from waiting that know. One that is not listed has ended, unless the leader has changed since
// the term and is still to hear from it.
func lookAtDrain(ctx context.Context, c *client.Client, waiting map[task.SessionID]*told, term uint64) error {
	workers, err := c.Workers(ctx)
	if err != nil {
		return err
	}
	status, err := c.Status(ctx)
	if err != nil {
		return err
	}
	listed := make(map[task.SessionID]*member.Worker, len(workers))
	for i := range workers {
		listed[workers[i].Session] = &workers[i]
	}
	for session, of := range waiting {
		w := listed[session]
		switch {
		case w == nil && status.Term == term, w != nil && w.Draining && w.LastHeartbeat.After(of.before):
			delete(waiting, session)
		case w != nil && w.Draining:
		default:
			known, err := of.askAgain(ctx, c, session)
			if err != nil {
				return err
			}
			if !known && time.Since(of.missing) > drainGrace {
				delete(waiting, session)
			}
		}
	}
	return nil
}

// askAgain asks a worker to end whom this leader has not asked, and reports whether the leader knows it.
func (t *told) askAgain(ctx context.Context, c *client.Client, session task.SessionID) (known bool, err error) {
	asked, err := c.DrainWorker(ctx, session.String())
	switch {
	case errors.Is(err, task.ErrNotFound):
		if t.missing.IsZero() {
			t.missing = time.Now()
		}
		return false, nil
	case err != nil:
		return false, err
	}
	t.before, t.missing = asked[0].LastHeartbeat, time.Time{}
	return true, nil
}
