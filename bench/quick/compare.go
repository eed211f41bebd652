package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/haiku-queue/haiku/bench/proc"
	"github.com/haiku-queue/haiku/bench/raftecho"
	"github.com/haiku-queue/haiku/internal/bench"
	"github.com/haiku-queue/haiku/internal/localnodes"
)

const (
	nodeCount = 3
	payload   = 200 // bytes; the sizes of raftecho's commands go with it
	warmup    = 1000
	runLimit  = time.Minute
)

// kind is one kind of work.
type kind struct {
	name string
	work string
	load raftecho.Load
}

var kinds = []kind{
	{"lifecycle", bench.Lifecycle, raftecho.Load{Producers: 64, Workers: 64, Batch: 1, ClaimMax: 1, Tasks: 15_000}},
	{"batched", bench.Lifecycle, raftecho.Load{Producers: 8, Workers: 64, Batch: 256, ClaimMax: 64, Tasks: 40_000}},
	{"latency", bench.Latency, raftecho.Load{Producers: 1, Workers: 1, Batch: 1, ClaimMax: 1, Tasks: 300, Rate: 100}},
}

// sample is what one run of one side came to.
type sample struct {
	tasksPerS float64
	cpu       float64 // of the servers, in microseconds a task
	p50, p99  float64 // in milliseconds: Haiku's from submit to worker, the echo's of one command
}

// sides are the two clusters.
type sides struct {
	haiku *localnodes.Nodes
	echo  *raftecho.Cluster
}

// compare starts both clusters with a kind of log store, runs all kinds of work on each in turn, and prints.
func compare(ctx context.Context, haikud, logStore string, rounds int, scale float64) (err error) {
	var s sides
	if err := os.Setenv("HAIKU_RAFT_LOG_STORE", logStore); err != nil { // for the nodes
		return err
	}
	if s.haiku, err = localnodes.Start(ctx, localnodes.Config{Binary: haikud, Count: nodeCount}); err != nil {
		return fmt.Errorf("start haikud: %w", err)
	}
	defer func() { err = errors.Join(err, s.haiku.Stop()) }()
	if s.echo, err = raftecho.StartCluster(ctx, "", logStore); err != nil {
		return fmt.Errorf("start the bare Raft: %w", err)
	}
	defer func() { err = errors.Join(err, s.echo.Stop()) }()
	all := make(map[string]*pair)
	for round := range rounds {
		for _, k := range kinds {
			k.load.Tasks = max(k.load.Batch, int(float64(k.load.Tasks)*scale))
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, rounds, k.name)
			if all[k.name] == nil {
				all[k.name] = &pair{}
			}
			if err := s.both(ctx, k, all[k.name], round%2 == 1); err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
		}
	}
	return report(os.Stdout, all)
}

// pair holds the samples of both sides in one kind of work.
type pair struct{ haiku, echo []sample }

// both does one kind of work on one side and then on the other.
func (s *sides) both(ctx context.Context, k kind, p *pair, echoFirst bool) error {
	runs := []func() error{
		func() error {
			one, err := s.runHaiku(ctx, k)
			p.haiku = append(p.haiku, one)
			return err
		},
		func() error {
			one, err := s.runEcho(ctx, k.load)
			p.echo = append(p.echo, one)
			return err
		},
	}
	if echoFirst {
		runs[0], runs[1] = runs[1], runs[0]
	}
	for _, one := range runs {
		if err := one(); err != nil {
			return err
		}
		syscall.Sync()
	}
	return nil
}

func (s *sides) runHaiku(ctx context.Context, k kind) (sample, error) {
	l := k.load
	r, err := bench.Run(ctx, k.work, bench.Config{
		Addrs: s.haiku.Addresses(), Local: s.haiku, Queue: "bench", Types: 1, Producers: l.Producers, Workers: l.Workers,
		Tasks: l.Tasks, PayloadSize: payload, Batch: l.Batch, ClaimMax: l.ClaimMax, Warmup: warmup, Rate: l.Rate,
		Limit: runLimit,
	})
	if err != nil {
		return sample{}, err
	}
	if problems := r.Problems(); problems != nil {
		return sample{}, errors.New(strings.Join(problems, "; "))
	}
	return sample{
		tasksPerS: r.TasksPerS, cpu: r.ServerCPUPerTask, p50: float64(r.EndToEnd.P50) / 1e3, p99: float64(r.EndToEnd.P99) / 1e3,
	}, nil
}

func (s *sides) runEcho(ctx context.Context, l raftecho.Load) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	warm := l
	warm.Tasks, warm.Rate = warmup, 0
	if _, err := raftecho.Run(ctx, s.echo.Leader, warm); err != nil {
		return sample{}, err
	}
	before := proc.ReadUsage(s.echo.Procs, ".")
	r, err := raftecho.Run(ctx, s.echo.Leader, l)
	if err != nil {
		return sample{}, err
	}
	used := proc.ReadUsage(s.echo.Procs, ".").Sub(before)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
	return sample{
		tasksPerS: r.TasksPerS, cpu: float64(used.Servers.Microseconds()) / float64(l.Tasks), p50: ms(r.P50), p99: ms(r.P99),
	}, nil
}
