package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/haikutest"
	"github.com/haiku-queue/haiku/task"
)

// connect gives the examples a broker and a client of it.
func connect() (context.Context, *client.Client, *haikutest.Broker, func()) {
	b, err := haikutest.New()
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.New(client.Config{Addrs: []string{b.Addr()}, Name: "example"})
	if err != nil {
		log.Fatal(err)
	}
	return context.Background(), c, b, func() {
		c.Close()
		_ = b.Close()
	}
}

func ExampleClient_Submit() {
	ctx, c, _, end := connect()
	defer end()
	receipt, err := c.Submit(ctx, "email", []byte("ada@example.org"), client.Queue("mail"), client.Priority(200),
		client.MaxRetries(5), client.Timeout(30*time.Second), client.Header("traceparent", "00-4bf9-00f0-01"))
	if err != nil {
		log.Fatal(err)
	}
	t, err := c.Get(ctx, receipt.ID, client.WithPayload())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.Type, t.Queue, t.Priority, t.Phase(), string(t.Payload))
	// Output: email mail 200 ready ada@example.org
}

// The id makes a submit safe to repeat, by the library and by the program.
func ExampleID() {
	ctx, c, _, end := connect()
	defer end()
	id := task.NewID()
	for _, payload := range []string{"ada", "ada", "grace"} {
		receipt, err := c.Submit(ctx, "email", []byte(payload), client.ID(id))
		fmt.Println(receipt.Duplicate, errors.Is(err, task.ErrConflict))
	}
	// Output:
	// false false
	// true false
	// false true
}

func ExampleClient_SubmitMany() {
	ctx, c, _, end := connect()
	defer end()
	receipts, err := c.SubmitMany(ctx, []task.Spec{
		client.NewSpec("email", []byte("ada")),
		client.NewSpec("", []byte("has no type")),
		client.NewSpec("email", []byte("grace")),
	})
	if err != nil {
		log.Fatal(err) // of the whole; each task has its own
	}
	for _, r := range receipts {
		fmt.Println(r.Err)
	}
	// Output:
	// <nil>
	// invalid request: type is empty
	// <nil>
}

func ExampleClient_SubmitAtomic() {
	ctx, c, _, end := connect()
	defer end()
	good, bad := client.NewSpec("email", nil), client.NewSpec("email", nil, client.DependsOn(task.NewID()))
	_, err := c.SubmitAtomic(ctx, []task.Spec{good, bad})
	fmt.Println(errors.Is(err, task.ErrAborted), errors.Is(err, task.ErrUnknownDependency))
	stats, err := c.Stats(ctx)
	fmt.Println(stats.Total.Pending, err)
	// Output:
	// true true
	// 0 <nil>
}

func ExampleClient_SubmitGraph() {
	ctx, c, _, end := connect()
	defer end()
	g := client.NewGraph()
	g.Add("fetch", client.NewSpec("http.get", []byte("https://example.org")))
	g.Add("parse", client.NewSpec("parse", nil), "fetch")
	report := g.Add("report", client.NewSpec("report", nil), "parse", "fetch")
	receipts, err := c.SubmitGraph(ctx, g)
	if err != nil {
		log.Fatal(err)
	}
	t, err := c.Get(ctx, report)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(receipts), receipts["report"].ID == report, t.Phase(), t.WaitingFor)

	g.Add("again", client.NewSpec("parse", nil), "again")
	_, err = c.SubmitGraph(ctx, g)
	fmt.Println(err)
	// Output:
	// 3 true blocked 2
	// invalid request: tasks of the graph wait for each other: again after again
}

func ExampleOnDependencyFailure() {
	ctx, c, _, end := connect()
	defer end()
	parent, _ := c.Submit(ctx, "fetch", nil)
	child, _ := c.Submit(ctx, "parse", nil, client.DependsOn(parent.ID))
	anyway, _ := c.Submit(ctx, "clean", nil, client.DependsOn(parent.ID), client.OnDependencyFailure(task.PolicyIgnore))
	if _, err := c.Cancel(ctx, parent.ID); err != nil {
		log.Fatal(err)
	}
	tasks, _, err := c.Query(ctx, task.Query{IDs: []task.ID{child.ID, anyway.ID}})
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range tasks {
		fmt.Println(t.Type, t.Phase(), t.Reason)
	}
	// Output:
	// parse cancelled dependency_failed
	// clean ready
}

func ExampleDelay() {
	ctx, c, b, end := connect()
	defer end()
	receipt, err := c.Submit(ctx, "reminder", nil, client.Delay(24*time.Hour))
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		t, err := c.Get(ctx, receipt.ID)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(t.Phase())
		b.Advance(24 * time.Hour)
	}
	// Output:
	// scheduled
	// ready
}

func ExampleClient_Wait() {
	ctx, c, _, end := connect()
	defer end()
	receipt, err := c.Submit(ctx, "email", nil)
	if err != nil {
		log.Fatal(err)
	}
	go func() { // someone cancels it
		if _, err := c.Cancel(ctx, receipt.ID); err != nil {
			log.Fatal(err)
		}
	}()
	t, err := c.Wait(ctx, receipt.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.Status, t.Reason)
	// Output: cancelled requested
}

func ExampleClient_Cancel() {
	ctx, c, _, end := connect()
	defer end()
	receipt, err := c.Submit(ctx, "email", nil)
	if err != nil {
		log.Fatal(err)
	}
	receipts, err := c.Cancel(ctx, receipt.ID, task.NewID())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(receipts[0].Err, errors.Is(receipts[1].Err, task.ErrNotFound))
	// Output: <nil> true
}

func ExampleClient_List() {
	ctx, c, _, end := connect()
	defer end()
	for i := range 5 {
		if _, err := c.Submit(ctx, "email", nil, client.Priority(task.Priority(i))); err != nil {
			log.Fatal(err)
		}
	}
	for f := (task.Filter{Type: "email", Order: task.OrderByPriority, MinPriority: 2, Limit: 2}); ; {
		page, err := c.List(ctx, f)
		if err != nil {
			log.Fatal(err)
		}
		for _, t := range page.Tasks {
			fmt.Println(t.Priority)
		}
		if f.Cursor = page.Next; f.Cursor == nil {
			break
		}
	}
	// Output:
	// 4
	// 3
	// 2
}

// Package worker does this and more; a program that claims by itself has to send heartbeats, too.
func ExampleClient_Claim() {
	ctx, c, _, end := connect()
	defer end()
	submitted, err := c.Submit(ctx, "email", []byte("ada"))
	if err != nil {
		log.Fatal(err)
	}
	tasks, err := c.Claim(ctx, task.ClaimRequest{WorkerID: "w1", Types: []string{"email"}, Max: 10, Wait: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	lease := task.LeaseRef{ID: tasks[0].ID, LeaseID: tasks[0].LeaseID, Progress: task.Progress{Percent: 50, Message: "half"}}
	if _, err := c.Heartbeat(ctx, []task.LeaseRef{lease}); err != nil {
		log.Fatal(err)
	}
	t, err := c.Get(ctx, submitted.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.Status, t.Attempt, t.WorkerID, t.Progress.Message)
	done := task.Outcome{ID: t.ID, LeaseID: t.LeaseID, Kind: task.Success, Result: []byte("sent")}
	for range 2 { // a report can be repeated
		receipts, _, err := c.Finish(ctx, []task.Outcome{done}, nil)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(receipts[0].Err, receipts[0].Duplicate)
	}
	// Output:
	// in_progress 1 w1 half
	// <nil> false
	// <nil> true
}
