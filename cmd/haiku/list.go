package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

// listing holds the flags of a list of tasks.
type listing struct {
	selector
	status          task.Status // of all that are listed; 0 for a flag
	order, from, to string
	parent          string
	limit           int
	payload, stale  bool
}

func (a *app) listCommand() *cobra.Command {
	l := &listing{}
	cmd := &cobra.Command{Use: "list", Short: "List tasks: oldest or newest first, by priority or by time", Args: noArgs}
	l.bind(a, cmd)
	flags := cmd.Flags()
	flags.StringVar(&l.from, "scheduled-from", "", "only with this scheduled time or a later one, such as 2030-01-02T15:04:05Z")
	flags.StringVar(&l.to, "scheduled-to", "", "only with a scheduled time before this one")
	flags.StringVar(&l.parent, "depends-on", "", "only tasks that depend on this one, with its `ID`")
	return cmd
}

// bind makes cmd list what its flags say.
func (l *listing) bind(a *app, cmd *cobra.Command) {
	l.selector.bind(cmd, l.status == 0)
	flags := cmd.Flags()
	orders := "id: all tasks, oldest first; newest: all tasks, newest first; priority: ready tasks, most urgent first; " +
		"scheduled: scheduled tasks and retries, earliest first"
	if l.status != 0 {
		orders = "id: oldest first; newest: newest first"
	}
	flags.StringVar(&l.order, "order", task.OrderByID.String(), orders)
	flags.IntVar(&l.limit, "limit", task.DefaultListLimit, "most tasks to list; 0 for all")
	flags.BoolVar(&l.payload, "payload", false, "fetch payloads and results too")
	flags.BoolVar(&l.stale, "stale", false, "answer from the node's own state, however old")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		filter, err := l.filter()
		if err != nil {
			return err
		}
		return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
			return a.list(ctx, c, filter, l.limit)
		})
	}
}

func (l *listing) filter() (task.Filter, error) {
	f, err := l.selector.filter()
	if err != nil {
		return f, err
	}
	f.WithPayload, f.Stale = l.payload, l.stale
	if l.status != 0 {
		f.Status = l.status
	}
	if l.limit < 0 {
		return f, &usageError{fmt.Errorf("--limit %d is negative", l.limit)}
	}
	if f.Order, err = task.ParseOrder(l.order); err != nil {
		return f, err
	}
	if l.parent != "" {
		if f.DependsOn != (task.ID{}) {
			return f, &usageError{errors.New("--depends-on stands in --filter, too")}
		}
		if f.DependsOn, err = task.ParseID(l.parent); err != nil {
			return f, err
		}
	}
	if l.from != "" || l.to != "" {
		if l.text != "" {
			return f, &usageError{errors.New("--filter says all of it: scheduled:FROM..TO is its word")}
		}
		if f.ScheduledFrom, err = parseMoment("scheduled-from", l.from); err != nil {
			return f, err
		}
		f.ScheduledTo, err = parseMoment("scheduled-to", l.to)
	}
	return f, err
}

// parseMoment reads the value of a flag; an empty one is the zero time.
func parseMoment(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, &usageError{fmt.Errorf("--%s %q is not a moment such as 2030-01-02T15:04:05Z", flag, text)}
	}
	return t, nil
}

// list prints page after page until limit tasks are shown (all if 0). Tables and lines appear as they come.
func (a *app) list(ctx context.Context, c *client.Client, f task.Filter, limit int) error {
	table := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	if a.output == formatTable {
		writeTaskHead(table)
	}
	collected, shown := []*task.Task{}, 0
	for {
		f.Limit = task.MaxItems
		if limit > 0 {
			f.Limit = min(f.Limit, limit-shown)
		}
		page, err := c.List(ctx, f)
		if err != nil {
			return err
		}
		shown += len(page.Tasks)
		switch a.output {
		case formatTable:
			for _, t := range page.Tasks {
				writeTaskRow(table, t)
			}
			err = table.Flush()
		case formatJSONL:
			err = writeLines(a.out, page.Tasks)
		default:
			collected = append(collected, page.Tasks...)
		}
		if err != nil {
			return err
		}
		if page.Next == nil || limit > 0 && shown >= limit {
			return a.endList(collected, page.Next != nil, limit)
		}
		f.Cursor = page.Next
	}
}

// endList prints what is not shown page by page, and says whether there is more.
func (a *app) endList(collected []*task.Task, more bool, limit int) error {
	if more {
		a.say("There are more than %d; --limit 0 lists all.", limit)
	}
	if a.output == formatTable || a.output == formatJSONL {
		return nil
	}
	return a.print(collected, func(io.Writer) {})
}
