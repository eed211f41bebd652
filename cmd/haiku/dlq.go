package main

import (
	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

func (a *app) dlqCommand() *cobra.Command {
	return a.group("dlq", "Show, run again and delete dead letters: tasks that ended without success", a.dlqListCommand(),
		a.changeCommand(change{
			use: "redrive", short: "Have dead letters run again, and what was cancelled because of them",
			action: task.ActionRetry, status: task.DeadLetter, each: (*client.Client).Retry,
		}),
		a.changeCommand(change{
			use: "purge", short: "Delete dead letters",
			action: task.ActionDelete, status: task.DeadLetter, each: (*client.Client).Delete,
		}))
}

func (a *app) dlqListCommand() *cobra.Command {
	l := &listing{status: task.DeadLetter}
	cmd := &cobra.Command{Use: "list", Short: "List dead letters, oldest or newest task first", Args: noArgs}
	l.bind(a, cmd)
	return cmd
}

func (a *app) retryCommand() *cobra.Command {
	return a.changeCommand(change{
		use: "retry", short: "Have tasks run again that ended without success or wait for a retry",
		action: task.ActionRetry, each: (*client.Client).Retry,
	})
}

func (a *app) cancelCommand() *cobra.Command {
	return a.changeCommand(change{
		use: "cancel", short: "Cancel tasks: waiting ones at once, running ones by asking their worker",
		action: task.ActionCancel, each: (*client.Client).Cancel,
	})
}

func (a *app) deleteCommand() *cobra.Command {
	return a.changeCommand(change{
		use: "delete", short: "Delete tasks that do not run; those that wait are cancelled first",
		action: task.ActionDelete, each: (*client.Client).Delete,
	})
}
