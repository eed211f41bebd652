package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/haiku-queue/haiku/internal/bench"
	"github.com/haiku-queue/haiku/internal/localnodes"
)

const (
	nodeCount = 3
	payload   = 200 // bytes
	runLimit  = 5 * time.Minute
)

// load is one kind of work.
type load struct {
	name  string
	words string
	work  string
	cfg   bench.Config
}

// loads are as large as a node needs to have some thousand samples in its profile, beside which its start is little.
var loads = []load{
	{"single", "64 producers and 64 workers, one task a call", bench.Lifecycle,
		bench.Config{Producers: 64, Workers: 64, Batch: 1, ClaimMax: 1, Tasks: 200_000}},
	{"batched", "8 producers with 256 tasks a call, 64 workers with up to 64 a claim", bench.Lifecycle,
		bench.Config{Producers: 8, Workers: 64, Batch: 256, ClaimMax: 64, Tasks: 500_000}},
	{"low", "100 tasks/s, one producer and one worker, one task a call", bench.Latency,
		bench.Config{Producers: 1, Workers: 1, Batch: 1, ClaimMax: 1, Tasks: 3000, Rate: 100}},
}

// measured is what one load came to.
type measured struct {
	load
	result           *bench.Result
	leader, follower *side
}

// measure runs one load on nodes of its own.
func measure(ctx context.Context, haikud string, l load, scale float64) (*measured, error) {
	dir, err := os.MkdirTemp("", "haiku-account-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	l.cfg.Tasks = max(l.cfg.Batch, int(float64(l.cfg.Tasks)*scale))
	m := &measured{load: l}
	leader, err := m.run(ctx, localnodes.Config{Binary: haikud, Count: nodeCount, ProfileDir: dir})
	if err != nil {
		return nil, err
	}
	var followers []string
	for i := range nodeCount {
		if i != leader {
			followers = append(followers, filepath.Join(dir, m.result.Servers[i].Name))
		}
	}
	if m.leader, err = readSide(filepath.Join(dir, m.result.Servers[leader].Name)); err != nil {
		return nil, err
	}
	m.follower, err = readSide(followers...)
	return m, err
}

// run does the work and returns which node led. The nodes have ended when it returns.
func (m *measured) run(ctx context.Context, cfg localnodes.Config) (leader int, err error) {
	nodes, err := localnodes.Start(ctx, cfg)
	if err != nil {
		return 0, fmt.Errorf("start haikud: %w", err)
	}
	defer func() { err = errors.Join(err, nodes.Stop()) }()
	if leader, err = nodes.Leader(ctx); err != nil {
		return 0, err
	}
	c := m.cfg
	c.Addrs, c.Local, c.Queue, c.Types, c.PayloadSize, c.Limit = nodes.Addresses(), nodes, "bench", 1, payload, runLimit
	if m.result, err = bench.Run(ctx, m.work, c); err != nil {
		return 0, err
	}
	if problems := m.result.Problems(); problems != nil {
		return 0, errors.New(strings.Join(problems, "; "))
	}
	if !m.result.Servers[leader].Leader {
		return 0, errors.New("the lead changed meanwhile, so that no node is leader or follower throughout")
	}
	return leader, nil
}
