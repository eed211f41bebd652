package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// counts adds up the benchmark's types of the benchmark's queue.
func (r *runner) counts(ctx context.Context) (task.QueueCounts, error) {
	stats, err := r.admin.Stats(ctx)
	if err != nil {
		return task.QueueCounts{}, fmt.Errorf("count tasks: %w", err)
	}
	var sum task.QueueCounts
	types := r.cfg.types()
	for i := range stats.Queues {
		if q := &stats.Queues[i]; q.Queue == r.cfg.Queue && slices.Contains(types, q.Type) {
			sum.Add(q)
		}
	}
	return sum, nil
}

// open counts the tasks that have not ended.
func open(c task.QueueCounts) uint64 { return c.Pending + c.InProgress + c.Failed }

// settle puts times and rates into the result.
func (r *runner) settle(p *part) {
	cfg, t, res := &r.cfg, p.tracker, &r.result
	*res = Result{
		Work: r.work, Addrs: cfg.Addrs, ToLeader: cfg.ToLeader, Types: cfg.Types, Warmup: cfg.Warmup, Tasks: int(t.want),
	}
	if cfg.Local != nil {
		res.Local = len(cfg.Addrs)
	}
	took := p.filled
	if p.submit != nil {
		res.Producers, res.Batch, res.PayloadSize, res.Rate = cfg.Producers, cfg.Batch, cfg.PayloadSize, cfg.Rate
		res.Connections += len(r.producers.clients)
		res.SubmitsPerS, res.Submit = perSecond(t.submitted.Load(), p.filled), merge(p.submit.calls)
	}
	if p.work != nil {
		res.Workers, res.ClaimMax = cfg.Workers, cfg.ClaimMax
		res.Connections += len(r.workers.clients)
		res.Ack, res.EndToEnd = merge(p.work.acks), merge(p.work.arrived)
		took = max(took, time.Duration(t.lastAck.Load()))
	}
	res.Seconds, res.TasksPerS = round(took.Seconds(), 3), perSecond(t.want, took)
}

// check looks for tasks that were lost, came twice or are left, and compares the nodes' states.
func (r *runner) check(ctx context.Context, p *part, before task.QueueCounts) error {
	ctx, cancel := context.WithTimeoutCause(ctx, checkTimeout, fmt.Errorf("not within %s", checkTimeout))
	defer cancel()
	after, err := r.counts(ctx)
	if err != nil {
		return err
	}
	t, res := p.tracker, &r.result
	res.Again, res.Twice, res.Refused, res.Strange = t.again.Load(), t.twice.Load(), t.refused.Load(), t.strange.Load()
	if p.work == nil { // what was submitted waits, and nothing else has changed
		res.Missing = t.want - int64(open(after)-open(before))
	} else {
		res.Left = open(after)
		res.Missing = t.want - int64(after.Completed-before.Completed)
	}
	if r.cfg.Local == nil {
		return nil
	}
	res.StateHash, err = r.cfg.Local.StateHash(ctx)
	return err
}
