package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/worker"
)

const queue = "graph"

func main() {
	addr := flag.String("addr", "127.0.0.1:7420", "HOST:PORT of one or more nodes, with commas")
	flag.Parse()
	if err := run(context.Background(), strings.Split(*addr, ","), flag.Args(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "graph:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, addrs, pages []string, out io.Writer) (err error) {
	c, err := client.New(client.Config{Addrs: addrs, Name: "graph"})
	if err != nil {
		return err
	}
	defer c.Close()
	stop, err := work(addrs)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()

	g := client.NewGraph()
	var counts []string
	var ids []task.ID
	for _, page := range pages {
		g.Add("fetch "+page, client.NewSpec("fetch", []byte(page), client.Queue(queue)))
		ids = append(ids, g.Add("count "+page, client.NewSpec("count", []byte(page), client.Queue(queue)), "fetch "+page))
		counts = append(counts, "count "+page)
	}
	// The sum goes on with what there is: a page that could not be counted does not cancel it.
	sum := g.Add("sum", client.NewSpec("sum", payload(ids), client.Queue(queue),
		client.OnDependencyFailure(task.PolicyIgnore)), counts...)
	if _, err := c.SubmitGraph(ctx, g); err != nil {
		return err
	}
	t, err := c.Wait(ctx, sum)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %s letters\n", t.Status, t.Result)
	return nil
}

// work runs a worker until stop is called.
func work(addrs []string) (stop func() error, err error) {
	c, err := client.New(client.Config{Addrs: addrs, Name: "graph worker"}) // a worker has a client of its own
	if err != nil {
		return nil, err
	}
	w, err := worker.New(c, worker.Config{Queues: []string{queue}})
	if err != nil {
		c.Close()
		return nil, err
	}
	w.Handle("fetch", func(_ context.Context, t *task.Task) ([]byte, error) { return t.Payload, nil })
	w.Handle("count", func(_ context.Context, t *task.Task) ([]byte, error) { return fmt.Append(nil, len(t.Payload)), nil })
	w.Handle("sum", func(ctx context.Context, t *task.Task) ([]byte, error) { return add(ctx, c, t) })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return func() error {
		defer c.Close()
		cancel()
		return <-done
	}, nil
}

// add sums up the results of the tasks that its payload names.
func add(ctx context.Context, c *client.Client, t *task.Task) ([]byte, error) {
	sum := 0
	for _, text := range strings.Fields(string(t.Payload)) {
		id, err := task.ParseID(text)
		if err != nil {
			return nil, worker.Reject(err)
		}
		part, err := c.Get(ctx, id, client.WithPayload())
		if err != nil {
			return nil, err
		}
		n := 0
		if _, err := fmt.Sscan(string(part.Result), &n); err == nil {
			sum += n
		}
	}
	return fmt.Append(nil, sum), nil
}

func payload(ids []task.ID) []byte {
	var b []byte
	for _, id := range ids {
		b = fmt.Appendln(b, id)
	}
	return b
}
