package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

// producing is one part's submits.
type producing struct {
	crew    *crew
	queue   string
	types   []string
	batch   int
	rate    int
	tracker *tracker
	calls   []*histogram // by connection

	next atomic.Int64
}

// run submits every task of the tracker.
func (p *producing) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p.calls = p.crew.histograms()
	var all sync.WaitGroup
	for i := range p.crew.size {
		all.Go(func() {
			if err := p.produce(ctx, p.crew.place(i)); err != nil {
				cancel(fmt.Errorf("submit: %w", err))
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// produce is one producer: a request at a time.
func (p *producing) produce(ctx context.Context, place int) error {
	total := len(p.tracker.tasks)
	for {
		first := int(p.next.Add(int64(p.batch))) - p.batch
		if first >= total {
			return nil
		}
		if err := p.pace(ctx, first); err != nil {
			return err
		}
		if err := p.submit(ctx, place, first, min(first+p.batch, total)); err != nil {
			return err
		}
	}
}

// pace waits until a task is due, if there is a rate.
func (p *producing) pace(ctx context.Context, number int) error {
	if p.rate == 0 {
		return ctx.Err()
	}
	due := p.tracker.begin.Add(time.Duration(number) * time.Second / time.Duration(p.rate))
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// submit sends the tasks from first up to end in one request.
func (p *producing) submit(ctx context.Context, place, first, end int) error {
	specs := make([]task.Spec, 0, end-first)
	for number := first; number < end; number++ {
		typ := p.types[number%len(p.types)]
		specs = append(specs, task.Spec{Queue: p.queue, Type: typ, Payload: p.tracker.payloads.make(number)})
	}
	begin := p.tracker.now()
	for number := first; number < end; number++ {
		p.tracker.tasks[number].submit.Store(begin)
	}
	if err := send(ctx, p.crew.clients[place], specs); err != nil {
		return err
	}
	p.calls[place].record(time.Duration(p.tracker.now() - begin))
	p.tracker.submitted.Add(int64(end - first))
	return nil
}

func send(ctx context.Context, c *client.Client, specs []task.Spec) error {
	receipts, err := c.SubmitMany(ctx, specs)
	if err != nil {
		return err
	}
	var refused []error
	for i := range receipts {
		if receipts[i].Err != nil {
			refused = append(refused, receipts[i].Err)
		}
	}
	return errors.Join(refused...)
}
