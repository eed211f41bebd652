package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/haiku-queue/haiku/bench/proc"
)

var beanstalkSystem = System{
	Name:  "beanstalkd",
	About: "beanstalkd with a write-ahead log (one node, not replicated)",
	Setups: []Setup{
		{
			Name: "f0", About: "-f0: fsync at each write",
			New:   func(e Env) Driver { return &beanstalkDriver{Env: e, fsync: "-f0"} },
			Tasks: map[string]int{workSingle: 20_000, workBatch: 20_000, workBacklog: 20_000, workLatency: 1},
		},
		{
			Name: "f50", About: "-f50, the default: fsync at most every 50 ms",
			New:   func(e Env) Driver { return &beanstalkDriver{Env: e, fsync: "-f50"} },
			Tasks: map[string]int{workSingle: 250_000, workBatch: 300_000, workBacklog: 250_000, workLatency: 1},
		},
	},
}

const beanstalkAddr = "127.0.0.1:21400"

type beanstalkDriver struct {
	Env
	fsync string

	procs []*proc.Proc
	open  []*beanstalkConn
}

func (d *beanstalkDriver) Procs() []*proc.Proc { return d.procs }

func (d *beanstalkDriver) Start(ctx context.Context, dir string) error {
	wal := filepath.Join(dir, "wal")
	if err := os.Mkdir(wal, 0o755); err != nil {
		return err
	}
	host, port, _ := net.SplitHostPort(beanstalkAddr)
	p, err := proc.Start(proc.Spec{Name: "beanstalkd", Dir: dir, Path: "beanstalkd",
		Args: []string{"-l", host, "-p", port, "-b", wal, d.fsync}})
	if err != nil {
		return err
	}
	d.procs = append(d.procs, p)
	return proc.WaitPort(ctx, p, beanstalkAddr)
}

// A beanstalkConn speaks the text protocol, which is small enough to need no
// client library, and lets commands be pipelined.
type beanstalkConn struct {
	net.Conn
	r *bufio.Reader
	w *bufio.Writer
}

func (d *beanstalkDriver) dial() (*beanstalkConn, error) {
	c, err := net.Dial("tcp", beanstalkAddr)
	if err != nil {
		return nil, err
	}
	bc := &beanstalkConn{c, bufio.NewReader(c), bufio.NewWriter(c)}
	d.open = append(d.open, bc)
	return bc, nil
}

// reply reads one reply line, which must start with want, and returns the rest.
func (c *beanstalkConn) reply(want string) ([]string, error) {
	line, err := c.r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	f := strings.Fields(line)
	if len(f) == 0 || f[0] != want {
		return nil, fmt.Errorf("beanstalkd said %q instead of %s", strings.TrimSpace(line), want)
	}
	return f[1:], nil
}

// send writes the commands that were printed to c.w and sets a time limit for
// the replies.
func (c *beanstalkConn) send() error {
	c.SetDeadline(time.Now().Add(2 * time.Minute))
	return c.w.Flush()
}

func (c *beanstalkConn) Submit(ctx context.Context, payload []byte) error {
	return c.SubmitBatch(ctx, [][]byte{payload})
}

func (c *beanstalkConn) SubmitBatch(ctx context.Context, payloads [][]byte) error {
	for _, pl := range payloads {
		fmt.Fprintf(c.w, "put 0 0 60 %d\r\n%s\r\n", len(pl), pl)
	}
	if err := c.send(); err != nil {
		return err
	}
	for range payloads {
		if _, err := c.reply("INSERTED"); err != nil {
			return err
		}
	}
	return nil
}

// reserve waits for a task and returns its number and payload.
func (c *beanstalkConn) reserve() (job string, payload []byte, err error) {
	fmt.Fprintf(c.w, "reserve\r\n")
	if err := c.send(); err != nil {
		return "", nil, err
	}
	f, err := c.reply("RESERVED")
	if err != nil {
		return "", nil, err
	}
	if len(f) != 2 {
		return "", nil, fmt.Errorf("beanstalkd reserved %q", f)
	}
	n, err := strconv.Atoi(f[1])
	if err != nil {
		return "", nil, err
	}
	payload = make([]byte, n+2)
	_, err = io.ReadFull(c.r, payload)
	return f[0], payload[:n], err
}

func (c *beanstalkConn) delete(job string) error {
	fmt.Fprintf(c.w, "delete %s\r\n", job)
	if err := c.send(); err != nil {
		return err
	}
	_, err := c.reply("DELETED")
	return err
}

func (d *beanstalkDriver) Producer(ctx context.Context, i int) (Producer, error) { return d.dial() }

func (d *beanstalkDriver) StartWorkers(ctx context.Context, n int, t *Tracker) (func() error, error) {
	own := make([]*beanstalkConn, n)
	for i := range own {
		var err error
		if own[i], err = d.dial(); err != nil {
			return nil, err
		}
	}
	stop := spawn(ctx, n, t, func(ctx context.Context, i int) error {
		for {
			job, payload, err := own[i].reserve()
			if err != nil {
				return err
			}
			id := t.Claimed(payload)
			if err := own[i].delete(job); err != nil {
				return err
			}
			t.Acked(id)
			if ctx.Err() != nil {
				return nil
			}
		}
	})
	return func() error {
		go func() { // before the workers end, as they wait in reserve
			// stop has to have begun: a worker that sees its connection closed before takes it for a failure. Nothing that
			// is measured waits for this.
			time.Sleep(100 * time.Millisecond)
			for _, c := range own {
				c.Close()
			}
		}()
		return stop()
	}, nil
}

func (d *beanstalkDriver) Left(ctx context.Context) (int, error) {
	c, err := d.dial()
	if err != nil {
		return 0, err
	}
	defer c.Close()
	fmt.Fprintf(c.w, "stats-tube default\r\n")
	if err := c.send(); err != nil {
		return 0, err
	}
	f, err := c.reply("OK")
	if err != nil {
		return 0, err
	}
	if len(f) != 1 {
		return 0, fmt.Errorf("beanstalkd's statistics begin with %q", f)
	}
	n, err := strconv.Atoi(f[0])
	if err != nil {
		return 0, err
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(c.r, body); err != nil {
		return 0, err
	}
	left := 0
	for line := range strings.Lines(string(body)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if key == "current-jobs-ready" || key == "current-jobs-reserved" {
			k, err := strconv.Atoi(value)
			if err != nil {
				return 0, err
			}
			left += k
		}
	}
	return left, nil
}

func (d *beanstalkDriver) Close() {
	for _, c := range d.open {
		c.Close()
	}
}
