package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

// cronFlags are the flags of cron add; those of the task are a submission's.
type cronFlags struct {
	submission
	zone, catchUp, overlap, start, end string
}

func (a *app) cronAddCommand() *cobra.Command {
	f := &cronFlags{}
	cmd := &cobra.Command{
		Use: "add NAME EXPRESSION TYPE", Short: "Make a schedule that submits tasks of TYPE, or change the one of that name",
		Long: "Make a schedule that submits tasks of TYPE, or change the one of that name.\n\n" +
			"EXPRESSION has five fields (minute, hour, day of month, month, day of week), or six with the second first;\n" +
			"or it is @hourly, @daily, @weekly, @monthly, @yearly or @every DURATION. If both days are restricted, one of\n" +
			"them is enough. A field is *, a value, a range such as 1-5 or mon-fri, a list of them, each with a step such\n" +
			"as */15. A moment that a change of clocks leaves out fires at the first one after; one that comes twice fires\n" +
			"the first time. An expression for every hour goes by elapsed time instead.\n" +
			"The task has the headers " + task.HeaderSchedule + " and " + task.HeaderFireTime + ".",
		Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.scheduleOf(cmd, f, args)
			if err != nil {
				return err
			}
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				set, err := c.SetSchedule(ctx, s)
				if err != nil {
					return err
				}
				return a.printCron(set, nil)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.zone, "zone", "", "IANA time zone such as Europe/Berlin; UTC if not set")
	flags.StringVar(&f.catchUp, "catch-up", task.CatchUpSkip.String(), "what of fires missed while nothing could fire: skip, one or all")
	flags.StringVar(&f.overlap, "overlap", task.OverlapSkip.String(), "while the task of the last fire has not ended: skip or allow")
	flags.StringVar(&f.start, "start", "", "no fire before this moment, such as 2030-01-02T15:04:05Z")
	flags.StringVar(&f.end, "end", "", "no fire after this moment")
	f.addContentFlags(flags)
	return cmd
}

// scheduleOf makes the schedule of the command line.
func (a *app) scheduleOf(cmd *cobra.Command, f *cronFlags, args []string) (s task.Schedule, err error) {
	s = task.Schedule{Name: args[0], Expression: args[1], Zone: f.zone}
	if cmd.Flags().Changed("payload") && f.payloadFile != "" {
		return s, &usageError{errors.New("--payload and --payload-file exclude each other")}
	}
	if cmd.Flags().Changed("unique-key") && f.uniqueKey == "" {
		return s, &usageError{errors.New("--unique-key is empty")}
	}
	if err := s.CatchUp.UnmarshalText([]byte(f.catchUp)); err != nil {
		return s, err
	}
	if err := s.Overlap.UnmarshalText([]byte(f.overlap)); err != nil {
		return s, err
	}
	for _, flag := range []struct {
		name, text string
		to         *time.Time
	}{{"start", f.start, &s.Start}, {"end", f.end, &s.End}} {
		if flag.text == "" {
			continue
		}
		if *flag.to, err = time.Parse(time.RFC3339, flag.text); err != nil {
			return s, &usageError{fmt.Errorf("--%s %q is not a moment such as 2030-01-02T15:04:05Z", flag.name, flag.text)}
		}
	}
	if s.Task, err = a.spec(cmd.Flags(), &f.submission, args[2]); err != nil {
		return s, err
	}
	s.Task.ID = task.ID{}
	return s, s.Validate()
}
