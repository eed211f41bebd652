package haikutest_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/haikutest"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/worker"
)

// open gives the examples a broker and a client of it.
func open() (context.Context, *haikutest.Broker, *client.Client, func()) {
	b, err := haikutest.New()
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.New(client.Config{Addrs: []string{b.Addr()}})
	if err != nil {
		log.Fatal(err)
	}
	return context.Background(), b, c, func() {
		c.Close()
		_ = b.Close()
	}
}

// work runs a handler of all types until end is called.
func work(b *haikutest.Broker, h worker.Handler) (end func()) {
	c, err := client.New(client.Config{Addrs: []string{b.Addr()}})
	if err != nil {
		log.Fatal(err)
	}
	w, err := worker.New(c, worker.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	w.HandleAny(h)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return func() {
		stop()
		if err := <-done; err != nil {
			fmt.Println(err)
		}
		c.Close()
	}
}

// A day of a schedule takes no time at all.
func ExampleBroker_Advance() {
	ctx, b, c, end := open()
	defer end()
	_, err := c.SetSchedule(ctx, task.Schedule{
		Name: "backup", Expression: "@every 6h", Overlap: task.OverlapAllow, Task: client.NewSpec("backup", nil),
	})
	if err != nil {
		log.Fatal(err)
	}
	b.Advance(24 * time.Hour)
	stats, err := c.Stats(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(stats.Total.Ready)
	// Output: 4
}

// A task whose workers keep dying ends as a dead letter, whatever its retries.
func ExampleBroker_Crash() {
	ctx, b, c, end := open()
	defer end()
	defer work(b, func(ctx context.Context, _ *task.Task) ([]byte, error) {
		<-ctx.Done() // its lease is lost
		return nil, context.Cause(ctx)
	})()
	receipt, err := c.Submit(ctx, "parse", nil, client.MaxCrashes(2))
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		if _, err := b.Await(ctx, receipt.ID, task.InProgress); err != nil {
			log.Fatal(err)
		}
		if err := b.Crash(receipt.ID); err != nil {
			log.Fatal(err)
		}
	}
	t, err := b.Await(ctx, receipt.ID, task.DeadLetter)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.Reason, t.CrashCount)
	// Output: poison 2
}

// An attempt that runs longer than the task's timeout is a failure, though its handler may not know yet.
func ExampleBroker_Until() {
	ctx, b, c, end := open()
	defer end()
	hang := make(chan struct{})
	defer work(b, func(context.Context, *task.Task) ([]byte, error) {
		<-hang
		return nil, nil
	})()
	defer close(hang)
	receipt, err := c.Submit(ctx, "fetch", nil, client.Timeout(time.Minute), client.MaxRetries(1))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := b.Await(ctx, receipt.ID, task.InProgress); err != nil {
		log.Fatal(err)
	}
	b.Advance(time.Minute)
	t, err := b.Until(ctx, receipt.ID, func(t *task.Task) bool { return len(t.History) == 1 })
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.Status, t.History[0].Outcome)
	// Output: failed timed_out
}
