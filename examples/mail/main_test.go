package main

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/haikutest"
)

func TestMail(t *testing.T) {
	b := haikutest.Start(t)
	addrs := []string{b.Addr()}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	working, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- run(working, addrs, []string{"work"}, new(bytes.Buffer)) }()
	var out bytes.Buffer
	if err := run(ctx, addrs, []string{"send", "ada@example.org", "nobody"}, &out); err != nil {
		t.Fatal(err)
	}
	want := "ada@example.org: completed delivered\nnobody: dead_letter \"nobody\" is no address\n"
	if out.String() != want {
		t.Errorf("said %q, want %q", out.String(), want)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("the worker ended with %v", err)
	}
	if err := run(ctx, addrs, nil, &out); err == nil {
		t.Error("no arguments are no error")
	}
}
