package main

import (
	"context"
	"errors"

	"github.com/haiku-queue/haiku/bench/proc"
)

// A Driver runs one peer in one setup: it starts the peer's servers and gives
// the harness producers and workers for one queue.
type Driver interface {
	// Start starts the servers with their data under dir and makes an empty
	// queue. It is called once, on the main goroutine.
	Start(ctx context.Context, dir string) error

	// Procs lists the server processes that Start started. Their whole process
	// trees are counted as servers.
	Procs() []*proc.Proc

	// Producer returns the i-th producer; one goroutine at a time uses it.
	Producer(ctx context.Context, i int) (Producer, error)

	// StartWorkers starts n workers and returns when they take tasks. Each
	// calls t.Claimed as soon as it holds a task and t.Acked when it knows that
	// the task is done. stop ends the workers and waits for them.
	StartWorkers(ctx context.Context, n int, t *Tracker) (stop func() error, err error)

	// Left asks the servers how many tasks they still hold. It is called when
	// no workers run.
	Left(ctx context.Context) (int, error)

	// Close closes what Start, Producer and StartWorkers opened, not the
	// servers.
	Close()
}

// A Producer enqueues tasks.
type Producer interface {
	// Submit enqueues one task and returns when the peer has acknowledged it.
	Submit(ctx context.Context, payload []byte) error

	// SubmitBatch enqueues tasks with whatever the peer offers for many at
	// once, and returns when all are acknowledged.
	SubmitBatch(ctx context.Context, payloads [][]byte) error
}

// A Checker is a driver that has more to look at when a run is over.
type Checker interface {
	Check(ctx context.Context) error
}

var errNoBatch = errors.New("this peer offers no batch submit")

// The kinds of work. Their names are used on the command line and in results.
const (
	workSingle  = "single"  // producers and workers together, one task per call
	workCrowd   = "crowd"   // the same with four times as many of both
	workBatch   = "batch"   // the same with batch or pipelined submit
	workBacklog = "backlog" // enqueue everything first, then start the workers
	workLatency = "latency" // one producer at a fixed rate, one worker
)

var works = []string{workSingle, workCrowd, workBatch, workBacklog, workLatency}

// A Setup is one way to configure a system.
type Setup struct {
	Name  string
	About string
	New   func(Env) Driver

	// Tasks gives the number of tasks for each kind of work that the setup is
	// measured in, chosen so that a run lasts 5 to 20 s on the two-core machine
	// this was written on. Work that is absent is not offered.
	Tasks map[string]int

	// EnqueueOnly is set where nothing takes the tasks out again.
	EnqueueOnly bool
}

// tasks is how many tasks a kind of work has. A crowd does as many as single.
func (s *Setup) tasks(work string) int {
	if work == workCrowd {
		work = workSingle
	}
	return s.Tasks[work]
}

// A System is one peer with its setups.
type System struct {
	Name   string
	About  string
	Setups []Setup
}

// systems lists every peer. A new one is added here and nowhere else.
var systems = []System{
	haikuSystem,
	natsSystem,
	rabbitSystem,
	asynqSystem,
	riverSystem,
	beanstalkSystem,
	etcdSystem,
}
