package haikutest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/haikutest"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/worker"
)

// A test has haikutest.Start(t) and b.Client(t), which close by themselves.
func Example() {
	ctx := context.Background()
	b, err := haikutest.New()
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	c, err := client.New(client.Config{Addrs: []string{b.Addr()}})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	w, err := worker.New(c, worker.Config{})
	if err != nil {
		log.Fatal(err)
	}
	w.Handle("charge", func(_ context.Context, t *task.Task) ([]byte, error) {
		if t.Attempt < 3 {
			return nil, errors.New("the bank does not answer")
		}
		return []byte("paid"), nil
	})
	working, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- w.Run(working) }()

	receipt, err := c.Submit(ctx, "charge", nil, client.Backoff(task.Backoff{Initial: time.Hour}))
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		t, err := b.Await(ctx, receipt.ID, task.Failed)
		if err != nil {
			log.Fatal(err)
		}
		wait := t.ScheduledAt.Sub(b.Now())
		fmt.Println(t.Error, "- again in", wait)
		b.Advance(wait)
	}
	t, err := b.Await(ctx, receipt.ID, task.Completed)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(t.Result), "at attempt", t.Attempt)
	stop()
	fmt.Println(<-done)
	// Output:
	// the bank does not answer - again in 1h0m0s
	// the bank does not answer - again in 1h0m0s
	// paid at attempt 3
	// <nil>
}
