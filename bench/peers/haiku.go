package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/haiku-queue/haiku/bench/proc"
	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/worker"
)

var haikuSystem = System{
	Name:  "haiku",
	About: "Haiku, three nodes; connections go round the nodes, two of which relay to the leader",
	Setups: []Setup{
		{
			Name: "default", About: "default settings; a worker claims one task with the result of the one before",
			New:   func(e Env) Driver { return &haikuDriver{Env: e, claimMax: 1} },
			Tasks: map[string]int{workSingle: 40_000, workBatch: 60_000, workBacklog: 50_000, workLatency: 1},
		},
		{
			Name: "claim64", About: "as default, up to 64 tasks a claim and as many results a report",
			New:   func(e Env) Driver { return &haikuDriver{Env: e, claimMax: 64} },
			Tasks: map[string]int{workSingle: 50_000, workBatch: 200_000, workBacklog: 100_000},
		},
		{
			Name: "leader", About: "as default, connections go on to the leader, as clients do by themselves",
			New:   func(e Env) Driver { return &haikuDriver{Env: e, claimMax: 1, toLeader: true} },
			Tasks: map[string]int{workSingle: 40_000, workBacklog: 50_000, workLatency: 1},
		},
		{
			Name: "worker", About: "as default, package worker with 16 handlers a connection; acks as handed to it, unconfirmed",
			New:   func(e Env) Driver { return &haikuDriver{Env: e, library: true} },
			Tasks: map[string]int{workSingle: 40_000, workBatch: 60_000, workBacklog: 50_000, workLatency: 1},
		},
		{
			Name: "bolt", About: "as default, with raft.log_store: boltdb",
			New:   func(e Env) Driver { return &haikuDriver{Env: e, claimMax: 1, bolt: true} },
			Tasks: map[string]int{workSingle: 40_000, workBatch: 60_000, workBacklog: 50_000, workLatency: 1},
		},
		{
			Name: "bolt-claim64", About: "as claim64, with raft.log_store: boltdb",
			New:   func(e Env) Driver { return &haikuDriver{Env: e, claimMax: 64, bolt: true} },
			Tasks: map[string]int{workSingle: 50_000, workBatch: 200_000, workBacklog: 100_000},
		},
	},
}

const (
	haikuPort  = 21600 // nodes at +1 to +3
	haikuNodes = 3
	haikuQueue = "bench"
	haikuType  = "bench"
	haikuWait  = 30 * time.Second // of a claim, as package worker has it
)

type haikuDriver struct {
	Env
	claimMax int
	toLeader bool
	library  bool // workers are those of package worker
	bolt     bool // the nodes keep Raft's log in bbolt

	procs     []*proc.Proc
	admin     *client.Client
	producers conns[*client.Client]
}

func (d *haikuDriver) Procs() []*proc.Proc { return d.procs }

func haikuAddress(node int) string { return fmt.Sprintf("127.0.0.1:%d", haikuPort+1+node) }

// haikuAddresses lists all nodes, beginning with one.
func haikuAddresses(first int) (list []string) {
	for i := range haikuNodes {
		list = append(list, haikuAddress((first+i)%haikuNodes))
	}
	return list
}

func (d *haikuDriver) Start(ctx context.Context, dir string) error {
	haikud, err := filepath.Abs(d.Haikud)
	if err != nil {
		return err
	}
	d.producers = shared(d.Env, d.open)
	if d.admin, err = client.New(client.Config{Addrs: haikuAddresses(0), Name: "peers"}); err != nil {
		return err
	}
	for i := range haikuNodes {
		name := fmt.Sprintf("h%d", i+1)
		args := []string{"--data-dir", filepath.Join(dir, name), "--listen", haikuAddress(i), "--node-name", name}
		if i == 0 {
			args = append(args, "--bootstrap")
		} else {
			args = append(args, "--join", haikuAddress(0))
		}
		spec := proc.Spec{Name: name, Dir: dir, Path: haikud, Args: args}
		if d.bolt {
			spec.Env = []string{"HAIKU_RAFT_LOG_STORE=boltdb"}
		}
		p, err := proc.Start(spec)
		if err != nil {
			return err
		}
		d.procs = append(d.procs, p)
		if err := proc.WaitPort(ctx, p, haikuAddress(i)); err != nil {
			return err
		}
	}
	return proc.Retry(ctx, "wait for three voters", func() error { return d.complete(ctx) })
}

// complete fails unless every node sees three voters and a leader.
func (d *haikuDriver) complete(ctx context.Context) error {
	for i := range haikuNodes {
		s, err := d.admin.StatusOf(ctx, haikuAddress(i))
		if err != nil {
			return err
		}
		voters := 0
		for _, m := range s.Members {
			if m.Voter {
				voters++
			}
		}
		if voters != haikuNodes || s.LeaderAddress == "" {
			return fmt.Errorf("node %d sees %d voters", i+1, voters)
		}
	}
	return nil
}

// open opens a connection for the i-th producer or worker and those that share it.
func (d *haikuDriver) open(i int) (*client.Client, error) {
	return client.New(client.Config{
		Addrs: haikuAddresses(d.node(i, haikuNodes)), Name: "peers", Stay: !d.toLeader,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
}

type haikuProducer struct{ c *client.Client }

func (d *haikuDriver) Producer(_ context.Context, i int) (Producer, error) {
	c, err := d.producers.at(i)
	return haikuProducer{c}, err
}

func (p haikuProducer) Submit(ctx context.Context, payload []byte) error {
	_, err := p.c.Submit(ctx, haikuType, payload, client.Queue(haikuQueue))
	return err
}

func (p haikuProducer) SubmitBatch(ctx context.Context, payloads [][]byte) error {
	specs := make([]task.Spec, len(payloads))
	for i, payload := range payloads {
		specs[i] = task.Spec{Queue: haikuQueue, Type: haikuType, Payload: payload}
	}
	receipts, err := p.c.SubmitMany(ctx, specs)
	if err != nil {
		return err
	}
	var refused []error
	for _, r := range receipts {
		refused = append(refused, r.Err)
	}
	return errors.Join(refused...)
}

// StartWorkers gives the workers connections of their own, which end with them: the broker then drops the claims that
// still wait.
func (d *haikuDriver) StartWorkers(ctx context.Context, n int, t *Tracker) (func() error, error) {
	clients := shared(d.Env, d.open)
	closeAll := func() {
		for _, c := range clients.all {
			c.Close()
		}
	}
	for i := range n {
		c, err := clients.at(i)
		if err == nil {
			_, err = c.Stats(ctx, client.Stale()) // connects
		}
		if err != nil {
			closeAll()
			return nil, err
		}
	}
	var stop func() error
	if d.library {
		each := min(d.Share, n)
		stop = spawn(ctx, len(clients.all), t, func(ctx context.Context, i int) error {
			return runLibrary(ctx, clients.all[i], each, t)
		})
	} else {
		stop = spawn(ctx, n, t, func(ctx context.Context, i int) error {
			return d.work(ctx, clients.all[i/d.Share], fmt.Sprintf("bench/%d", i+1), t)
		})
	}
	return func() error {
		err := stop()
		closeAll()
		return err
	}, nil
}

// work is one worker: it waits for tasks, and goes on with those that it is given with its reports.
func (d *haikuDriver) work(ctx context.Context, c *client.Client, name string, t *Tracker) error {
	next := task.ClaimRequest{WorkerID: name, Queues: []string{haikuQueue}, Types: []string{haikuType}, Max: d.claimMax}
	waiting := next
	waiting.Wait = haikuWait
	for {
		tasks, err := c.Claim(ctx, waiting)
		for err == nil && len(tasks) > 0 {
			tasks, err = finish(ctx, c, tasks, &next, t)
		}
		if err != nil {
			return err
		}
	}
}

// finish reports tasks as done and returns what it was given in return.
func finish(ctx context.Context, c *client.Client, tasks []*task.Task, next *task.ClaimRequest,
	t *Tracker) ([]*task.Task, error) {
	ids, outcomes := make([]int, len(tasks)), make([]task.Outcome, len(tasks))
	for i, got := range tasks {
		ids[i] = t.Claimed(got.Payload)
		outcomes[i] = task.Outcome{ID: got.ID, LeaseID: got.LeaseID, Kind: task.Success}
	}
	receipts, more, err := c.Finish(ctx, outcomes, next)
	for i := range receipts {
		if receipts[i].Err != nil {
			return nil, receipts[i].Err
		}
		t.Acked(ids[i])
	}
	return more, err
}

// runLibrary is one worker of package worker with so many handlers.
func runLibrary(ctx context.Context, c *client.Client, handlers int, t *Tracker) error {
	w, err := worker.New(c, worker.Config{Name: "bench", Queues: []string{haikuQueue}, Concurrency: handlers})
	if err != nil {
		return err
	}
	w.Handle(haikuType, func(_ context.Context, got *task.Task) ([]byte, error) {
		t.Acked(t.Claimed(got.Payload))
		return nil, nil
	})
	return w.Run(ctx)
}

func (d *haikuDriver) Left(ctx context.Context) (int, error) {
	stats, err := d.admin.Stats(ctx)
	total := &stats.Total
	return int(total.Pending + total.InProgress + total.Failed + total.DeadLetter), err
}

// Check compares the states of all nodes at one index of the log.
func (d *haikuDriver) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	index, err := d.admin.Mark(ctx)
	if err != nil {
		return fmt.Errorf("mark: %w", err)
	}
	hashes := make([]string, haikuNodes)
	err = proc.Retry(ctx, "state hashes", func() error {
		for i := range hashes {
			s, err := d.admin.StatusOf(ctx, haikuAddress(i))
			if err != nil {
				return err
			}
			if hashes[i] = hashAt(&s, index); hashes[i] == "" {
				return fmt.Errorf("node %d has none yet", i+1)
			}
		}
		return nil
	})
	if err == nil && (hashes[0] != hashes[1] || hashes[0] != hashes[2]) {
		err = fmt.Errorf("the nodes' states differ at index %d: %q", index, hashes)
	}
	return err
}

// hashAt is a node's state hash at an index, if it has it.
func hashAt(s *member.Status, index uint64) string {
	if s.LastMark == nil || s.LastMark.Index != index {
		return ""
	}
	return s.LastMark.StateHash
}

func (d *haikuDriver) Close() {
	for _, c := range d.producers.all {
		c.Close()
	}
	if d.admin != nil {
		d.admin.Close()
	}
}
