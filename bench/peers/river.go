package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/haiku-queue/haiku/bench/proc"
)

var riverSystem = System{
	Name:  "river",
	About: "River on one PostgreSQL 15 with its default settings (fsync and synchronous_commit on; not replicated)",
	Setups: []Setup{
		{
			Name: "default", About: "River's default fetching: at most every 100 ms; 64 workers always",
			New: func(e Env) Driver {
				return &riverDriver{Env: e, cooldown: river.FetchCooldownDefault, poll: river.FetchPollIntervalDefault, workers: 64}
			},
			Tasks: map[string]int{workSingle: 5000, workLatency: 1},
		},
		{
			Name: "tuned", About: "fetching at most every 1 ms",
			New: func(e Env) Driver {
				return &riverDriver{Env: e, cooldown: time.Millisecond, poll: 20 * time.Millisecond}
			},
			Tasks: map[string]int{workSingle: 25_000, workBatch: 70_000, workBacklog: 25_000, workLatency: 1},
		},
		{
			Name: "bulk", About: "as River's own benchmark: 2000 workers, fetching at most every 2 ms",
			New: func(e Env) Driver {
				return &riverDriver{Env: e, cooldown: 2 * time.Millisecond, poll: 20 * time.Millisecond, workers: 2000}
			},
			Tasks: map[string]int{workBatch: 120_000, workBacklog: 30_000},
		},
	},
}

const (
	pgAddr = "127.0.0.1:21300"
	pgBin  = "/usr/lib/postgresql/15/bin/"
)

type riverDriver struct {
	Env
	cooldown, poll time.Duration
	workers        int // instead of the harness's number

	procs    []*proc.Proc
	pool     *pgxpool.Pool // for producers and workers
	inserter *river.Client[pgx.Tx]
}

func (d *riverDriver) Procs() []*proc.Proc { return d.procs }

func (d *riverDriver) Start(ctx context.Context, dir string) error {
	cred, err := credential("postgres") // PostgreSQL refuses to run as root
	if err != nil {
		return err
	}
	data := filepath.Join(dir, "pg")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	if err := os.Chown(data, int(cred.Uid), int(cred.Gid)); err != nil {
		return err
	}
	initdb := exec.CommandContext(ctx, pgBin+"initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8")
	initdb.Dir = data
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	host, port, _ := net.SplitHostPort(pgAddr)
	p, err := proc.Start(proc.Spec{
		Name: "postgres", Dir: dir, Path: pgBin + "postgres", Cred: cred,
		Stop: syscall.SIGQUIT, // at once, but taking its shared memory along
		Args: []string{"-D", data, "-h", host, "-p", port, "-k", "", "-c", "max_connections=200"},
	})
	if err != nil {
		return err
	}
	d.procs = append(d.procs, p)
	if err := proc.WaitPort(ctx, p, pgAddr); err != nil {
		return err
	}
	d.pool, err = pgxpool.New(ctx, fmt.Sprintf("postgres://postgres@%s/postgres?sslmode=disable&pool_max_conns=80", pgAddr))
	if err != nil {
		return err
	}
	if err := proc.Retry(ctx, "connecting", func() error { return d.pool.Ping(ctx) }); err != nil {
		return err
	}
	m, err := rivermigrate.New(riverpgxv5.New(d.pool), &rivermigrate.Config{Logger: quiet()})
	if err != nil {
		return err
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	d.inserter, err = river.NewClient(riverpgxv5.New(d.pool), &river.Config{Logger: quiet(), FetchCooldown: d.cooldown, FetchPollInterval: d.poll})
	return err
}

// quiet logs errors only.
func quiet() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
}

func credential(name string) (*syscall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

type riverTask struct {
	Payload string `json:"payload"`
}

func (riverTask) Kind() string { return "bench" }

type riverWorker struct {
	river.WorkerDefaults[riverTask]
	t *Tracker
}

func (w *riverWorker) Work(ctx context.Context, job *river.Job[riverTask]) error {
	w.t.Claimed([]byte(job.Args.Payload))
	return nil
}

type riverProducer struct{ c *river.Client[pgx.Tx] }

func (d *riverDriver) Producer(ctx context.Context, i int) (Producer, error) {
	return riverProducer{d.inserter}, nil
}

func (p riverProducer) Submit(ctx context.Context, payload []byte) error {
	_, err := p.c.Insert(ctx, riverTask{string(payload)}, nil)
	return err
}

func (p riverProducer) SubmitBatch(ctx context.Context, payloads [][]byte) error {
	many := make([]river.InsertManyParams, len(payloads))
	for i, pl := range payloads {
		many[i].Args = riverTask{string(pl)}
	}
	_, err := p.c.InsertManyFast(ctx, many)
	return err
}

func (d *riverDriver) StartWorkers(ctx context.Context, n int, t *Tracker) (func() error, error) {
	if d.workers > 0 {
		n = d.workers
	}
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &riverWorker{t: t}); err != nil {
		return nil, err
	}
	c, err := river.NewClient(riverpgxv5.New(d.pool), &river.Config{
		Logger: quiet(), Workers: workers, FetchCooldown: d.cooldown, FetchPollInterval: d.poll,
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: n}},
	})
	if err != nil {
		return nil, err
	}
	// River tells of a job's completion after it is committed.
	events, cancel := c.SubscribeConfig(&river.SubscribeConfig{
		ChanSize: len(t.tasks) + 1, Kinds: []river.EventKind{river.EventKindJobCompleted},
	})
	go func() {
		for e := range events {
			var task riverTask
			if json.Unmarshal(e.Job.EncodedArgs, &task) == nil {
				t.Acked(taskID([]byte(task.Payload)))
			}
		}
	}()
	if err := c.Start(ctx); err != nil {
		cancel()
		return nil, err
	}
	return func() error {
		stopCtx, done := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer done()
		defer cancel()
		return c.Stop(stopCtx)
	}, nil
}

func (d *riverDriver) Left(ctx context.Context) (n int, err error) {
	err = d.pool.QueryRow(ctx, "SELECT count(*) FROM river_job WHERE state <> 'completed'").Scan(&n)
	return n, err
}

func (d *riverDriver) Close() {
	if d.pool != nil {
		d.pool.Close()
	}
}
