package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
)

// job is one kind of work on one setup.
type job struct {
	sys   System
	setup Setup
	work  string
}

// jobs lists what the flags ask for.
func (o *options) jobs() ([]job, error) {
	var jobs []job
	for _, sys := range systems {
		setups, err := pick(sys, *o.setups[sys.Name])
		if err != nil {
			return nil, err
		}
		for _, s := range setups {
			for w := range strings.SplitSeq(o.works, ",") {
				if !slices.Contains(works, w) {
					return nil, fmt.Errorf("no work %q; there is %s", w, strings.Join(works, ", "))
				}
				if s.tasks(w) > 0 {
					jobs = append(jobs, job{sys, s, w})
				}
			}
		}
	}
	if len(jobs) == 0 {
		return nil, fmt.Errorf("nothing to measure: name a system, such as -%s=all (-list shows them)", systems[0].Name)
	}
	return jobs, nil
}

// pick returns the setups of sys that list names.
func pick(sys System, list string) ([]Setup, error) {
	if list == "all" {
		return sys.Setups, nil
	}
	var setups []Setup
	for name := range strings.SplitSeq(list, ",") {
		if name == "" {
			continue
		}
		i := slices.IndexFunc(sys.Setups, func(s Setup) bool { return s.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("%s has no setup %q; it has %s", sys.Name, name, setupNames(sys))
		}
		setups = append(setups, sys.Setups[i])
	}
	return setups, nil
}

// params says how much work a job is.
func (o *options) params(j job) Params {
	p := Params{Tasks: j.setup.tasks(j.work), Producers: o.producers, Workers: o.workers, Batch: 1, Limit: o.limit}
	if o.tasks > 0 {
		p.Tasks = o.tasks
	}
	switch j.work {
	case workCrowd:
		p.Producers, p.Workers = 4*o.producers, 4*o.workers
	case workBatch:
		p.Producers, p.Batch = max(1, o.producers/8), o.batch
	case workLatency:
		p.Producers, p.Workers, p.Rate, p.Tasks = 1, 1, o.rate, o.rate*o.seconds
	}
	return p
}

// measureAll does every job once, and then all of them again, as often as -reps says.
func (o *options) measureAll(ctx context.Context, jobs []job, stdout io.Writer) error {
	var results []Result
	failed := 0
	for rep := range o.reps {
		for _, j := range jobs {
			unlock, err := lockFile(o.lock)
			if err != nil {
				return err
			}
			r := measure(ctx, j, o.params(j), o.env, o.dir)
			unlock()
			if ctx.Err() != nil {
				return ctx.Err()
			}
			r.Rep = rep + 1
			if r.Error != "" {
				failed++
			}
			results = append(results, r)
			line, err := json.Marshal(r)
			if err != nil {
				return err
			}
			fmt.Fprintf(stdout, "%s\n", line)
			if err := appendLine(o.out, line); err != nil {
				return err
			}
		}
	}
	fmt.Fprintln(stdout)
	if err := printTable(stdout, results); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d runs failed", failed, len(results))
	}
	return nil
}

// lockFile waits for the lock on path, as flock(1) does. An empty path locks nothing.
func lockFile(path string) (unlock func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	for {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}

func appendLine(path string, line []byte) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s\n", line)
	return errors.Join(err, f.Close())
}
