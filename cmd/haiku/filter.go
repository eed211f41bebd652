package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/task"
)

// selector holds the flags that select tasks, for every command that lists or changes many.
type selector struct {
	queue, typ       string
	statuses         []string
	minimum, maximum uint8
	idle             time.Duration
	errorText        string
	text             string // says all of it at once
	fixed            bool   // the command fixes the status
}

// selectorFlags are the names of its flags.
var selectorFlags = [...]string{"queue", "type", "status", "min-priority", "max-priority", "older-than", "error"}

// bind adds the flags to a command; without status the command fixes that itself.
func (s *selector) bind(cmd *cobra.Command, withStatus bool) {
	s.fixed = !withStatus
	flags := cmd.Flags()
	flags.StringVar(&s.queue, "queue", "", "only of this queue")
	flags.StringVar(&s.typ, "type", "", "only of this type")
	if withStatus {
		flags.StringSliceVar(&s.statuses, "status", nil, "only pending, in_progress, completed, failed, dead_letter or cancelled ones")
	}
	flags.Uint8Var(&s.minimum, "min-priority", 0, "only of this priority or a higher one")
	flags.Uint8Var(&s.maximum, "max-priority", 255, "only of this priority or a lower one")
	flags.DurationVar(&s.idle, "older-than", 0, "only those that have not changed for `DURATION`, such as 36h: of ended tasks, since their end")
	flags.StringVar(&s.errorText, "error", "", "only those whose error contains this text")
	flags.StringVar(&s.text, "filter", "", "the same as one text, as in the dashboard: "+
		"'queue:mail type:send status:failed priority:100..199 error:\"timed out\" older-than:36h'")
}

// isSet reports whether any of the flags was given, so that not all tasks are meant. An empty filter selects all.
func (s *selector) isSet(cmd *cobra.Command) bool {
	if strings.TrimSpace(s.text) != "" {
		return true
	}
	for _, name := range selectorFlags {
		if cmd.Flags().Changed(name) {
			return true
		}
	}
	return false
}

// selection reads the flags.
func (s *selector) selection() (task.Selection, error) {
	if s.text != "" {
		sel, err := task.ParseSelection(s.text)
		return sel, s.checkText(len(sel.Statuses), err)
	}
	sel := task.Selection{Queue: s.queue, Type: s.typ, MinPriority: task.Priority(s.minimum), ErrorContains: s.errorText}
	if maximum := task.Priority(s.maximum); maximum < 255 {
		sel.MaxPriority = &maximum
	}
	for _, name := range s.statuses {
		status, err := task.ParseStatus(strings.TrimSpace(name))
		if err != nil {
			return sel, err
		}
		sel.Statuses = append(sel.Statuses, status)
	}
	if s.idle < 0 {
		return sel, &usageError{fmt.Errorf("--older-than %s is negative", s.idle)}
	}
	if s.idle > 0 {
		sel.Idle = s.idle
	}
	return sel, nil
}

// checkText refuses other flags beside the text, and a status in it where the command fixes that.
func (s *selector) checkText(statuses int, err error) error {
	switch {
	case err != nil:
		return err
	case s.queue != "" || s.typ != "" || len(s.statuses) > 0 || s.minimum > 0 || s.maximum < 255 || s.idle != 0 || s.errorText != "":
		return &usageError{errors.New("--filter says all of it: no other flag that selects tasks can stand beside it")}
	case s.fixed && statuses > 0:
		return &usageError{errors.New("--filter: this command is about dead letters, so status: has no place")}
	}
	return nil
}

// filter reads the flags for a list, which takes one status.
func (s *selector) filter() (task.Filter, error) {
	if s.text != "" {
		f, err := task.ParseFilter(s.text)
		return f, s.checkText(int(f.Status), err)
	}
	sel, err := s.selection()
	if err == nil && len(sel.Statuses) > 1 {
		err = &usageError{errors.New("--status: a list takes one")}
	}
	if err != nil {
		return task.Filter{}, err
	}
	f := task.Filter{
		Queue: sel.Queue, Type: sel.Type, MinPriority: sel.MinPriority, MaxPriority: sel.MaxPriority,
		Idle: sel.Idle, ErrorContains: sel.ErrorContains,
	}
	if len(sel.Statuses) == 1 {
		f.Status = sel.Statuses[0]
	}
	return f, nil
}
