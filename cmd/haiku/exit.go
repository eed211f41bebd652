package main

import (
	"context"
	"errors"

	"github.com/haiku-queue/haiku/task"
)

// The exit codes. They are part of the interface: scripts rely on them.
const (
	exitOK          = 0
	exitError       = 1 // anything without a code of its own
	exitUsage       = 2 // the command line or the request is not well-formed
	exitNotFound    = 3
	exitConflict    = 4 // what is there already stands against it
	exitNotAllowed  = 5
	exitUnavailable = 6 // no node or no leader could be reached, or the broker takes nothing at the moment
	exitTimeout     = 7
	exitTaskFailed  = 8 // the task that was waited for ended without success
)

// usageError is an error of the command line itself.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// errTaskFailed: a task that was waited for ended without success.
var errTaskFailed = errors.New("ended without success")

// exits gives each kind of error its exit code; the first row that fits counts.
var exits = [...]struct {
	err  error
	code int
}{
	{errTaskFailed, exitTaskFailed},
	{task.ErrUnknownDependency, exitNotFound},
	{task.ErrNotFound, exitNotFound},
	{task.ErrConflict, exitConflict},
	{task.ErrUniqueConflict, exitConflict},
	{task.ErrIDExpired, exitConflict},
	{task.ErrTransition, exitConflict},
	{task.ErrStaleLease, exitConflict},
	{task.ErrAborted, exitConflict},
	{task.ErrNotAllowed, exitNotAllowed},
	{task.ErrUnauthenticated, exitNotAllowed},
	{task.ErrPermissionDenied, exitNotAllowed},
	{task.ErrHandshake, exitNotAllowed},
	{task.ErrNoLeader, exitUnavailable},
	{task.ErrNotLeader, exitUnavailable},
	{task.ErrUnknownOutcome, exitUnavailable},
	{task.ErrBusy, exitUnavailable},
	{task.ErrDiskFull, exitUnavailable},
	{task.ErrQueueFull, exitUnavailable},
	{task.ErrShutdown, exitUnavailable},
	{task.ErrTimeout, exitTimeout},
	{context.DeadlineExceeded, exitTimeout},
	{task.ErrInvalid, exitUsage},
	{task.ErrTooLarge, exitUsage},
}

func exitCode(err error) int {
	var usage *usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	for _, row := range exits {
		if errors.Is(err, row.err) {
			return row.code
		}
	}
	return exitError
}
