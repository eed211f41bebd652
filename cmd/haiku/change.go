package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

// change is a command that changes tasks: those named, or all that its flags select.
type change struct {
	use, short string
	action     task.Action
	status     task.Status // of all tasks that it changes; 0 for a flag
	each       func(c *client.Client, ctx context.Context, ids ...task.ID) ([]task.Receipt, error)

	selector
	all, dryRun, wait, yes bool
	rate                   uint32
}

func (a *app) changeCommand(ch change) *cobra.Command {
	cmd := &cobra.Command{
		Use: ch.use + " ID... | " + ch.use + " [flags]", Short: ch.short,
		Long: ch.short + ".\n\nWith flags that select tasks, or --all, the cluster changes all of them, however many, step by step: an operation,\n" +
			"which goes on by itself. haiku operation shows how far it is and cancels it.",
		RunE: func(cmd *cobra.Command, args []string) error { return a.change(cmd, &ch, args) },
	}
	ch.bind(cmd, ch.status == 0)
	flags := cmd.Flags()
	flags.BoolVar(&ch.all, "all", false, "needed where nothing else selects tasks")
	flags.BoolVar(&ch.dryRun, "dry-run", false, "only count the tasks")
	flags.Uint32Var(&ch.rate, "rate", 0, "at most so many tasks a second; 0 for no limit")
	flags.BoolVar(&ch.wait, "wait", false, "wait until all are changed")
	yes := "do not ask"
	if ch.action != task.ActionRetry {
		yes = "do not ask; needed where flags select tasks and standard input is no terminal"
	}
	flags.BoolVarP(&ch.yes, "yes", "y", false, yes)
	return cmd
}

func (a *app) change(cmd *cobra.Command, ch *change, args []string) error {
	selects := ch.isSet(cmd)
	switch {
	case len(args) > 0 && (selects || ch.all || ch.dryRun || ch.wait || ch.rate > 0):
		return &usageError{errors.New("name tasks by their ids, or select them by flags, not both")}
	case len(args) == 0 && !selects && !ch.all:
		return &usageError{errors.New("name tasks by their ids, or select them by flags; --all selects all")}
	case len(args) > 0:
		return a.changeNamed(cmd, ch, args)
	}
	sel, err := ch.selection()
	if err != nil {
		return err
	}
	if ch.status != 0 {
		sel.Statuses = []task.Status{ch.status}
	}
	order := task.OperationOrder{ID: task.NewID(), Action: ch.action, Selection: sel, Rate: ch.rate}
	if err := order.Validate(); err != nil {
		return err
	}
	if ch.destroys() && !isTerminal(a.in) {
		return &usageError{fmt.Errorf("%s of all that flags select needs --yes where nobody can be asked: standard input is no terminal; "+
			"--dry-run counts the tasks", ch.action)}
	}
	limit := requestTimeout
	if ch.wait || ch.dryRun || ch.destroys() {
		limit = noLimit
	}
	return a.do(cmd, limit, func(ctx context.Context, c *client.Client) error { return a.changeSelected(ctx, c, ch, order) })
}

// changeNamed changes the tasks with so many ids.
func (a *app) changeNamed(cmd *cobra.Command, ch *change, args []string) error {
	ids, err := parseIDs(args)
	if err != nil {
		return err
	}
	return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
		if ch.status != 0 {
			if err := mustBe(ctx, c, ch.status, ids); err != nil {
				return err
			}
		}
		receipts, err := ch.each(c, ctx, ids...)
		if err != nil {
			return err
		}
		return a.printReceipts(receipts)
	})
}

// mustBe checks that those of the tasks that are there are all in a status.
func mustBe(ctx context.Context, c *client.Client, status task.Status, ids []task.ID) error {
	for begin := 0; begin < len(ids); begin += task.MaxItems {
		tasks, _, err := c.Query(ctx, task.Query{IDs: ids[begin:min(begin+task.MaxItems, len(ids))]})
		if err != nil {
			return err
		}
		for _, t := range tasks {
			if t.Status != status {
				return fmt.Errorf("%w: task %s is %s, not %s", task.ErrTransition, t.ID, t.Status, status)
			}
		}
	}
	return nil
}

func (a *app) changeSelected(ctx context.Context, c *client.Client, ch *change, order task.OperationOrder) error {
	if ch.dryRun {
		would, err := c.TryOperation(ctx, order)
		if err != nil {
			return err
		}
		return a.printOperation(would)
	}
	if ch.destroys() {
		if ok, err := a.confirm(ctx, c, order); err != nil || !ok {
			return err
		}
	}
	o, err := c.StartOperation(ctx, order)
	if err != nil {
		return err
	}
	if !ch.wait {
		return a.printOperation(o)
	}
	return a.awaitOperation(ctx, c, o.ID)
}

// destroys reports whether a person has to agree first: before tasks are cancelled or deleted.
func (ch *change) destroys() bool { return ch.action != task.ActionRetry && !ch.yes && !ch.dryRun }

// confirm tells how many tasks would be changed and asks whether to go on.
func (a *app) confirm(ctx context.Context, c *client.Client, order task.OperationOrder) (bool, error) {
	would, err := c.TryOperation(ctx, order)
	if err != nil {
		return false, err
	}
	fmt.Fprintf(a.errOut, "%s %d tasks? [y/N] ", order.Action, would.Changed)
	answers := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(a.in).ReadString('\n')
		answers <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case answer := <-answers:
		if answer == "y" || answer == "yes" {
			return true, nil
		}
	case <-ctx.Done(): // the read ends with the process
	}
	a.say("Nothing was changed.")
	return false, context.Cause(ctx)
}
