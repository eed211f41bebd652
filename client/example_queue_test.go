package client_test

import (
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

func ExampleUniqueKey() {
	ctx, c, _, end := connect()
	defer end()
	for _, typ := range []string{"invoice", "invoice", "reminder"} { // another type knows nothing of the key
		receipt, err := c.Submit(ctx, typ, nil, client.UniqueKey("order 7"))
		fmt.Println(receipt.Existing, err)
	}
	// Output:
	// false <nil>
	// true <nil>
	// false <nil>
}

// The policy says what becomes of a submit whose key another task holds.
func ExampleUnique() {
	ctx, c, _, end := connect()
	defer end()
	submit := func(payload string, policy task.ConflictPolicy) task.Receipt {
		receipt, err := c.Submit(ctx, "index", []byte(payload), client.Unique("page 1", task.UniquePending, policy))
		fmt.Println(payload, receipt.Existing, errors.Is(err, task.ErrUniqueConflict))
		return receipt
	}
	first := submit("as of noon", task.ConflictReject)
	submit("as of one", task.ConflictReject)
	submit("as of two", task.ConflictReplace) // the first has not begun: it takes the new content
	tasks, err := c.Claim(ctx, task.ClaimRequest{WorkerID: "w1", Max: 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tasks[0].ID == first.ID, string(tasks[0].Payload))
	submit("as of three", task.ConflictReject) // it runs, so with this scope its key is free
	// Output:
	// as of noon false false
	// as of one false true
	// as of two true false
	// true as of two
	// as of three false false
}

func ExampleUniqueFor() {
	ctx, c, b, end := connect()
	defer end()
	for range 3 { // at most one digest an hour, whether the one before is done or not
		receipt, err := c.Submit(ctx, "digest", nil, client.UniqueFor("ada", time.Hour))
		fmt.Println(receipt.Existing, err)
		b.Advance(40 * time.Minute)
	}
	// Output:
	// false <nil>
	// true <nil>
	// false <nil>
}

func ExampleExpiresIn() {
	ctx, c, b, end := connect()
	defer end()
	receipt, err := c.Submit(ctx, "login.code", nil, client.ExpiresIn(5*time.Minute))
	if err != nil {
		log.Fatal(err)
	}
	b.Advance(5 * time.Minute) // and no worker was free
	t, err := c.Wait(ctx, receipt.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.Status, t.Reason)
	// Output: dead_letter expired
}

// A task can say for itself how long it is kept after its end.
func ExampleRetention() {
	ctx, c, b, end := connect()
	defer end()
	receipt, err := c.Submit(ctx, "email", nil, client.Retention(time.Hour))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := c.Cancel(ctx, receipt.ID); err != nil {
		log.Fatal(err)
	}
	for range 2 {
		_, err = c.Get(ctx, receipt.ID)
		fmt.Println(errors.Is(err, task.ErrNotFound))
		b.Advance(time.Hour)
	}
	// Output:
	// false
	// true
}

// What is set for a type counts for its tasks that end from then on, if they say nothing themselves.
func ExampleClient_SetRetention() {
	ctx, c, _, end := connect()
	defer end()
	_, err := c.SetRetention(ctx, task.Retention{Type: "audit", Completed: 90 * 24 * time.Hour, DeadLetter: task.KeepForever})
	if err != nil {
		log.Fatal(err)
	}
	list, err := c.Retentions(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range list {
		fmt.Printf("%q %s %t\n", r.Type, r.Completed, r.DeadLetter == task.KeepForever)
	}
	// Output:
	// "" 0s false
	// "audit" 2160h0m0s true
}

// Headers reach the worker; what a trace needs travels in them.
func ExampleHeader() {
	ctx, c, _, end := connect()
	defer end()
	if _, err := c.Submit(ctx, "email", nil, client.Header("tenant", "acme"), client.Header("locale", "de")); err != nil {
		log.Fatal(err)
	}
	tasks, err := c.Claim(ctx, task.ClaimRequest{WorkerID: "w1", Max: 1})
	if err != nil {
		log.Fatal(err)
	}
	for _, h := range tasks[0].Headers {
		fmt.Println(h.Name, h.Value)
	}
	// Output:
	// tenant acme
	// locale de
}

func ExampleClient_SetSchedule() {
	ctx, c, b, end := connect()
	defer end()
	_, err := c.SetSchedule(ctx, task.Schedule{
		Name: "report", Expression: "0 9 * * MON-FRI", Zone: "Europe/Berlin", CatchUp: task.CatchUpOne,
		Start: time.Date(2099, 12, 31, 0, 0, 0, 0, time.UTC), Task: client.NewSpec("report", nil),
	})
	if err != nil {
		log.Fatal(err)
	}
	page, err := c.Schedules(ctx, task.ScheduleQuery{Name: "report", Fires: 3})
	if err != nil {
		log.Fatal(err)
	}
	for _, at := range page.Upcoming {
		fmt.Println(at.UTC().Format("Mon 2006-01-02 15:04"))
	}
	b.Advance(page.Upcoming[1].Sub(b.Now())) // the second fire finds the task of the first still waiting
	if page, err = c.Schedules(ctx, task.ScheduleQuery{Name: "report"}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(page.Schedules[0].Fired, page.Schedules[0].Skipped)

	_, err = c.SetSchedule(ctx, task.Schedule{Name: "report", Expression: "61 * * * *", Task: client.NewSpec("report", nil)})
	fmt.Println(errors.Is(err, task.ErrInvalid))
	// Output:
	// Thu 2099-12-31 08:00
	// Fri 2100-01-01 08:00
	// Mon 2100-01-04 08:00
	// 1 1
	// true
}

// A paused schedule can still be triggered; what would have fired meanwhile is left out.
func ExampleClient_PauseSchedule() {
	ctx, c, b, end := connect()
	defer end()
	hourly := task.Schedule{Name: "sync", Expression: "@hourly", Task: client.NewSpec("sync", nil)}
	if _, err := c.SetSchedule(ctx, hourly); err != nil {
		log.Fatal(err)
	}
	if _, err := c.PauseSchedule(ctx, "sync", "the other side is down"); err != nil {
		log.Fatal(err)
	}
	b.Advance(24 * time.Hour)
	receipt, err := c.TriggerSchedule(ctx, "sync")
	if err != nil {
		log.Fatal(err)
	}
	s, err := c.ResumeSchedule(ctx, "sync")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Fired, s.LastTask == receipt.ID, s.Next.After(b.Now()))
	// Output: 1 true true
}
