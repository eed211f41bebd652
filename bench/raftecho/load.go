package raftecho

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The bytes that Haiku's commands have in an entry, for 200-byte payloads and short names: those of the command, and
// those of each task in it.
const (
	submitBytes, submitTaskBytes = 13, 257
	finishBytes, finishTaskBytes = 61, 26 // with the next claim
	perConnection                = 16
)

// Load is tasks that go through a life of two commands: a producer's, and then a worker's that ends some and asks for
// more. A worker has a task when the producer's command is answered, which costs it nothing here.
type Load struct {
	Producers, Workers int
	Batch, ClaimMax    int // tasks of one command
	Tasks              int
	Rate               int // tasks a second; 0 for as many as possible
}

// Outcome is what a load came to.
type Outcome struct {
	TasksPerS float64
	P50, P99  time.Duration // of a producer's command
}

// Run does the load against the leader.
func Run(ctx context.Context, leader string, l Load) (Outcome, error) {
	r := &run{Load: l, ready: make(chan struct{}, l.Tasks), begin: time.Now()}
	var all sync.WaitGroup
	var clients []*Client
	defer func() {
		for _, c := range clients {
			c.Close()
		}
		all.Wait()
	}()
	for i := range l.Producers + l.Workers {
		if len(clients) <= i/perConnection {
			c, err := Dial(leader)
			if err != nil {
				return Outcome{}, err
			}
			clients = append(clients, c)
		}
	}
	ctx, r.fail = context.WithCancelCause(ctx)
	defer r.fail(nil)
	stop := context.AfterFunc(ctx, func() {
		for _, c := range clients {
			go c.Close()
		}
	})
	defer stop()
	r.begin = time.Now()
	for i := range l.Producers + l.Workers {
		c := clients[i/perConnection]
		if i < l.Producers {
			all.Go(func() { r.produce(ctx, c) })
		} else {
			all.Go(func() { r.work(ctx, c) })
		}
	}
	all.Wait()
	if err := context.Cause(ctx); err != nil {
		return Outcome{}, err
	}
	slices.Sort(r.latencies)
	at := func(q float64) time.Duration { return r.latencies[int(q*float64(len(r.latencies)-1))] }
	return Outcome{TasksPerS: float64(l.Tasks) / time.Since(r.begin).Seconds(), P50: at(0.5), P99: at(0.99)}, nil
}

type run struct {
	Load
	begin time.Time
	next  atomic.Int64
	taken atomic.Int64
	ready chan struct{} // one for each task that was submitted and is not taken
	fail  context.CancelCauseFunc

	mu        sync.Mutex
	latencies []time.Duration
}

func (r *run) produce(ctx context.Context, c *Client) {
	for ctx.Err() == nil {
		first := int(r.next.Add(int64(r.Batch))) - r.Batch
		if first >= r.Tasks {
			return
		}
		if r.Rate > 0 { // one command each 1/Rate seconds, however long the one before took
			time.Sleep(time.Until(r.begin.Add(time.Duration(first) * time.Second / time.Duration(r.Rate))))
		}
		n := min(r.Batch, r.Tasks-first)
		begin := time.Now()
		if err := c.Do(make([]byte, submitBytes+n*submitTaskBytes)); err != nil {
			r.fail(errors.Join(errors.New("produce"), err))
			return
		}
		r.mu.Lock()
		r.latencies = append(r.latencies, time.Since(begin))
		r.mu.Unlock()
		for range n {
			r.ready <- struct{}{}
		}
	}
}

// work ends tasks as long as there are any.
func (r *run) work(ctx context.Context, c *Client) {
	for {
		n := r.take(ctx)
		if n == 0 {
			return
		}
		if err := c.Do(make([]byte, finishBytes+n*finishTaskBytes)); err != nil {
			r.fail(errors.Join(errors.New("work"), err))
			return
		}
	}
}

// take waits for a task and takes those that are there, at most ClaimMax; 0 at the end.
func (r *run) take(ctx context.Context) (n int) {
	select {
	case _, open := <-r.ready:
		if !open {
			return 0
		}
	case <-ctx.Done():
		return 0
	}
	for n = 1; n < r.ClaimMax; n++ {
		select {
		case _, open := <-r.ready:
			if !open {
				return n
			}
			continue
		default:
		}
		break
	}
	if r.taken.Add(int64(n)) == int64(r.Tasks) {
		close(r.ready)
	}
	return n
}
