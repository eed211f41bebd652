package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/worker"
)

const (
	killGrace  = 5 * time.Second
	tailBytes  = 4 << 10 // of standard error that become the task's error
	shell      = "/bin/sh"
	envTaskID  = "HAIKU_TASK_ID"
	envType    = "HAIKU_TASK_TYPE"
	envQueue   = "HAIKU_TASK_QUEUE"
	envAttempt = "HAIKU_ATTEMPT"
	envLeaseID = "HAIKU_LEASE_ID"
	envWorker  = "HAIKU_WORKER"
	envCursor  = "HAIKU_CURSOR"
)

// command runs a shell command for each task: the payload on standard input, standard output is the result, and the
// exit code decides, unless remarks say more. All that the command starts is one process group, which ends with it.
type command struct {
	line  string
	name  string        // of the worker
	grace time.Duration // between SIGTERM and SIGKILL
}

// run is the worker's handler. The error of a command that failed holds the end of what it said on standard error.
func (c *command) run(ctx context.Context, t *task.Task) ([]byte, error) {
	cmd := exec.CommandContext(ctx, shell, "-c", c.line)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = append(os.Environ(), c.environment(t)...)
	cmd.Stdin = bytes.NewReader(t.Payload)
	result := &bounded{limit: task.MaxResult, full: func() { _ = signalGroup(cmd, syscall.SIGKILL) }}
	said := &tail{limit: tailBytes}
	cmd.Stdout, cmd.Stderr = result, said
	cmd.Cancel = func() error { return signalGroup(cmd, syscall.SIGTERM) }
	cmd.WaitDelay = c.grace
	ours, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.ExtraFiles = []*os.File{theirs}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, ours.Close(), theirs.Close())
	}
	_ = theirs.Close()
	heard := hear(ctx, ours, t)
	err = cmd.Wait()
	_ = signalGroup(cmd, syscall.SIGKILL) // what the command left running in its group
	heard.end()
	switch {
	case result.over():
		return nil, worker.Reject(fmt.Errorf("%w: standard output is longer than %d bytes", task.ErrTooLarge, task.MaxResult))
	case ctx.Err() != nil && (err == nil || errors.Is(err, ctx.Err())):
		return nil, context.Cause(ctx) // it was told to stop, so what it wrote may be a part only
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		err = failure(err, said.text())
	default:
		err = nil
	}
	if err = heard.outcome(err, said.text()); err != nil {
		return nil, err
	}
	return result.bytes(), nil
}

// environment tells the command which task it runs.
func (c *command) environment(t *task.Task) []string {
	cursor := string(t.Progress.Cursor)
	if strings.ContainsRune(cursor, 0) { // another program's: the environment cannot hold it
		cursor = ""
	}
	return []string{
		envTaskID + "=" + t.ID.String(),
		envType + "=" + t.Type,
		envQueue + "=" + t.Queue,
		envAttempt + "=" + strconv.FormatUint(uint64(t.Attempt), 10),
		envLeaseID + "=" + strconv.FormatUint(t.LeaseID, 10),
		envWorker + "=" + c.name,
		envCursor + "=" + cursor,
	}
}

// signalGroup sends a signal to everything that the command started. A group that is gone already is no error.
func signalGroup(cmd *exec.Cmd, signal syscall.Signal) error {
	err := syscall.Kill(-cmd.Process.Pid, signal)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

// failure says how the command ended and what it last said.
func failure(err error, said string) error {
	if said = strings.TrimSpace(strings.ToValidUTF8(said, "?")); said == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, said)
}
