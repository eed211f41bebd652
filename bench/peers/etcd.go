package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/haiku-queue/haiku/bench/proc"
)

var etcdSystem = System{
	Name:  "etcd",
	About: "etcd, three nodes: no task queue, but a reference for replicated, fsynced writes",
	Setups: []Setup{
		{
			Name: "put", About: "each task is one put; nothing takes it out; batch is a transaction of 100 puts",
			New:         func(e Env) Driver { return &etcdDriver{Env: e} },
			Tasks:       map[string]int{workSingle: 60_000, workBatch: 300_000, workLatency: 1},
			EnqueueOnly: true,
		},
		{
			Name: "queue", About: "a task's life as three writes: put, a claim in a transaction, and its deletion; one watch feeds the workers",
			New:   func(e Env) Driver { return &etcdDriver{Env: e} },
			Tasks: map[string]int{workSingle: 20_000, workBacklog: 20_000, workLatency: 1},
		},
	},
}

const etcdPort = 21500 // clients at +1 to +3, peers at +11 to +13

type etcdDriver struct {
	Env
	procs     []*proc.Proc
	producers conns[*clientv3.Client]
	workers   conns[*clientv3.Client]
}

func (d *etcdDriver) Procs() []*proc.Proc { return d.procs }

func (d *etcdDriver) Start(ctx context.Context, dir string) error {
	url := func(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", etcdPort+port) }
	var cluster []string
	for i := range 3 {
		cluster = append(cluster, fmt.Sprintf("e%d=%s", i+1, url(11+i)))
	}
	bin, err := filepath.Abs(filepath.Join(d.BinDir, "etcd"))
	if err != nil {
		return err
	}
	for i := range 3 {
		name := fmt.Sprintf("e%d", i+1)
		p, err := proc.Start(proc.Spec{Name: name, Dir: dir, Path: bin, Args: []string{
			"--name", name, "--data-dir", filepath.Join(dir, name), "--log-level", "warn",
			"--listen-client-urls", url(1 + i), "--advertise-client-urls", url(1 + i),
			"--listen-peer-urls", url(11 + i), "--initial-advertise-peer-urls", url(11 + i),
			"--initial-cluster", strings.Join(cluster, ","), "--initial-cluster-state", "new",
		}})
		if err != nil {
			return err
		}
		d.procs = append(d.procs, p)
	}
	for i, p := range d.procs {
		if err := proc.WaitPort(ctx, p, fmt.Sprintf("127.0.0.1:%d", etcdPort+1+i)); err != nil {
			return err
		}
	}
	open := func(i int) (*clientv3.Client, error) {
		return clientv3.New(clientv3.Config{Endpoints: []string{url(1 + d.node(i, 3))}, Logger: zap.NewNop()})
	}
	d.producers, d.workers = shared(d.Env, open), shared(d.Env, open)
	c, err := d.producers.at(0)
	if err != nil {
		return err
	}
	return proc.Retry(ctx, "first write", func() error {
		_, err := c.Put(ctx, "ready", "")
		return err
	})
}

const etcdPrefix, etcdClaims = "task/", "claim/"

type etcdProducer struct{ c *clientv3.Client }

func (d *etcdDriver) Producer(ctx context.Context, i int) (Producer, error) {
	c, err := d.producers.at(i)
	return etcdProducer{c}, err
}

func (p etcdProducer) Submit(ctx context.Context, payload []byte) error {
	_, err := p.c.Put(ctx, etcdPrefix+string(payload[:idDigits]), string(payload))
	return err
}

func (p etcdProducer) SubmitBatch(ctx context.Context, payloads [][]byte) error {
	const most = 100 // etcd takes at most 128 operations in a transaction
	for len(payloads) > 0 {
		var ops []clientv3.Op
		for _, pl := range payloads[:min(most, len(payloads))] {
			ops = append(ops, clientv3.OpPut(etcdPrefix+string(pl[:idDigits]), string(pl)))
		}
		if _, err := p.c.Txn(ctx).Then(ops...).Commit(); err != nil {
			return err
		}
		payloads = payloads[len(ops):]
	}
	return nil
}

func (d *etcdDriver) StartWorkers(ctx context.Context, n int, t *Tracker) (func() error, error) {
	clients := make([]*clientv3.Client, n)
	for i := range clients {
		var err error
		if clients[i], err = d.workers.at(i); err != nil {
			return nil, err
		}
	}
	// What is there is read first, and the watch goes on from that revision.
	tasks := make(chan []byte, len(t.tasks))
	have, err := clients[0].Get(ctx, etcdPrefix, clientv3.WithPrefix())
	if err != nil {
		return nil, err
	}
	for _, kv := range have.Kvs {
		tasks <- kv.Value
	}
	watchCtx, cancel := context.WithCancel(ctx)
	watch := clients[0].Watch(watchCtx, etcdPrefix, clientv3.WithPrefix(), clientv3.WithRev(have.Header.Revision+1),
		clientv3.WithFilterDelete(), clientv3.WithCreatedNotify())
	<-watch
	go func() {
		for r := range watch {
			for _, e := range r.Events {
				tasks <- e.Kv.Value
			}
		}
	}()
	stop := spawn(ctx, n, t, func(ctx context.Context, i int) error {
		for {
			var payload []byte
			select {
			case <-ctx.Done():
				return nil
			case payload = <-tasks:
			}
			id := string(payload[:idDigits])
			key, claim := etcdPrefix+id, etcdClaims+id
			r, err := clients[i].Txn(ctx).If(
				clientv3.Compare(clientv3.CreateRevision(key), ">", 0),
				clientv3.Compare(clientv3.CreateRevision(claim), "=", 0),
			).Then(clientv3.OpPut(claim, fmt.Sprint(i))).Commit()
			if err != nil {
				return err
			}
			if !r.Succeeded {
				continue
			}
			task := t.Claimed(payload)
			if _, err := clients[i].Txn(ctx).Then(clientv3.OpDelete(key), clientv3.OpDelete(claim)).Commit(); err != nil {
				return err
			}
			t.Acked(task)
		}
	})
	return func() error {
		cancel()
		return stop()
	}, nil
}

func (d *etcdDriver) Left(ctx context.Context) (int, error) {
	c, err := d.producers.at(0)
	if err != nil {
		return 0, err
	}
	r, err := c.Get(ctx, etcdPrefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		return 0, err
	}
	return int(r.Count), nil
}

func (d *etcdDriver) Close() {
	for _, c := range append(d.producers.all, d.workers.all...) {
		c.Close()
	}
}
