package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/worker"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:7420", "HOST:PORT of one or more nodes, with commas")
	flag.Parse()
	// Run ends with this context: SIGTERM lets the worker finish what it runs. A second signal ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop)
	if err := run(ctx, strings.Split(*addr, ","), flag.Args(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mail:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, addrs, args []string, out io.Writer) error {
	c, err := client.New(client.Config{Addrs: addrs, Name: "mail"})
	if err != nil {
		return err
	}
	defer c.Close()
	switch {
	case len(args) == 1 && args[0] == "work":
		return work(ctx, c, out)
	case len(args) > 1 && args[0] == "send":
		return send(ctx, c, args[1:], out)
	}
	return errors.New("usage: mail [-addr HOST:PORT] work | send ADDRESS...")
}

// send submits a task for each address and waits for all of them.
func send(ctx context.Context, c *client.Client, addresses []string, out io.Writer) error {
	var specs []task.Spec
	for _, to := range addresses {
		specs = append(specs, client.NewSpec("mail", []byte(to), client.Queue("mail"), client.MaxRetries(5),
			client.Timeout(30*time.Second), client.Priority(task.Priority(150))))
	}
	receipts, err := c.SubmitMany(ctx, specs)
	if err != nil {
		return err
	}
	for i, r := range receipts {
		if r.Err != nil {
			return fmt.Errorf("%s: %w", addresses[i], r.Err)
		}
	}
	for i, r := range receipts {
		t, err := c.Wait(ctx, r.ID)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: %s %s%s\n", addresses[i], t.Status, t.Result, t.Error)
	}
	return nil
}

// work runs tasks until ctx ends.
func work(ctx context.Context, c *client.Client, out io.Writer) error {
	w, err := worker.New(c, worker.Config{Queues: []string{"mail"}, Concurrency: 8, ShutdownTimeout: time.Minute})
	if err != nil {
		return err
	}
	w.Use(logged)
	w.Handle("mail", func(ctx context.Context, t *task.Task) ([]byte, error) {
		to := string(t.Payload)
		if !strings.Contains(to, "@") {
			return nil, worker.Reject(fmt.Errorf("%q is no address", to)) // no retry would help
		}
		select {
		case <-time.After(10 * time.Millisecond): // here a server would be spoken to
			return []byte("delivered"), nil
		case <-ctx.Done():
			return nil, context.Cause(ctx) // cancelled, too slow, lease lost, or a shutdown that waited long enough
		}
	})
	fmt.Fprintln(out, "working")
	return w.Run(ctx)
}

// logged tells of each attempt.
func logged(next worker.Handler) worker.Handler {
	return func(ctx context.Context, t *task.Task) ([]byte, error) {
		begin := time.Now()
		result, err := next(ctx, t)
		slog.Info("attempt", "task", t.ID, "type", t.Type, "attempt", t.Attempt, "took", time.Since(begin), "error", err)
		return result, err
	}
}
