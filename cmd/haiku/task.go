package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

func (a *app) taskCommand() *cobra.Command {
	return a.group("task", "Submit, show, wait for and change tasks",
		a.submitCommand(), a.submitManyCommand(), a.getCommand(), a.listCommand(), a.waitCommand(), a.cancelCommand(),
		a.retryCommand(), a.deleteCommand())
}

func (a *app) getCommand() *cobra.Command {
	var payload, stale bool
	cmd := &cobra.Command{
		Use: "get ID...", Short: "Show tasks with payload and result",
		Long: "Show tasks with payload and result. A table shows them where they are text, and cut if they are long; -o json,\n" +
			"jsonl and yaml give them in base64, as they may hold any bytes.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := parseIDs(args)
			if err != nil {
				return err
			}
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				return a.showTasks(ctx, c, task.Query{IDs: ids, WithPayload: payload, Stale: stale})
			})
		},
	}
	cmd.Flags().BoolVar(&payload, "payload", true, "fetch payload and result too")
	cmd.Flags().BoolVar(&stale, "stale", false, "answer from the node's own state, however old")
	return cmd
}

// showTasks prints the tasks found and fails if one was not.
func (a *app) showTasks(ctx context.Context, c *client.Client, q task.Query) error {
	tasks, _, err := c.Query(ctx, q)
	if err != nil {
		return err
	}
	if err := a.printTasks(tasks, len(q.IDs) == 1); err != nil {
		return err
	}
	found := make(map[task.ID]bool, len(tasks))
	for _, t := range tasks {
		found[t.ID] = true
	}
	var problems []error
	for _, id := range q.IDs {
		if !found[id] {
			problems = append(problems, fmt.Errorf("task %s: %w", id, task.ErrNotFound))
		}
	}
	return errors.Join(problems...)
}

func (a *app) waitCommand() *cobra.Command {
	return &cobra.Command{
		Use: "wait ID...", Short: "Wait until tasks have ended; exit code 8 if one ended without success",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := parseIDs(args)
			if err != nil {
				return err
			}
			return a.do(cmd, noLimit, func(ctx context.Context, c *client.Client) error { return a.waitFor(ctx, c, ids) })
		},
	}
}

// waitFor prints the tasks once all of them have ended. The error wraps errTaskFailed if one did without success.
func (a *app) waitFor(ctx context.Context, c *client.Client, ids []task.ID) error {
	var ended []*task.Task
	var failed []error
	for _, id := range ids {
		t, err := c.Wait(ctx, id)
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("task %s has not ended in time: %w", id, task.ErrTimeout)
		}
		if err != nil {
			return fmt.Errorf("wait for task %s: %w", id, err)
		}
		ended = append(ended, t)
		if t.Status != task.Completed {
			failed = append(failed, fmt.Errorf("task %s %w: %s", id, errTaskFailed, ending(t)))
		}
	}
	if err := a.printTasks(ended, len(ids) == 1); err != nil {
		return err
	}
	return errors.Join(failed...)
}

// ending says in words how a task ended.
func ending(t *task.Task) string {
	text := t.Status.String()
	if t.Reason != "" {
		text += " (" + string(t.Reason) + ")"
	}
	if t.Error != "" {
		text += ": " + t.Error
	}
	return text
}

// receiptJSON is the form of a receipt for scripts.
type receiptJSON struct {
	ID        task.ID `json:"id"`
	Duplicate bool    `json:"duplicate"`
	Existing  bool    `json:"existing,omitempty"` // the id is that of the task that holds the unique key
	Error     string  `json:"error,omitempty"`
}

func receiptForm(r task.Receipt) receiptJSON {
	form := receiptJSON{ID: r.ID, Duplicate: r.Duplicate, Existing: r.Existing}
	if r.Err != nil {
		form.Error = r.Err.Error()
	}
	return form
}

// printReceipts prints the ids of what took effect and returns the errors of the rest.
func (a *app) printReceipts(receipts []task.Receipt) error {
	forms := make([]receiptJSON, len(receipts))
	var problems []error
	for i, r := range receipts {
		forms[i] = receiptForm(r)
		if r.Err != nil {
			problems = append(problems, fmt.Errorf("task %s: %w", r.ID, r.Err))
		}
	}
	err := a.print(forms, func(w io.Writer) {
		for _, r := range receipts {
			if r.Err == nil {
				row(w, r.ID)
			}
		}
	})
	return errors.Join(append(problems, err)...)
}

// printTasks prints one task alone, with all that is known of it, or a list.
func (a *app) printTasks(tasks []*task.Task, alone bool) error {
	if alone && len(tasks) == 1 {
		return a.print(tasks[0], func(w io.Writer) { writeDetails(w, tasks[0]) })
	}
	if alone {
		return nil
	}
	if tasks == nil {
		tasks = []*task.Task{}
	}
	return a.print(tasks, func(w io.Writer) {
		writeTaskHead(w)
		for _, t := range tasks {
			writeTaskRow(w, t)
		}
	})
}

func writeTaskHead(w io.Writer) {
	row(w, "ID", "TYPE", "QUEUE", "STATUS", "PRIORITY", "ATTEMPT", "UPDATED", "ERROR")
}

func writeTaskRow(w io.Writer, t *task.Task) {
	row(w, t.ID, t.Type, t.Queue, t.Phase(), t.Priority, t.Attempt, moment(t.UpdatedAt), shorten(t.Error, 40))
}

// writeDetails writes what is set of a task, one line a field.
func writeDetails(w io.Writer, t *task.Task) {
	line := func(name string, value any, shown bool) {
		if shown {
			row(w, name+":", value)
		}
	}
	line("id", t.ID, true)
	line("type", t.Type, true)
	line("queue", t.Queue, true)
	line("status", t.Phase(), true)
	line("reason", t.Reason, t.Reason != "")
	line("priority", fmt.Sprintf("%d (%s)", t.Priority, t.Priority.Tier()), true)
	line("created", moment(t.CreatedAt), true)
	line("scheduled", moment(t.ScheduledAt), !t.ScheduledAt.Equal(t.CreatedAt))
	line("updated", moment(t.UpdatedAt), true)
	line("deleted at", moment(t.DeleteAt), !t.DeleteAt.IsZero())
	line("attempt", t.Attempt, true)
	line("retries", fmt.Sprintf("%d of %d used", t.RetryCount, t.MaxRetries), true)
	line("crashes", fmt.Sprintf("%d of %d", t.CrashCount, t.MaxCrashes), t.CrashCount > 0)
	line("timeout", time.Duration(t.TimeoutSeconds)*time.Second, t.TimeoutSeconds > 0)
	line("worker", t.WorkerID, t.WorkerID != "")
	line("lease", fmt.Sprintf("%d until %s", t.LeaseID, moment(t.LeaseExpiresAt)), t.Status == task.InProgress)
	line("progress", strings.TrimSpace(fmt.Sprintf("%d %% %s", t.Progress.Percent, shorten(t.Progress.Message, 200))), !t.Progress.IsZero())
	line("cancel", "requested", t.CancelRequested && t.Status == task.InProgress)
	line("depends on", joinIDs(t.Dependencies), len(t.Dependencies) > 0)
	line("if one fails", t.OnDependencyFailure, len(t.Dependencies) > 0 && t.OnDependencyFailure != task.PolicyCancel)
	line("waiting for", fmt.Sprintf("%d of them", t.WaitingFor), t.WaitingFor > 0)
	line("unique key", uniqueText(t), t.UniqueKey != "")
	line("content of", t.ReplacedBy, t.ReplacedBy != task.ID{})
	line("expires", moment(t.ExpiresAt)+" unless started", t.CanExpire())
	for _, h := range t.Headers {
		line("header", shorten(h.Name+"="+h.Value, 200), true)
	}
	line("payload", content(t.Payload, t.PayloadSize), t.PayloadSize > 0)
	line("result", content(t.Result, t.ResultSize), t.ResultSize > 0)
	line("error", shorten(t.Error, 2000), t.Error != "")
	for _, a := range t.History {
		text := fmt.Sprintf("%s to %s, %s at %s %s", moment(a.StartedAt), moment(a.EndedAt), a.Outcome, a.WorkerID, shorten(a.Error, 100))
		line(fmt.Sprintf("attempt %d", a.Number), strings.TrimSpace(text), true)
	}
}

// uniqueText shows a unique key, its scope, and whether the task holds it.
func uniqueText(t *task.Task) string {
	text := shorten(t.UniqueKey, 200) + " (" + t.UniqueScope.String()
	if !t.UniqueUntil.IsZero() {
		text += " " + moment(t.UniqueUntil)
	}
	if !t.UniqueHeld {
		text += ", free"
	}
	return text + ")"
}

// content shows bytes as text where they are text, and short.
func content(b []byte, size uint32) string {
	if len(b) == 0 || !printable(b) {
		return fmt.Sprintf("%d bytes", size)
	}
	return shorten(strings.TrimRight(string(b), "\n"), 200)
}

func printable(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	for _, r := range string(b) {
		if !unicode.IsPrint(r) && r != '\n' && r != '\t' {
			return false
		}
	}
	return true
}

// shorten gives the first line of a text, of at most n characters, and never a character that moves the cursor.
func shorten(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n]) + "..."
	}
	return s
}

func joinIDs(ids []task.ID) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return strings.Join(texts, ", ")
}

// moment shows a time in this machine's zone, which it names, in the form that flags take.
func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.RFC3339)
}

func parseIDs(args []string) ([]task.ID, error) {
	ids := make([]task.ID, len(args))
	for i, text := range args {
		id, err := task.ParseID(text)
		if err != nil {
			return nil, err
		}
		ids[i] = id
	}
	return ids, nil
}
