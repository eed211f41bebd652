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

func (a *app) retentionCommand() *cobra.Command {
	return a.group("retention", "Show and change how long tasks are kept after their end",
		a.retentionListCommand(), a.retentionSetCommand(), a.retentionUnsetCommand())
}

// retentionForm is a setting as scripts see it: durations as text, "forever", or left out when not set.
type retentionForm struct {
	Type       string `json:"task_type"`
	Completed  string `json:"completed,omitempty"`
	DeadLetter string `json:"dead_letter,omitempty"`
	Cancelled  string `json:"cancelled,omitempty"`
}

func retentionFormOf(r *task.Retention) retentionForm {
	return retentionForm{r.Type, keptText(r.Completed), keptText(r.DeadLetter), keptText(r.Cancelled)}
}

// keptText says a retention; empty if it is not set.
func keptText(d time.Duration) string {
	switch d {
	case 0:
		return ""
	case task.KeepForever:
		return "forever"
	}
	return d.String()
}

// parseKept reads a retention: a duration above 0, or "forever".
func parseKept(flag, text string) (time.Duration, error) {
	if text == "forever" {
		return task.KeepForever, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Microsecond {
		return 0, &usageError{fmt.Errorf("--%s: %q is neither a duration such as 36h or 90m nor forever", flag, text)}
	}
	return d, nil
}

func (a *app) retentionListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "Show what counts for all types, and the types with a setting of their own", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				return a.printRetentions(c.Retentions(ctx))
			})
		},
	}
}

// printRetentions shows the settings, in the first row with the built-in values where nothing is set.
func (a *app) printRetentions(list []task.Retention, err error) error {
	if err != nil {
		return err
	}
	forms := make([]retentionForm, len(list))
	for i := range list {
		forms[i] = retentionFormOf(&list[i])
	}
	return a.print(forms, func(w io.Writer) {
		row(w, "TYPE", "COMPLETED", "DEAD LETTER", "CANCELLED")
		builtIn := task.DefaultRetention()
		for i, f := range forms {
			name, other := f.Type, [3]string{"as *", "as *", "as *"}
			if i == 0 {
				name = "*"
				other = [3]string{keptText(builtIn.Completed), keptText(builtIn.DeadLetter), keptText(builtIn.Cancelled)}
			}
			row(w, name, either(f.Completed, other[0]), either(f.DeadLetter, other[1]), either(f.Cancelled, other[2]))
		}
	})
}

func either(text, other string) string {
	if text != "" {
		return text
	}
	return other
}

func (a *app) retentionSetCommand() *cobra.Command {
	var texts [3]string
	cmd := &cobra.Command{
		Use: "set [TYPE]", Short: "Say how long tasks of TYPE, or of all types, are kept after their end",
		Long: "Say how long tasks of TYPE, or of all types, are kept after their end. What is not given stays as it is.\n" +
			"It counts for tasks that end from now on. A task's own retention goes before it.",
		Args: cobra.MaximumNArgs(1),
	}
	flags := [3]string{"completed", "dead-letter", "cancelled"}
	for i, name := range flags {
		cmd.Flags().StringVar(&texts[i], name, "", "for `DURATION`, such as 36h, or forever")
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var given [3]time.Duration
		for i, name := range flags {
			if !cmd.Flags().Changed(name) {
				continue
			}
			var err error
			if given[i], err = parseKept(name, texts[i]); err != nil {
				return err
			}
		}
		if given == [3]time.Duration{} {
			return &usageError{fmt.Errorf("give at least one of --completed, --dead-letter and --cancelled")}
		}
		return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
			list, err := c.Retentions(ctx)
			if err != nil {
				return err
			}
			r := settingOf(list, typeOf(args))
			for i, d := range []*time.Duration{&r.Completed, &r.DeadLetter, &r.Cancelled} {
				if given[i] != 0 {
					*d = given[i]
				}
			}
			return a.printRetentions(c.SetRetention(ctx, r))
		})
	}
	return cmd
}

func (a *app) retentionUnsetCommand() *cobra.Command {
	return &cobra.Command{
		Use: "unset [TYPE]", Short: "Remove the setting of TYPE, or of all types", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				return a.printRetentions(c.SetRetention(ctx, task.Retention{Type: typeOf(args)}))
			})
		},
	}
}

func typeOf(args []string) string {
	if len(args) == 0 || args[0] == "*" {
		return ""
	}
	return args[0]
}

func settingOf(list []task.Retention, typ string) task.Retention {
	for _, r := range list {
		if r.Type == typ {
			return r
		}
	}
	return task.Retention{Type: typ}
}
