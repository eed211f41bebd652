package client_test

import (
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

// While a queue, or a type in it, is paused, it takes tasks and gives none; its neighbours go on.
func ExampleClient_Pause() {
	ctx, c, _, end := connect()
	defer end()
	for _, typ := range []string{"email", "sms"} {
		if _, err := c.Submit(ctx, typ, nil); err != nil {
			log.Fatal(err)
		}
	}
	claim := func() {
		tasks, err := c.Claim(ctx, task.ClaimRequest{WorkerID: "w1", Max: 10})
		if err != nil {
			log.Fatal(err)
		}
		for _, t := range tasks {
			fmt.Println(t.Type)
		}
	}
	if err := c.Pause(ctx, task.DefaultQueue, "email", "the provider is down"); err != nil {
		log.Fatal(err)
	}
	claim()
	if err := c.Resume(ctx, task.DefaultQueue, "email"); err != nil {
		log.Fatal(err)
	}
	claim()
	// Output:
	// sms
	// email
}

// Limits hold for a queue or for a type in it, in the whole cluster.
func ExampleClient_SetQueue() {
	ctx, c, b, end := connect()
	defer end()
	running, rate, depth := uint32(2), task.Rate{Count: 60, Per: time.Hour, Burst: 1}, uint64(3)
	for _, change := range []task.QueueChange{
		{Queue: "video", Concurrency: &running},
		{Queue: "video", Type: "encode", Rate: &rate, Depth: &depth},
	} {
		if err := c.SetQueue(ctx, change); err != nil {
			log.Fatal(err)
		}
	}
	for range 4 {
		_, err := c.Submit(ctx, "encode", nil, client.Queue("video"))
		fmt.Println(errors.Is(err, task.ErrQueueFull))
	}
	for range 4 {
		tasks, err := c.Claim(ctx, task.ClaimRequest{WorkerID: "w1", Queues: []string{"video"}, Max: 10})
		fmt.Println(len(tasks), err)
		b.Advance(time.Minute)
	}
	// Output:
	// false
	// false
	// false
	// true
	// 1 <nil>
	// 1 <nil>
	// 0 <nil>
	// 0 <nil>
}

// By default what is more urgent always goes first. With aging a task gains one priority for each interval it waits.
func ExampleClient_SetQueue_aging() {
	ctx, c, b, end := connect()
	defer end()
	aging := time.Minute
	if err := c.SetQueue(ctx, task.QueueChange{Queue: "mail", Aging: &aging}); err != nil {
		log.Fatal(err)
	}
	for _, p := range []task.Priority{10, 15, 28} {
		if _, err := c.Submit(ctx, "email", nil, client.Queue("mail"), client.Priority(p)); err != nil {
			log.Fatal(err)
		}
		b.Advance(10 * time.Minute)
	}
	tasks, err := c.Claim(ctx, task.ClaimRequest{WorkerID: "w1", Queues: []string{"mail"}, Max: 10})
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range tasks {
		fmt.Println(t.Priority)
	}
	// Output:
	// 10
	// 28
	// 15
}

// Dead letters say why, wait to be looked at, and run again when that is asked for.
func ExampleClient_Retry() {
	ctx, c, _, end := connect()
	defer end()
	submitted, err := c.Submit(ctx, "email", nil, client.MaxRetries(0))
	if err != nil {
		log.Fatal(err)
	}
	running, err := c.Claim(ctx, task.ClaimRequest{WorkerID: "w1", Max: 1})
	if err != nil {
		log.Fatal(err)
	}
	failure := task.Outcome{ID: running[0].ID, LeaseID: running[0].LeaseID, Kind: task.Failure, Error: "no route"}
	if _, _, err := c.Finish(ctx, []task.Outcome{failure}, nil); err != nil {
		log.Fatal(err)
	}
	dead, err := c.List(ctx, task.Filter{Status: task.DeadLetter, ErrorContains: "route"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(dead.Tasks[0].Reason, "-", dead.Tasks[0].Error)
	if _, err := c.Retry(ctx, submitted.ID); err != nil {
		log.Fatal(err)
	}
	t, err := c.Get(ctx, submitted.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.Phase(), t.RetryCount, len(t.History))
	// Output:
	// retries_exhausted - no route
	// ready 0 1
}

func ExampleClient_Delete() {
	ctx, c, _, end := connect()
	defer end()
	waiting, _ := c.Submit(ctx, "email", nil, client.Delay(time.Hour))
	running, _ := c.Submit(ctx, "email", nil)
	if _, err := c.Claim(ctx, task.ClaimRequest{WorkerID: "w1", Max: 1}); err != nil {
		log.Fatal(err)
	}
	receipts, err := c.Delete(ctx, waiting.ID, running.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(receipts[0].Err, errors.Is(receipts[1].Err, task.ErrTransition))
	_, err = c.Get(ctx, waiting.ID)
	fmt.Println(errors.Is(err, task.ErrNotFound))
	// Output:
	// <nil> true
	// true
}

// An operation goes on by itself, in small steps, however many tasks it changes. A dry run counts them.
func ExampleClient_StartOperation() {
	ctx, c, _, end := connect()
	defer end()
	for i := range 2500 {
		_, err := c.Submit(ctx, "email", nil, client.Queue([]string{"mail", "news"}[i%2]))
		if err != nil {
			log.Fatal(err)
		}
	}
	order := task.OperationOrder{Action: task.ActionCancel, Selection: task.Selection{Queue: "news"}}
	would, err := c.TryOperation(ctx, order)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("would change", would.Changed)
	begun, err := c.StartOperation(ctx, order)
	if err != nil {
		log.Fatal(err)
	}
	done, err := c.AwaitOperation(ctx, begun.ID, func(task.Operation) {}) // is told how far it is
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(done.State, done.Changed, done.Failed)
	// Output:
	// would change 1250
	// done 1250 0
}

// The dead letters of one cause run again, and of nothing else, ten a second at most.
func ExampleClient_StartOperation_selection() {
	s, err := task.ParseSelection(`queue:mail status:dead_letter error:"no route" older-than:1h`)
	if err != nil {
		log.Fatal(err)
	}
	order := task.OperationOrder{Action: task.ActionRetry, Selection: s, Rate: 10}
	fmt.Println(order.Action, s.Queue, s.Statuses, s.ErrorContains, s.Idle)
	// Output: retry mail [dead_letter] no route 1h0m0s
}
