package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/haiku-queue/haiku/bench/proc"
)

var asynqSystem = System{
	Name:  "asynq",
	About: "asynq on one Redis (not replicated); asynq offers no batch submit",
	Setups: []Setup{
		{
			Name: "always", About: "appendfsync always; one asynq server with all workers, polling an empty queue every 0.5-1.5 s (default)",
			New:   func(e Env) Driver { return &asynqDriver{Env: e, fsync: "always", servers: 1} },
			Tasks: map[string]int{workSingle: 20_000, workBacklog: 20_000, workLatency: 1},
		},
		{
			Name: "always-tuned", About: "appendfsync always; eight asynq servers share the workers and poll every 5-15 ms",
			New: func(e Env) Driver {
				return &asynqDriver{Env: e, fsync: "always", servers: 8, poll: 10 * time.Millisecond}
			},
			Tasks: map[string]int{workSingle: 60_000, workBacklog: 60_000, workLatency: 1},
		},
		{
			Name: "everysec", About: "appendfsync everysec, otherwise as always",
			New:   func(e Env) Driver { return &asynqDriver{Env: e, fsync: "everysec", servers: 1} },
			Tasks: map[string]int{workSingle: 60_000, workBacklog: 60_000},
		},
		{
			Name: "everysec-tuned", About: "appendfsync everysec, otherwise as always-tuned",
			New: func(e Env) Driver {
				return &asynqDriver{Env: e, fsync: "everysec", servers: 8, poll: 10 * time.Millisecond}
			},
			Tasks: map[string]int{workSingle: 120_000, workBacklog: 120_000, workLatency: 1},
		},
	},
}

const (
	redisAddr = "127.0.0.1:21200"
	asynqType = "bench"
)

type asynqDriver struct {
	Env
	fsync   string
	servers int
	poll    time.Duration // 0 for asynq's default

	procs  []*proc.Proc
	client *asynq.Client
}

func (d *asynqDriver) Procs() []*proc.Proc { return d.procs }

func (d *asynqDriver) Start(ctx context.Context, dir string) error {
	host, port, _ := strings.Cut(redisAddr, ":")
	p, err := proc.Start(proc.Spec{Name: "redis", Dir: dir, Path: "redis-server", Args: []string{
		"--bind", host, "--port", port, "--dir", dir, "--appendonly", "yes", "--appendfsync", d.fsync, "--save", "",
	}})
	if err != nil {
		return err
	}
	d.procs = append(d.procs, p)
	if err := proc.WaitPort(ctx, p, redisAddr); err != nil {
		return err
	}
	d.client = asynq.NewClient(redisOpt{conns: 64})
	return d.client.Ping()
}

// redisOpt makes asynq's Redis clients, with a hook where one is given.
type redisOpt struct {
	conns int
	hook  redis.Hook
}

func (o redisOpt) MakeRedisClient() any {
	c := redis.NewClient(&redis.Options{Addr: redisAddr, PoolSize: o.conns})
	if o.hook != nil {
		c.AddHook(o.hook)
	}
	return c
}

// ackHook sees asynq's script that takes a finished task out of Redis, which
// asynq itself does not report.
type ackHook struct{ t *Tracker }

func (h ackHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h ackHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h ackHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		// EVALSHA sha 5 active lease task processed-today processed ..., or EVAL
		// the first time.
		args, script := cmd.Args(), cmd.Name() == "evalsha" || cmd.Name() == "eval"
		if err == nil && script && len(args) > 5 && fmt.Sprint(args[2]) == "5" {
			if key, ok := args[5].(string); ok {
				h.t.Acked(taskID([]byte(key[strings.LastIndexByte(key, ':')+1:])))
			}
		}
		return err
	}
}

type asynqProducer struct{ c *asynq.Client }

func (d *asynqDriver) Producer(ctx context.Context, i int) (Producer, error) {
	return asynqProducer{d.client}, nil
}

func (p asynqProducer) Submit(ctx context.Context, payload []byte) error {
	// The id is the task's number, for ackHook.
	_, err := p.c.EnqueueContext(ctx, asynq.NewTask(asynqType, payload), asynq.TaskID(string(payload[:idDigits])))
	return err
}

func (p asynqProducer) SubmitBatch(ctx context.Context, payloads [][]byte) error { return errNoBatch }

func (d *asynqDriver) StartWorkers(ctx context.Context, n int, t *Tracker) (func() error, error) {
	handler := asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
		t.Claimed(task.Payload())
		return nil
	})
	var servers []*asynq.Server
	for range min(d.servers, n) {
		each := n / min(d.servers, n)
		s := asynq.NewServer(redisOpt{conns: each + 4, hook: ackHook{t}}, asynq.Config{
			Concurrency: each, TaskCheckInterval: d.poll, LogLevel: asynq.ErrorLevel,
		})
		if err := s.Start(handler); err != nil {
			return nil, err
		}
		servers = append(servers, s)
	}
	return func() error {
		for _, s := range servers {
			s.Shutdown()
		}
		return nil
	}, nil
}

func (d *asynqDriver) Left(ctx context.Context) (int, error) {
	in := asynq.NewInspector(redisOpt{conns: 1})
	defer in.Close()
	q, err := in.GetQueueInfo("default")
	if err != nil {
		return 0, err
	}
	return q.Size, nil
}

func (d *asynqDriver) Close() {
	if d.client != nil {
		d.client.Close()
	}
}
