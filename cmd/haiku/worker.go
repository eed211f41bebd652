package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/internal/buildinfo"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/worker"
)

func (a *app) workerCommand() *cobra.Command {
	return a.group("worker", "Run tasks, list workers and have them end",
		a.workerRunCommand(), a.workerListCommand(), a.workerDrainCommand())
}

// working holds the flags of worker run.
type working struct {
	line   string
	types  []string
	config worker.Config
	stay   bool
}

func (a *app) workerRunCommand() *cobra.Command {
	w := &working{}
	cmd := &cobra.Command{
		Use: "run --exec COMMAND", Short: "Run a command for each task, until SIGTERM or SIGINT",
		Long: "Run a command for each task, until SIGTERM or SIGINT; then finish what runs and end.\n\n" +
			"COMMAND is run by /bin/sh. It gets the payload on standard input, its standard output is the result, and exit\n" +
			"code 0 is success. Anything else is a failure with the end of its standard error as text; the task is retried\n" +
			"later while it has retries left. HAIKU_TASK_ID, HAIKU_TASK_TYPE, HAIKU_TASK_QUEUE, HAIKU_ATTEMPT,\n" +
			"HAIKU_LEASE_ID and HAIKU_WORKER are in its environment. When the task is cancelled, runs too long or its lease\n" +
			"is lost, the command's process group gets SIGTERM, and SIGKILL five seconds later.\n\n" +
			"What it writes to descriptor 3, such as with echo snooze 1h >&3, says more, a line at a time:\n" +
			"  progress PERCENT [TEXT]  how far it is, for people\n" +
			"  cursor TEXT              where the next attempt can go on; it finds it in HAIKU_CURSOR\n" +
			"  submit JSON              a task, as a line of task submit-many, that is submitted with the success or not at all\n" +
			"  retry-after DURATION     this attempt failed, and the next one comes after that long\n" +
			"  snooze DURATION          run it again after that long; no attempt is used\n" +
			"  cancel                   no retry\n" +
			"  dead                     a dead letter at once",
		Args: w.check,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.work(cmd.Context(), w) },
	}
	flags := cmd.Flags()
	flags.StringVar(&w.line, "exec", "", "command to run for each task")
	flags.StringSliceVar(&w.types, "type", nil, "types of tasks to run; all if not set")
	flags.StringSliceVar(&w.config.Queues, "queue", nil, "queues to take tasks from; default if not set")
	flags.IntVar(&w.config.Concurrency, "concurrency", 1, "commands at once")
	flags.StringVar(&w.config.Name, "name", "", "name shown with the tasks; HOST/PID if not set")
	flags.DurationVar(&w.config.Lease, "lease", 0, "how long a task stays leased without word from this worker; 30s if not set")
	flags.DurationVar(&w.config.ShutdownTimeout, "drain-timeout", 30*time.Second,
		"how long running commands may go on after SIGTERM")
	flags.BoolVar(&w.stay, "stay", false, "keep to the node at --addr instead of going on to the leader")
	return cmd
}

// check refuses what would be taken for a default.
func (w *working) check(cmd *cobra.Command, args []string) error {
	given := cmd.Flags().Changed
	switch {
	case w.line == "":
		return errors.New("worker run wants --exec COMMAND")
	case w.config.Concurrency < 1:
		return fmt.Errorf("--concurrency %d is not within 1 and %d", w.config.Concurrency, task.MaxItems)
	case w.config.ShutdownTimeout < 0:
		return fmt.Errorf("--drain-timeout %s is negative", w.config.ShutdownTimeout)
	case given("type") && len(w.types) == 0:
		return errors.New("--type is empty; leave it out for all types")
	case given("queue") && len(w.config.Queues) == 0:
		return errors.New("--queue is empty; leave it out for the queue " + task.DefaultQueue)
	}
	return noArgs(cmd, args)
}

// work runs tasks until ctx ends.
func (a *app) work(ctx context.Context, w *working) error {
	log := slog.New(slog.NewTextHandler(a.errOut, nil))
	token, err := a.readToken()
	if err != nil {
		return err
	}
	c, err := client.New(client.Config{
		Addrs: a.addresses, Name: "haiku " + buildinfo.Version(), Stay: w.stay, Logger: log, Token: token,
	})
	if err != nil {
		return err
	}
	defer c.Close()
	w.config.Logger = log
	if w.config.ShutdownTimeout == 0 {
		w.config.ShutdownTimeout = -1 // which is the library's way to say it
	}
	runner, err := worker.New(c, w.config)
	if err != nil {
		return err
	}
	run := &command{line: w.line, name: w.config.Name, grace: killGrace}
	if len(w.types) == 0 {
		runner.HandleAny(run.run)
	}
	for _, t := range w.types {
		runner.Handle(t, run.run)
	}
	return runner.Run(ctx)
}
