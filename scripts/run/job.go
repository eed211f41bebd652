package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/internal/localnodes"
	"github.com/haiku-queue/haiku/task"
)

const (
	taskType    = "sha256"
	batch       = 20 // tasks of one submit
	askInterval = 250 * time.Millisecond
	askTimeout  = 2 * time.Second
)

// job is the work that the cluster does, and what was seen of it.
type job struct {
	nodes    *localnodes.Nodes
	through  *client.Client // at a follower
	specs    []task.Spec
	say      func(format string, args ...any)
	started  time.Time
	finished time.Time

	mu           sync.Mutex
	acknowledged int
	completed    int
	killed       time.Time     // when the leader was; zero before
	failover     time.Duration // from there to the next acknowledged submit; 0 before
	moved        chan struct{} // closed and renewed when one of these changes
}

func newJob(n *localnodes.Nodes, through *client.Client, files []string, say func(string, ...any)) *job {
	j := &job{nodes: n, through: through, say: say, moved: make(chan struct{})}
	for i, path := range files {
		priority := task.Priority(i * 37 % 256)
		j.specs = append(j.specs, task.Spec{ID: task.NewID(), Type: taskType, Payload: []byte(path), Priority: &priority})
	}
	return j
}

// run submits everything, kills the leader half-way, starts it again later, and returns when all tasks have completed.
func (j *job) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	j.started = time.Now()
	var submitting sync.WaitGroup
	submitting.Go(func() {
		if err := j.submitAll(ctx); err != nil {
			cancel(err)
		}
	})
	err := j.disturb(ctx)
	j.finished = time.Now()
	cancel(err)
	submitting.Wait()
	return err
}

// submitAll submits batch after batch, staying a little ahead of the workers so that there is something to submit when
// the leader is killed. From then on it submits without a pause until it is answered again.
func (j *job) submitAll(ctx context.Context) error {
	for from := 0; from < len(j.specs); from += batch {
		if err := j.awaitRoom(ctx); err != nil {
			return err
		}
		part, sent := j.specs[from:min(from+batch, len(j.specs))], time.Now()
		receipts, err := j.through.SubmitMany(ctx, part)
		for _, r := range receipts {
			err = errors.Join(err, r.Err)
		}
		if err != nil {
			return fmt.Errorf("submit: %w", err)
		}
		j.change(func() {
			j.acknowledged += len(part)
			if j.failover == 0 && !j.killed.IsZero() && sent.After(j.killed) {
				j.failover = time.Since(j.killed)
			}
		})
	}
	return nil
}

// awaitRoom waits while enough tasks are waiting, unless the leader was killed and nothing was acknowledged since.
func (j *job) awaitRoom(ctx context.Context) error {
	return j.until(ctx, func() bool {
		ahead := j.acknowledged - j.completed
		return ahead < len(j.specs)/10 || !j.killed.IsZero() && j.failover == 0
	})
}

// change changes what mu guards and wakes who waits for it.
func (j *job) change(f func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f()
	close(j.moved)
	j.moved = make(chan struct{})
}

// until waits for a condition on what mu guards.
func (j *job) until(ctx context.Context, holds func() bool) error {
	for {
		j.mu.Lock()
		yes, moved := holds(), j.moved
		j.mu.Unlock()
		if yes {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// disturb watches the job, kills the leader at half of it and starts it again at three quarters.
func (j *job) disturb(ctx context.Context) error {
	if err := j.watch(ctx, len(j.specs)/2); err != nil {
		return err
	}
	leader, err := j.nodes.Leader(ctx)
	if err != nil {
		return err
	}
	at := time.Now()
	if err := j.nodes.Kill(leader); err != nil {
		return err
	}
	j.change(func() { j.killed = at })
	j.say("killed the leader, %s at %s", j.nodes.Name(leader), j.nodes.Addresses()[leader])
	if err := j.until(ctx, func() bool { return j.failover > 0 }); err != nil {
		return err
	}
	j.say("submits are acknowledged again after %s", j.failover.Round(time.Millisecond))
	if err := j.watch(ctx, len(j.specs)*3/4); err != nil {
		return err
	}
	if err := j.nodes.Restart(leader); err != nil {
		return err
	}
	j.say("started %s again", j.nodes.Name(leader))
	return j.watch(ctx, len(j.specs))
}

// watch asks how far the job is until so many tasks have completed.
func (j *job) watch(ctx context.Context, until int) error {
	tick := time.NewTicker(askInterval)
	defer tick.Stop()
	said := time.Now()
	for {
		if total, err := j.ask(ctx); err == nil {
			j.change(func() { j.completed = int(total.Completed) })
			if dead := total.DeadLetter + total.Cancelled; dead > 0 {
				return fmt.Errorf("%d tasks ended without success", dead)
			}
			if int(total.Completed) >= until {
				return nil
			}
			if time.Since(said) > 5*time.Second {
				said = time.Now()
				j.say("%5d of %d completed, %d running", total.Completed, len(j.specs), total.InProgress)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// ask counts the tasks. While there is no leader it fails, which only means that nothing is known.
func (j *job) ask(ctx context.Context) (task.QueueCounts, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	stats, err := j.nodes.Client().Stats(ctx)
	return stats.Total, err
}
