package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// TestStoppedCommandIsNoSuccess: it may have written a part of its result only.
func TestStoppedCommandIsNoSuccess(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	reason := errors.New("the reason")
	line := "trap 'exit 0' TERM; echo part; echo $$ >" + dir + "/tmp; mv " + dir + "/tmp " + dir + "/pid; while :; do sleep 0.01; done"
	result := make(chan error, 1)
	go func() {
		_, err := (&command{line: line, grace: killGrace}).run(ctx, sampleTask())
		result <- err
	}()
	awaitPID(t, filepath.Join(dir, "pid"))
	cancel(reason)
	if err := <-result; !errors.Is(err, reason) {
		t.Errorf("got %v, want the cause", err)
	}
}

func sampleTask() *task.Task {
	return &task.Task{ID: task.NewID(), Type: "kind", Queue: "line", Attempt: 3, LeaseID: 17, Payload: []byte("one\ntwo\n")}
}

func TestCommandGetsPayloadAndGivesResult(t *testing.T) {
	c := &command{line: "sort -r; echo $HAIKU_TASK_ID $HAIKU_TASK_TYPE $HAIKU_TASK_QUEUE $HAIKU_ATTEMPT $HAIKU_LEASE_ID $HAIKU_WORKER", name: "w1", grace: killGrace}
	sample := sampleTask()
	got, err := c.run(t.Context(), sample)
	if err != nil {
		t.Fatal(err)
	}
	if want := "two\none\n" + sample.ID.String() + " kind line 3 17 w1\n"; string(got) != want {
		t.Errorf("result %q, want %q", got, want)
	}
}

func TestCommandThatIgnoresItsPayload(t *testing.T) {
	sample := sampleTask()
	sample.Payload = make([]byte, 1<<20) // more than a pipe holds
	if got, err := (&command{line: "echo done", grace: killGrace}).run(t.Context(), sample); err != nil || string(got) != "done\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestFailureSaysWhatTheCommandSaid(t *testing.T) {
	line := "echo partial; head -c 20000 /dev/zero | tr '\\0' x >&2; echo 'the disk is full' >&2; exit 3"
	got, err := (&command{line: line, grace: time.Second}).run(t.Context(), sampleTask())
	if err == nil || got != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	text := err.Error()
	if !strings.HasPrefix(text, "exit status 3: x") || !strings.HasSuffix(text, "the disk is full") || len(text) > 2*tailBytes {
		t.Errorf("error has %d bytes and reads %.40q ... %q", len(text), text, text[len(text)-40:])
	}
}

func TestResultThatIsTooLong(t *testing.T) {
	begun := time.Now()
	_, err := (&command{line: "cat /dev/zero", grace: killGrace}).run(t.Context(), sampleTask())
	if !errors.Is(err, task.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begun); took > killGrace {
		t.Errorf("the command was ended after %s only", took)
	}
}

// TestCancelEndsTheWholeGroup has a command start another that does not care for SIGTERM; both have to end.
func TestCancelEndsTheWholeGroup(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	line := "(trap '' TERM; echo $$ >" + dir + "/outer; sh -c 'echo $$ >" + dir + "/inner.tmp; mv " + dir + "/inner.tmp " + dir + "/inner; sleep 600') & wait"
	result := make(chan error, 1)
	go func() {
		_, err := (&command{line: line, grace: time.Second}).run(ctx, sampleTask())
		result <- err
	}()
	inner := awaitPID(t, filepath.Join(dir, "inner"))
	cancel(nil)
	if err := <-result; err == nil {
		t.Error("a command that was ended counts as a success")
	}
	await(t, "the inner process to end", func() bool { return !alive(inner) })
}

// alive reports whether a process runs; one that has ended and waits for its parent does not.
func alive(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func awaitPID(t *testing.T, path string) (pid int) {
	t.Helper()
	await(t, path, func() bool {
		text, err := os.ReadFile(path)
		if err == nil {
			pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		return err == nil
	})
	return pid
}

// await asks until the answer is yes.
func await(t *testing.T, what string, yes func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !yes() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
