package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

func (a *app) cronCommand() *cobra.Command {
	return a.group("cron", "Submit tasks again and again at set times",
		a.cronAddCommand(), a.cronListCommand(), a.cronGetCommand(), a.cronNextCommand(),
		a.cronPauseCommand(), a.cronResumeCommand(), a.cronTriggerCommand(), a.cronRemoveCommand())
}

// cronForm is a schedule as scripts see it.
type cronForm struct {
	Name        string       `json:"name"`
	Expression  string       `json:"expression"`
	Zone        string       `json:"time_zone"`
	CatchUp     task.CatchUp `json:"catch_up"`
	Overlap     task.Overlap `json:"overlap"`
	Start       *time.Time   `json:"start,omitempty"`
	End         *time.Time   `json:"end,omitempty"`
	Paused      bool         `json:"paused"`
	PauseReason string       `json:"pause_reason,omitempty"`
	Next        *time.Time   `json:"next_fire"`
	Upcoming    []time.Time  `json:"next_fires,omitempty"`
	LastFire    *time.Time   `json:"last_fire"`
	LastTask    *task.ID     `json:"last_task"`
	LastError   string       `json:"last_error,omitempty"`
	Fired       uint64       `json:"fired"`
	Skipped     uint64       `json:"skipped"`
	CreatedAt   time.Time    `json:"created_at"`
	UpdatedAt   time.Time    `json:"updated_at"`
	Task        cronTask     `json:"task"`
}

// cronTask is what a schedule submits.
type cronTask struct {
	Type           string         `json:"task_type"`
	Queue          string         `json:"queue,omitempty"`
	Payload        []byte         `json:"payload,omitempty"`
	Priority       *task.Priority `json:"priority,omitempty"`
	MaxRetries     *uint32        `json:"max_retries,omitempty"`
	TimeoutSeconds uint64         `json:"timeout_seconds,omitempty"`
	Headers        []task.Header  `json:"headers,omitempty"`
	UniqueKey      string         `json:"unique_key,omitempty"`
}

func cronFormOf(s *task.Schedule) cronForm {
	f := cronForm{
		Name: s.Name, Expression: s.Expression, Zone: either(s.Zone, "UTC"), CatchUp: s.CatchUp, Overlap: s.Overlap,
		Start: timeOrNil(s.Start), End: timeOrNil(s.End), Paused: s.Paused, PauseReason: s.PauseReason, Next: timeOrNil(s.Next),
		LastFire: timeOrNil(s.LastFire), LastError: s.LastError, Fired: s.Fired, Skipped: s.Skipped,
		CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
		Task: cronTask{
			Type: s.Task.Type, Queue: s.Task.Queue, Payload: s.Task.Payload, Priority: s.Task.Priority, MaxRetries: s.Task.MaxRetries,
			TimeoutSeconds: s.Task.TimeoutSeconds, Headers: s.Task.Headers, UniqueKey: s.Task.UniqueKey,
		},
	}
	if s.LastTask != (task.ID{}) {
		f.LastTask = &s.LastTask
	}
	return f
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// printCron shows one schedule.
func (a *app) printCron(s *task.Schedule, upcoming []time.Time) error {
	form := cronFormOf(s)
	form.Upcoming = upcoming
	return a.print(form, func(w io.Writer) {
		for _, line := range []struct{ name, value string }{
			{"name", s.Name}, {"expression", s.Expression}, {"time zone", form.Zone}, {"task type", s.Task.Type},
			{"queue", either(s.Task.Queue, task.DefaultQueue)}, {"payload", string(s.Task.Payload)}, {"catch up", s.CatchUp.String()},
			{"overlap", s.Overlap.String()}, {"start", cronTime(s.Start, "")}, {"end", cronTime(s.End, "")},
			{"next fire", cronNext(s)}, {"last fire", cronTime(s.LastFire, "")}, {"last task", cronLastTask(s)},
			{"last error", s.LastError}, {"fired", fmt.Sprint(s.Fired)}, {"skipped", fmt.Sprint(s.Skipped)},
		} {
			if line.value != "" {
				row(w, line.name+":", line.value)
			}
		}
	})
}

func cronTime(t time.Time, none string) string {
	if t.IsZero() {
		return none
	}
	return t.Format(time.RFC3339)
}

func cronLastTask(s *task.Schedule) string {
	if s.LastTask == (task.ID{}) {
		return ""
	}
	return s.LastTask.String()
}

// cronNext says when a schedule fires next, or why it does not.
func cronNext(s *task.Schedule) string {
	switch {
	case s.Paused && s.PauseReason != "":
		return "paused: " + s.PauseReason
	case s.Paused:
		return "paused"
	}
	return cronTime(s.Next, "never")
}

func (a *app) cronListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "Show all schedules", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				forms, all := []cronForm{}, []*task.Schedule(nil)
				for q := (task.ScheduleQuery{Limit: task.MaxItems}); ; {
					page, err := c.Schedules(ctx, q)
					if err != nil {
						return err
					}
					for _, s := range page.Schedules {
						forms, all = append(forms, cronFormOf(s)), append(all, s)
					}
					if q.After = page.Next; q.After == "" {
						break
					}
				}
				return a.print(forms, func(w io.Writer) {
					row(w, "NAME", "EXPRESSION", "ZONE", "TYPE", "NEXT FIRE", "LAST FIRE", "FIRED", "SKIPPED", "LAST ERROR")
					for i, s := range all {
						row(w, s.Name, s.Expression, forms[i].Zone, s.Task.Type, cronNext(s), cronTime(s.LastFire, "-"), s.Fired, s.Skipped, s.LastError)
					}
				})
			})
		},
	}
}

func (a *app) cronGetCommand() *cobra.Command {
	return &cobra.Command{
		Use: "get NAME", Short: "Show one schedule with the payload of its task", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				s, _, err := cronQuery(ctx, c, args[0], 0)
				if err != nil {
					return err
				}
				return a.printCron(s, nil)
			})
		},
	}
}

func cronQuery(ctx context.Context, c *client.Client, name string, fires int) (*task.Schedule, []time.Time, error) {
	if err := task.ValidateName("schedule name", name); err != nil {
		return nil, nil, err
	}
	page, err := c.Schedules(ctx, task.ScheduleQuery{Name: name, Fires: fires})
	if err == nil && len(page.Schedules) != 1 {
		err = fmt.Errorf("%w: the node sent %d schedules", task.ErrInternal, len(page.Schedules))
	}
	if err != nil {
		return nil, nil, err
	}
	return page.Schedules[0], page.Upcoming, nil
}

func (a *app) cronNextCommand() *cobra.Command {
	fires := 5
	cmd := &cobra.Command{
		Use: "next NAME", Short: "Show when a schedule fires next", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if fires < 1 || fires > task.MaxUpcoming {
				return &usageError{fmt.Errorf("--number %d is not within 1 and %d", fires, task.MaxUpcoming)}
			}
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				s, upcoming, err := cronQuery(ctx, c, args[0], fires)
				if err != nil {
					return err
				}
				zone, err := time.LoadLocation(s.Zone)
				if err != nil { // this machine does not know it
					zone = time.UTC
				}
				return a.print(upcoming, func(w io.Writer) {
					for _, at := range upcoming {
						row(w, at.In(zone).Format("2006-01-02T15:04:05Z07:00 Mon"))
					}
					if len(upcoming) == 0 {
						row(w, cronNext(s))
					}
				})
			})
		},
	}
	cmd.Flags().IntVarP(&fires, "number", "n", fires, "how many, up to 100")
	return cmd
}

func (a *app) cronPauseCommand() *cobra.Command {
	reason := ""
	cmd := &cobra.Command{
		Use: "pause NAME", Short: "Stop the fires of a schedule", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				s, err := c.PauseSchedule(ctx, args[0], reason)
				if err != nil {
					return err
				}
				return a.printCron(s, nil)
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for others to see")
	return cmd
}

func (a *app) cronResumeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "resume NAME", Short: "Let a schedule fire again; what it missed while paused is left out", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				s, err := c.ResumeSchedule(ctx, args[0])
				if err != nil {
					return err
				}
				return a.printCron(s, nil)
			})
		},
	}
}

func (a *app) cronTriggerCommand() *cobra.Command {
	return &cobra.Command{
		Use: "trigger NAME", Short: "Submit the task of a schedule now, and print its id", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				receipt, err := c.TriggerSchedule(ctx, args[0])
				if err != nil {
					return err
				}
				return a.print(receiptForm(receipt), func(w io.Writer) { row(w, receipt.ID) })
			})
		},
	}
}

func (a *app) cronRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Forget a schedule; the tasks that it has submitted stay", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				return c.RemoveSchedule(ctx, args[0])
			})
		},
	}
}
