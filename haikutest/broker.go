package haikutest

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/transport"
)

// Grace is how long after its last connection a worker's leases are released.
const Grace = 5 * time.Second

// beatInterval is the pause between heartbeats that workers are told to make: short, so that they learn quickly of leases
// that the test ended.
const beatInterval = 50 * time.Millisecond

// clusterID is that of every broker in memory.
var clusterID = member.ID{2}

// Broker is a broker in memory. It is made with New or Start.
type Broker struct {
	queue  *queue
	server *transport.Server
}

// New returns a broker that listens on a free port of loopback. Its clock begins with the present. It is to be closed.
func New() (*Broker, error) {
	cfg := transport.Default()
	cfg.Addr, cfg.Logger = "127.0.0.1:0", slog.New(slog.DiscardHandler)
	cfg.Limits.DrainTimeout = 0
	server, err := transport.Listen(cfg)
	if err != nil {
		return nil, fmt.Errorf("fake broker: %w", err)
	}
	b := &Broker{queue: newQueue(time.Now().UTC().Truncate(time.Microsecond)), server: server}
	id := transport.Identity{
		NodeID: member.ID{1}, ClusterID: clusterID, NodeName: "haikutest", Version: "haikutest",
		HeartbeatInterval: beatInterval, MinLease: time.Second, Advertise: b.Addr(),
	}
	server.Serve(id, b.queue, &cluster{queue: b.queue, id: id})
	return b, nil
}

// Start is New for tests: it ends the test if it cannot, and closes the broker with the test.
func Start(t testing.TB) *Broker {
	t.Helper()
	b, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// Close ends all connections and waits for them. Claims that wait get nothing.
func (b *Broker) Close() error { return b.server.Close() }

// Addr is the HOST:PORT for client.Config.Addrs.
func (b *Broker) Addr() string { return b.server.Addr().String() }

// Client returns a client of the broker, which is closed with the test. A worker needs one of its own.
func (b *Broker) Client(t testing.TB) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{Addrs: []string{b.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Now is what the broker's clock says.
func (b *Broker) Now() time.Time { return b.queue.clock() }

// Advance moves the clock and does what is due by then: schedules fire, each time that they should, delayed tasks and retries become ready and are given to claims
// that wait, attempts run out of their timeout, cancels that a handler ignored are enforced, and workers that have been
// gone for Grace lose their leases.
func (b *Broker) Advance(d time.Duration) {
	b.queue.mu.Lock()
	defer b.queue.mu.Unlock()
	b.queue.advance(d)
}

// Crash ends the lease of a running task as if its worker had died: the attempt counts as a crash, the task is ready
// again or, after its max_crashes, a dead letter. Its handler, if it lives, is told that the lease is lost. The error
// wraps task.ErrNotFound or task.ErrTransition if the task is not running.
func (b *Broker) Crash(id task.ID) error {
	b.queue.mu.Lock()
	defer b.queue.mu.Unlock()
	return b.queue.crash(id)
}

// Await waits until a task has the status and returns it, with payload and result. The context limits the wait in real
// time; its error says what the task is then.
func (b *Broker) Await(ctx context.Context, id task.ID, status task.Status) (*task.Task, error) {
	t, err := b.Until(ctx, id, func(t *task.Task) bool { return t.Status == status })
	if err != nil {
		err = fmt.Errorf("wait for status %s: %w", status, err)
	}
	return t, err
}

// Until is Await for anything else that can be seen of a task, such as its progress. is must not call the broker.
func (b *Broker) Until(ctx context.Context, id task.ID, is func(*task.Task) bool) (*task.Task, error) {
	for {
		b.queue.mu.Lock()
		t, changed := b.queue.tasks[id], b.queue.changed
		if t != nil {
			t = b.queue.show(t, true)
		}
		b.queue.mu.Unlock()
		if t != nil && is(t) {
			return t, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if t == nil {
				return nil, fmt.Errorf("%w: task %s: %w", task.ErrNotFound, id, context.Cause(ctx))
			}
			return nil, fmt.Errorf("task %s is %s: %w", id, t.Phase(), context.Cause(ctx))
		}
	}
}
