package main

import (
	"errors"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// TestRemarksOfManyBytes: a line without end is refused, and the command that writes it is not held up.
func TestRemarksOfManyBytes(t *testing.T) {
	_, err := (&command{line: "head -c 3000000 /dev/zero >&3; echo done", grace: killGrace}).run(t.Context(), sampleTask())
	if !errors.Is(err, task.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

// TestRemarksEnd: a process that escaped from the command's group and keeps descriptor 3 is not waited for.
func TestRemarksEnd(t *testing.T) {
	begun := time.Now()
	line := "setsid sh -c 'sleep 20' >/dev/null 2>&1 & echo done"
	if got, err := (&command{line: line, grace: killGrace}).run(t.Context(), sampleTask()); err != nil || string(got) != "done\n" {
		t.Errorf("got %q, %v", got, err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("ended after %s only", took)
	}
}
