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

func (a *app) operationCommand() *cobra.Command {
	return a.group("operation", "Show and cancel operations: changes of many tasks", a.operationListCommand(),
		a.operationWaitCommand(), a.operationCancelCommand())
}

func (a *app) operationListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the operations that run and the last that have ended, newest first", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				list, err := c.Operations(ctx)
				if err != nil {
					return err
				}
				if list == nil {
					list = []task.Operation{}
				}
				return a.print(list, func(w io.Writer) { writeOperations(w, list...) })
			})
		},
	}
}

func (a *app) operationWaitCommand() *cobra.Command {
	return a.oneOperationCommand("wait ID", "Wait until an operation has ended; exit code 1 if tasks were refused", noLimit, a.awaitOperation)
}

func (a *app) operationCancelCommand() *cobra.Command {
	return a.oneOperationCommand("cancel ID", "Cancel a running operation; what it has changed stays", requestTimeout,
		func(ctx context.Context, c *client.Client, id task.ID) error {
			o, err := c.CancelOperation(ctx, id)
			if err != nil {
				return err
			}
			return a.printOperation(o)
		})
}

func (a *app) oneOperationCommand(
	use, short string, limit time.Duration, f func(context.Context, *client.Client, task.ID) error,
) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := task.ParseID(args[0])
			if err != nil {
				return err
			}
			return a.do(cmd, limit, func(ctx context.Context, c *client.Client) error { return f(ctx, c, id) })
		},
	}
}

// awaitOperation waits until an operation has ended, on a terminal telling how far it is, and prints it. It is an error if
// tasks were refused.
func (a *app) awaitOperation(ctx context.Context, c *client.Client, id task.ID) error {
	var told bool
	tell := func(o task.Operation) {
		if isTerminal(a.errOut) {
			told = true
			fmt.Fprintf(a.errOut, "\r%d looked at, %d changed, %d refused ", o.Examined, o.Changed, o.Failed)
		}
	}
	o, err := c.AwaitOperation(ctx, id, tell)
	if told {
		fmt.Fprintln(a.errOut)
	}
	if err != nil {
		return err
	}
	if err := a.printOperation(o); err != nil {
		return err
	}
	if o.Failed > 0 {
		return fmt.Errorf("%d tasks were refused, the last one: %s", o.Failed, shorten(o.Error, 300))
	}
	return nil
}

func (a *app) printOperation(o task.Operation) error {
	return a.print(o, func(w io.Writer) { writeOperations(w, o) })
}

func writeOperations(w io.Writer, list ...task.Operation) {
	row(w, "ID", "ACTION", "STATE", "EXAMINED", "CHANGED", "FAILED", "STARTED", "ENDED", "ERROR")
	for _, o := range list {
		row(w, o.ID, o.Action, o.State, o.Examined, o.Changed, o.Failed, moment(o.StartedAt), moment(o.EndedAt), shorten(o.Error, 40))
	}
}
