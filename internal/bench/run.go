package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

const (
	fillBatch    = 256 // tasks of one submit where the submits are not measured
	checkTimeout = 2 * time.Minute
)

// runner is one benchmark under way.
type runner struct {
	cfg       Config
	work      string
	producers *crew
	workers   *crew
	admin     *client.Client
	result    Result
}

// Run does one kind of work and returns what it measured. A Result that comes without an error may still have Problems.
func Run(ctx context.Context, work string, cfg Config) (*Result, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	r := &runner{cfg: cfg, work: work}
	defer r.close()
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	if err := r.warmUp(ctx); err != nil {
		return nil, fmt.Errorf("warm-up: %w", err)
	}
	if err := r.measure(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", work, err)
	}
	return &r.result, nil
}

// open makes the crews and connects them.
func (r *runner) open(ctx context.Context) (err error) {
	if r.producers, err = newCrew(&r.cfg, r.cfg.Producers); err != nil {
		return err
	}
	if r.workers, err = newCrew(&r.cfg, r.cfg.Workers); err != nil {
		return err
	}
	if r.admin, err = client.New(client.Config{Addrs: r.cfg.Addrs, Name: "haiku bench", Token: r.cfg.Token}); err != nil {
		return err
	}
	if err := r.producers.connect(ctx); err != nil {
		return err
	}
	return r.workers.connect(ctx)
}

func (r *runner) close() {
	for _, c := range []*crew{r.producers, r.workers} {
		if c != nil {
			c.close()
		}
	}
	if r.admin != nil {
		r.admin.Close()
	}
}

// part is one stretch of work with its producers, its workers or both.
type part struct {
	name    string
	tracker *tracker
	submit  *producing // nil without producers
	work    *consuming // nil without workers
	filled  time.Duration
}

func (r *runner) producing(t *tracker, types []string, batch, rate int) *producing {
	return &producing{crew: r.producers, queue: r.cfg.Queue, types: types, batch: batch, rate: rate, tracker: t}
}

func (r *runner) consuming(t *tracker, types []string) *consuming {
	claim := task.ClaimRequest{Queues: []string{r.cfg.Queue}, Types: types, Max: r.cfg.ClaimMax}
	return &consuming{crew: r.workers, claim: claim, tracker: t}
}

// do carries a part out, within the limit.
func (r *runner) do(ctx context.Context, p *part) error {
	ctx, cancel := context.WithTimeoutCause(ctx, r.cfg.Limit, fmt.Errorf("not done within %s", r.cfg.Limit))
	defer cancel()
	defer r.watch(p)()
	p.tracker.begin = time.Now()
	if p.work != nil {
		p.work.start(ctx)
		defer p.work.stop()
	}
	if p.submit != nil {
		if err := p.submit.run(ctx); err != nil {
			return err
		}
		p.filled = time.Since(p.tracker.begin)
	}
	if p.work == nil {
		return nil
	}
	if err := p.work.wait(ctx); err != nil {
		return fmt.Errorf("%d of %d tasks acknowledged: %w", p.tracker.acked.Load(), p.tracker.want, err)
	}
	return nil
}

// warmUp takes some tasks of a type of their own through their life.
func (r *runner) warmUp(ctx context.Context) error {
	t := newTracker(r.cfg.PayloadSize, r.cfg.Warmup)
	types := []string{warmupType}
	return r.do(ctx, &part{
		name: "warm-up", tracker: t, submit: r.producing(t, types, r.cfg.Batch, 0), work: r.consuming(t, types),
	})
}

// measure does the work that is measured, and checks it.
func (r *runner) measure(ctx context.Context) error {
	p, err := r.prepare(ctx)
	if err != nil {
		return err
	}
	countsBefore, err := r.counts(ctx)
	if err != nil {
		return err
	}
	before, err := r.usage(ctx)
	if err != nil {
		return err
	}
	if err := r.do(ctx, p); err != nil {
		return err
	}
	after, err := r.usage(ctx)
	if err != nil {
		return err
	}
	r.settle(p)
	r.charge(before, after)
	return r.check(ctx, p, countsBefore)
}

// prepare makes the part that is measured, and brings the queue into the state that it begins with.
func (r *runner) prepare(ctx context.Context) (*part, error) {
	types := r.cfg.types()
	switch r.work {
	case Lifecycle, Latency:
		if err := r.wantEmpty(ctx); err != nil {
			return nil, err
		}
		t := newTracker(r.cfg.PayloadSize, r.cfg.Tasks)
		submit, work := r.producing(t, types, r.cfg.Batch, r.cfg.Rate), r.consuming(t, types)
		return &part{name: r.work, tracker: t, submit: submit, work: work}, nil
	case Submit:
		t := newTracker(r.cfg.PayloadSize, r.cfg.Tasks)
		return &part{name: r.work, tracker: t, submit: r.producing(t, types, r.cfg.Batch, r.cfg.Rate)}, nil
	case Work:
		fill := newTracker(r.cfg.PayloadSize, r.cfg.Tasks)
		filling := r.producing(fill, types, max(r.cfg.Batch, fillBatch), 0)
		if err := r.do(ctx, &part{name: "fill", tracker: fill, submit: filling}); err != nil {
			return nil, fmt.Errorf("fill the queue: %w", err)
		}
		counts, err := r.counts(ctx)
		if err != nil {
			return nil, err
		}
		t := newDrainTracker(int(counts.Ready))
		return &part{name: r.work, tracker: t, work: r.consuming(t, types)}, nil
	}
	return nil, fmt.Errorf("%w: there is no work %q", task.ErrInvalid, r.work)
}

// wantEmpty refuses a queue with tasks that the workers would get instead of those that are measured.
func (r *runner) wantEmpty(ctx context.Context) error {
	counts, err := r.counts(ctx)
	if err != nil {
		return err
	}
	if n := open(counts); n > 0 {
		return fmt.Errorf("%w: queue %s holds %d tasks already; take another --queue, or drain it with bench work",
			task.ErrConflict, r.cfg.Queue, n)
	}
	return nil
}
