package main

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/haikutest"
)

func TestGraph(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	if err := run(ctx, []string{haikutest.Start(t).Addr()}, []string{"four", "seven77"}, &out); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "completed: 11 letters\n"; got != want {
		t.Errorf("said %q, want %q", got, want)
	}
}
