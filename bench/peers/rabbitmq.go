package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/haiku-queue/haiku/bench/proc"
)

var rabbitSystem = System{
	Name:  "rabbitmq",
	About: "RabbitMQ quorum queue, three nodes, publisher confirms, manual acks (AMQP does not confirm acks)",
	Setups: []Setup{
		{
			Name: "prefetch1", About: "each worker holds one message",
			New:   func(e Env) Driver { return &rabbitDriver{Env: e, prefetch: 1} },
			Tasks: map[string]int{workSingle: 50_000, workBatch: 60_000, workBacklog: 40_000, workLatency: 1},
		},
		{
			Name: "prefetch32", About: "each worker is sent up to 32 messages ahead",
			New:   func(e Env) Driver { return &rabbitDriver{Env: e, prefetch: 32} },
			Tasks: map[string]int{workSingle: 50_000, workBatch: 100_000, workBacklog: 60_000},
		},
	},
}

const (
	rabbitPort  = 21100 // epmd at +0, AMQP at +1 to +3, Erlang distribution at +11 to +13
	rabbitQueue = "tasks"
	rabbitHome  = "/usr/lib/rabbitmq/bin/"
)

type rabbitDriver struct {
	Env
	prefetch int

	procs     []*proc.Proc
	producers conns[*amqp.Connection]
	workers   conns[*amqp.Connection]
}

func (d *rabbitDriver) Procs() []*proc.Proc { return d.procs }

func (d *rabbitDriver) Start(ctx context.Context, dir string) error {
	// The nodes know each other by this cookie, which Erlang reads from HOME.
	if err := os.WriteFile(filepath.Join(dir, ".erlang.cookie"), []byte("peers"), 0o400); err != nil {
		return err
	}
	common := []string{
		"HOME=" + dir,
		fmt.Sprintf("ERL_EPMD_PORT=%d", rabbitPort),
		"ERL_EPMD_ADDRESS=127.0.0.1",
	}
	epmd, err := proc.Start(proc.Spec{Name: "epmd", Dir: dir, Path: "epmd", Env: common})
	if err != nil {
		return err
	}
	d.procs = append(d.procs, epmd)
	if err := proc.WaitPort(ctx, epmd, fmt.Sprintf("127.0.0.1:%d", rabbitPort)); err != nil {
		return err
	}
	plugins := filepath.Join(dir, "enabled_plugins")
	if err := os.WriteFile(plugins, []byte("[].\n"), 0o644); err != nil {
		return err
	}
	for i := range 3 {
		name := fmt.Sprintf("r%d", i+1)
		var conf strings.Builder
		fmt.Fprintf(&conf, "listeners.tcp.1 = 127.0.0.1:%d\n", rabbitPort+1+i)
		fmt.Fprintf(&conf, "cluster_formation.peer_discovery_backend = classic_config\n")
		for k := range 3 {
			fmt.Fprintf(&conf, "cluster_formation.classic_config.nodes.%d = r%d@localhost\n", k+1, k+1)
		}
		file := filepath.Join(dir, name+".conf")
		if err := os.WriteFile(file, []byte(conf.String()), 0o644); err != nil {
			return err
		}
		p, err := proc.Start(proc.Spec{
			Name: name, Dir: dir, Path: rabbitHome + "rabbitmq-server", Stop: syscall.SIGKILL,
			Env: append([]string{
				"RABBITMQ_NODENAME=" + name + "@localhost",
				"RABBITMQ_CONFIG_FILE=" + file,
				"RABBITMQ_ENABLED_PLUGINS_FILE=" + plugins,
				"RABBITMQ_MNESIA_BASE=" + filepath.Join(dir, name),
				"RABBITMQ_LOG_BASE=" + filepath.Join(dir, name+"-log"),
				"RABBITMQ_PID_FILE=" + filepath.Join(dir, name+".pid"),
				fmt.Sprintf("RABBITMQ_NODE_PORT=%d", rabbitPort+1+i),
				fmt.Sprintf("RABBITMQ_DIST_PORT=%d", rabbitPort+11+i),
				"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
				"RUNNING_UNDER_SYSTEMD=true", // makes the script become the Erlang VM
			}, common...),
		})
		if err != nil {
			return err
		}
		d.procs = append(d.procs, p)
	}
	for i, p := range d.procs[1:] {
		if err := proc.WaitPort(ctx, p, fmt.Sprintf("127.0.0.1:%d", rabbitPort+1+i)); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, rabbitHome+"rabbitmqctl", "-n", "r1@localhost", "await_online_nodes", "3")
	cmd.Env = append(os.Environ(), common...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("await_online_nodes: %w: %s", err, out)
	}

	open := func(i int) (*amqp.Connection, error) {
		return amqp.Dial(fmt.Sprintf("amqp://guest:guest@127.0.0.1:%d/", rabbitPort+1+d.node(i, 3)))
	}
	d.producers, d.workers = shared(d.Env, open), shared(d.Env, open)
	conn, err := d.producers.at(0)
	if err != nil {
		return err
	}
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	defer ch.Close()
	_, err = ch.QueueDeclare(rabbitQueue, true, false, false, false, amqp.Table{
		"x-queue-type": "quorum", "x-quorum-initial-group-size": 3,
	})
	return err
}

func (d *rabbitDriver) Producer(ctx context.Context, i int) (Producer, error) {
	conn, err := d.producers.at(i)
	if err != nil {
		return nil, err
	}
	ch, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	return rabbitProducer{ch}, ch.Confirm(false)
}

type rabbitProducer struct{ ch *amqp.Channel }

func (p rabbitProducer) Submit(ctx context.Context, payload []byte) error {
	return p.SubmitBatch(ctx, [][]byte{payload})
}

func (p rabbitProducer) SubmitBatch(ctx context.Context, payloads [][]byte) error {
	confirms := make([]*amqp.DeferredConfirmation, len(payloads))
	for i, pl := range payloads {
		var err error
		confirms[i], err = p.ch.PublishWithDeferredConfirmWithContext(ctx, "", rabbitQueue, true, false,
			amqp.Publishing{DeliveryMode: amqp.Persistent, Body: pl})
		if err != nil {
			return err
		}
	}
	for _, c := range confirms {
		ok, err := c.WaitContext(ctx)
		if err != nil {
			return err
		}
		if !ok {
			return errors.New("publish was refused")
		}
	}
	return nil
}

func (d *rabbitDriver) StartWorkers(ctx context.Context, n int, t *Tracker) (func() error, error) {
	channels := make([]*amqp.Channel, n)
	tasks := make([]<-chan amqp.Delivery, n)
	for i := range n {
		conn, err := d.workers.at(i)
		if err != nil {
			return nil, err
		}
		if channels[i], err = conn.Channel(); err != nil {
			return nil, err
		}
		if err := channels[i].Qos(d.prefetch, 0, false); err != nil {
			return nil, err
		}
		if tasks[i], err = channels[i].Consume(rabbitQueue, "", false, false, false, false, nil); err != nil {
			return nil, err
		}
	}
	stop := spawn(ctx, n, t, func(ctx context.Context, i int) error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case m, ok := <-tasks[i]:
				if !ok {
					return errors.New("channel closed")
				}
				id := t.Claimed(m.Body)
				if err := m.Ack(false); err != nil {
					return err
				}
				t.Acked(id)
			}
		}
	})
	return func() error {
		err := stop()
		for _, ch := range channels { // puts back what is not acked
			err = errors.Join(err, ch.Close())
		}
		return err
	}, nil
}

func (d *rabbitDriver) Left(ctx context.Context) (int, error) {
	conn, err := d.producers.at(0)
	if err != nil {
		return 0, err
	}
	ch, err := conn.Channel()
	if err != nil {
		return 0, err
	}
	defer ch.Close()
	q, err := ch.QueueDeclarePassive(rabbitQueue, true, false, false, false, nil)
	return q.Messages, err
}

func (d *rabbitDriver) Close() {
	for _, c := range append(d.producers.all, d.workers.all...) {
		c.Close()
	}
}
