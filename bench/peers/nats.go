package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/haiku-queue/haiku/bench/proc"
)

var natsSystem = System{
	Name:  "nats",
	About: "NATS JetStream, three nodes, R3 work-queue stream in files, one durable pull consumer",
	Setups: []Setup{
		{
			Name: "lazy", About: "default sync_interval (2m: fsync is not part of an ack), one message per pull, double ack",
			New:   func(e Env) Driver { return &natsDriver{Env: e, doubleAck: true, prefetch: 1} },
			Tasks: map[string]int{workSingle: 90_000, workBatch: 90_000, workBacklog: 80_000, workLatency: 1},
		},
		{
			Name: "lazy-plain", About: "as lazy, with plain (unconfirmed) ack",
			New:   func(e Env) Driver { return &natsDriver{Env: e, prefetch: 1} },
			Tasks: map[string]int{workSingle: 120_000, workBatch: 120_000, workBacklog: 100_000, workLatency: 1},
		},
		{
			Name: "lazy-prefetch", About: "as lazy-plain, each worker fetching up to 64 messages ahead",
			New:   func(e Env) Driver { return &natsDriver{Env: e, prefetch: 64} },
			Tasks: map[string]int{workSingle: 150_000, workBatch: 300_000, workBacklog: 180_000},
		},
		{
			Name: "lazy-fast", About: "as lazy-plain, batch by fast-ingest publish (server 2.14) instead of PublishAsync",
			New:   func(e Env) Driver { return &natsDriver{Env: e, prefetch: 1, publish: "fast"} },
			Tasks: map[string]int{workBatch: 120_000},
		},
		{
			Name: "lazy-atomic", About: "as lazy-plain, batch by atomic batch publish (server 2.12)",
			New:   func(e Env) Driver { return &natsDriver{Env: e, prefetch: 1, publish: "atomic"} },
			Tasks: map[string]int{workBatch: 120_000},
		},
		{
			Name: "always", About: "sync_interval: always (fsync before ack), one message per pull, double ack",
			New:   func(e Env) Driver { return &natsDriver{Env: e, always: true, doubleAck: true, prefetch: 1} },
			Tasks: map[string]int{workSingle: 40_000, workBatch: 40_000, workBacklog: 40_000, workLatency: 1},
		},
		{
			Name: "always-plain", About: "as always, with plain ack",
			New:   func(e Env) Driver { return &natsDriver{Env: e, always: true, prefetch: 1} },
			Tasks: map[string]int{workSingle: 40_000, workBacklog: 40_000},
		},
		{
			Name: "always-prefetch", About: "as always-plain, each worker fetching up to 64 messages ahead",
			New:   func(e Env) Driver { return &natsDriver{Env: e, always: true, prefetch: 64} },
			Tasks: map[string]int{workSingle: 50_000, workBatch: 200_000, workBacklog: 80_000},
		},
	},
}

const (
	natsPort    = 21000 // clients at +1 to +3, routes at +11 to +13
	natsSubject = "tasks.new"
)

type natsDriver struct {
	Env
	always    bool
	doubleAck bool
	prefetch  int
	publish   string // how SubmitBatch works: "", "fast" or "atomic"

	procs     []*proc.Proc
	admin     *nats.Conn
	stream    jetstream.Stream
	producers conns[*nats.Conn]
	workers   conns[*nats.Conn]
}

func (d *natsDriver) Procs() []*proc.Proc { return d.procs }

func natsURL(node int) string { return fmt.Sprintf("nats://127.0.0.1:%d", natsPort+1+node) }

func (d *natsDriver) Start(ctx context.Context, dir string) error {
	var routes []string
	for i := range 3 {
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", natsPort+11+i))
	}
	for i := range 3 {
		name := fmt.Sprintf("n%d", i+1)
		sync := ""
		if d.always {
			sync = "sync_interval: always"
		}
		conf := fmt.Sprintf(`server_name: %s
listen: 127.0.0.1:%d
jetstream { store_dir: %q, %s }
cluster { name: peers, listen: 127.0.0.1:%d, routes: [%s] }
`, name, natsPort+1+i, filepath.Join(dir, name), sync, natsPort+11+i, strings.Join(routes, ", "))
		file := filepath.Join(dir, name+".conf")
		if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
			return err
		}
		bin, err := filepath.Abs(filepath.Join(d.BinDir, "nats-server"))
		if err != nil {
			return err
		}
		p, err := proc.Start(proc.Spec{Name: name, Dir: dir, Path: bin, Args: []string{"-c", file}})
		if err != nil {
			return err
		}
		d.procs = append(d.procs, p)
	}
	for i, p := range d.procs {
		if err := proc.WaitPort(ctx, p, fmt.Sprintf("127.0.0.1:%d", natsPort+1+i)); err != nil {
			return err
		}
	}
	open := func(i int) (*nats.Conn, error) { return nats.Connect(natsURL(d.node(i, 3))) }
	d.producers, d.workers = shared(d.Env, open), shared(d.Env, open)

	var err error
	if d.admin, err = nats.Connect(natsURL(0)); err != nil {
		return err
	}
	js, err := jetstream.New(d.admin)
	if err != nil {
		return err
	}
	err = proc.Retry(ctx, "creating the stream", func() error {
		c, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		d.stream, err = js.CreateOrUpdateStream(c, jetstream.StreamConfig{
			Name: "TASKS", Subjects: []string{"tasks.>"}, Retention: jetstream.WorkQueuePolicy,
			Storage: jetstream.FileStorage, Replicas: 3,
			AllowAtomicPublish: d.publish == "atomic", AllowBatchPublish: d.publish == "fast",
		})
		return err
	})
	if err != nil {
		return err
	}
	return proc.Retry(ctx, "creating the consumer", func() error {
		c, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		_, err := d.stream.CreateOrUpdateConsumer(c, jetstream.ConsumerConfig{
			Durable: "workers", AckPolicy: jetstream.AckExplicitPolicy,
			// The defaults, 1000 and 512, are too few for many workers that fetch ahead.
			MaxAckPending: 65536, MaxWaiting: 4096,
		})
		return err
	})
}

func (d *natsDriver) Producer(ctx context.Context, i int) (Producer, error) {
	nc, err := d.producers.at(i)
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	return natsProducer{d, js}, err
}

type natsProducer struct {
	d  *natsDriver
	js jetstream.JetStream
}

func (p natsProducer) Submit(ctx context.Context, payload []byte) error {
	_, err := p.js.Publish(ctx, natsSubject, payload)
	return err
}

func (p natsProducer) SubmitBatch(ctx context.Context, payloads [][]byte) error {
	switch p.d.publish {
	case "fast":
		b, err := jetstreamext.NewFastPublisher(p.js)
		if err != nil {
			return err
		}
		last := len(payloads) - 1
		for _, pl := range payloads[:last] {
			if _, err := b.Add(natsSubject, pl); err != nil {
				return err
			}
		}
		_, err = b.Commit(ctx, natsSubject, payloads[last])
		return err
	case "atomic":
		msgs := make([]*nats.Msg, len(payloads))
		for i, pl := range payloads {
			// The header map must be there: PublishMsgBatch writes to it.
			msgs[i] = &nats.Msg{Subject: natsSubject, Header: nats.Header{}, Data: pl}
		}
		_, err := jetstreamext.PublishMsgBatch(ctx, p.js, msgs)
		return err
	}
	acks := make([]jetstream.PubAckFuture, len(payloads))
	for i, pl := range payloads {
		var err error
		if acks[i], err = p.js.PublishAsync(natsSubject, pl); err != nil {
			return err
		}
	}
	for _, a := range acks {
		select {
		case <-a.Ok():
		case err := <-a.Err():
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (d *natsDriver) StartWorkers(ctx context.Context, n int, t *Tracker) (func() error, error) {
	iters := make([]jetstream.MessagesContext, n)
	for i := range iters {
		nc, err := d.workers.at(i)
		if err != nil {
			return nil, err
		}
		js, err := jetstream.New(nc)
		if err != nil {
			return nil, err
		}
		cons, err := js.Consumer(ctx, "TASKS", "workers")
		if err != nil {
			return nil, err
		}
		if iters[i], err = cons.Messages(jetstream.PullMaxMessages(d.prefetch)); err != nil {
			return nil, err
		}
	}
	stop := spawn(ctx, n, t, func(ctx context.Context, i int) error {
		for {
			msg, err := iters[i].Next()
			if err != nil {
				return err
			}
			id := t.Claimed(msg.Data())
			if d.doubleAck {
				err = msg.DoubleAck(ctx)
			} else {
				err = msg.Ack()
			}
			if err != nil {
				return err
			}
			t.Acked(id)
		}
	})
	return func() error {
		go func() { // before the workers end, as they wait in Next
			for _, it := range iters {
				it.Stop()
			}
		}()
		err := stop()
		for _, nc := range d.workers.all {
			nc.FlushTimeout(5 * time.Second)
		}
		return err
	}, nil
}

func (d *natsDriver) Left(ctx context.Context) (int, error) {
	info, err := d.stream.Info(ctx)
	if err != nil {
		return 0, err
	}
	return int(info.State.Msgs), nil
}

func (d *natsDriver) Close() {
	for _, nc := range append(d.producers.all, d.workers.all...) {
		nc.Close()
	}
	if d.admin != nil {
		d.admin.Close()
	}
}
