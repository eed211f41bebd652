package haikutest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haiku-queue/haiku/client"
	node "github.com/haiku-queue/haiku/cluster"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/transport"
	"github.com/haiku-queue/haiku/wire"
)

// patience is how long a test waits for what has to come about.
const patience = 30 * time.Second

// grace is how long a real node waits for a worker to come back.
const grace = 300 * time.Millisecond

// TestConformance plays every scenario against a broker in memory and against a real node, and compares all that a
// client sees.
func TestConformance(t *testing.T) {
	address := startNode(t)
	for name, play := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := Start(t)
			inMemory := &player{t: t, address: fake.Addr(), queue: name, pass: fake.Advance, names: map[task.ID]string{}}
			real := &player{t: t, address: address, queue: name, pass: func(time.Duration) {}, names: map[task.ID]string{}}
			for _, p := range []*player{inMemory, real} {
				p.c = p.connect()
				play(p)
			}
			if len(real.seen) == 0 {
				t.Fatal("the scenario shows nothing")
			}
			if diff := cmp.Diff(real.seen, inMemory.seen); diff != "" {
				t.Errorf("seen at a real node (-) and in memory (+):\n%s", diff)
			}
		})
	}
}

// startNode runs a real node of one: port, Raft and RocksDB.
func startNode(t *testing.T) (address string) {
	t.Helper()
	dir, err := node.OpenDir(filepath.Join(t.TempDir(), "node"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.Close() })
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	port := transport.Default()
	port.Addr, port.Logger, port.Limits.DrainTimeout = "127.0.0.1:0", quiet, 0
	server, err := transport.Listen(port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	address = server.Addr().String()
	cfg := node.Default()
	cfg.Dir, cfg.Raft, cfg.Advertise, cfg.Name, cfg.Version, cfg.Bootstrap = dir, server.Raft(), address, "n", "test", true
	cfg.Logger, cfg.SessionGrace = quiet, grace
	cfg.HeartbeatTimeout, cfg.ElectionTimeout, cfg.LeaderLeaseTimeout = time.Second, time.Second, 500*time.Millisecond
	n, err := node.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Drain()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	server.Serve(transport.Identity{NodeID: n.ID(), ClusterID: n.ClusterID(), HeartbeatInterval: n.MinLease() / 3,
		MinLease: n.MinLease(), Advertise: address}, n, &admin{Node: n})
	return address
}

// admin is a node's, as far as the scenarios need it.
type admin struct {
	transport.Admin
	Node *node.Node
}

func (a *admin) Workers(ctx context.Context, after task.SessionID, limit int) ([]member.Worker, bool, error) {
	return a.Node.Workers(ctx, after, limit)
}

func (a *admin) DrainWorker(ctx context.Context, name string) ([]member.Worker, error) {
	return a.Node.DrainWorker(ctx, name)
}

func (a *admin) SetQueue(ctx context.Context, c task.QueueChange) error {
	return a.Node.SetQueue(ctx, c)
}

func (a *admin) Queues(ctx context.Context, q task.QueuesQuery) ([]task.QueueState, error) {
	return a.Node.Queues(ctx, q)
}

func (a *admin) Retentions(ctx context.Context, stale bool) ([]task.Retention, error) {
	return a.Node.Retentions(ctx, stale)
}

func (a *admin) SetRetention(ctx context.Context, r task.Retention, match string) error {
	return a.Node.SetRetention(ctx, r, match)
}

func (a *admin) ChangeSchedule(ctx context.Context, c task.ScheduleChange) (*task.Schedule, task.Receipt, error) {
	return a.Node.ChangeSchedule(ctx, c)
}

func (a *admin) Schedules(ctx context.Context, q task.ScheduleQuery) (task.SchedulePage, error) {
	return a.Node.Schedules(ctx, q)
}

func (a *admin) StartOperation(ctx context.Context, o task.OperationOrder) (task.Operation, error) {
	return a.Node.StartOperation(ctx, o)
}

func (a *admin) TryOperation(ctx context.Context, o task.OperationOrder, cursor []byte) (task.Operation, []byte, error) {
	return a.Node.TryOperation(ctx, o, cursor)
}

func (a *admin) Operations(ctx context.Context, stale bool) ([]task.Operation, error) {
	return a.Node.Operations(ctx, stale)
}

func (a *admin) CancelOperation(ctx context.Context, id task.ID) error {
	return a.Node.CancelOperation(ctx, id)
}

// player is one client of one broker, and what it has seen.
type player struct {
	t       *testing.T
	address string
	queue   string
	pass    func(time.Duration) // moves the clock of a broker in memory; a real one's goes by itself
	c       *client.Client
	names   map[task.ID]string
	seen    []string
}

func (p *player) connect() *client.Client {
	p.t.Helper()
	c, err := client.New(client.Config{Addrs: []string{p.address}})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(c.Close)
	return c
}

func (p *player) within() context.Context {
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	p.t.Cleanup(cancel)
	return ctx
}

// see notes something, with names instead of ids.
func (p *player) see(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for id, name := range p.names {
		text = strings.ReplaceAll(text, id.String(), name)
	}
	p.seen = append(p.seen, regexp.MustCompile(`lease \d+`).ReplaceAllString(text, "lease N"))
}

// must ends the test for an error that no scenario is about.
func (p *player) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("at %s: %v", p.address, err)
	}
}

// refusal notes an error by its code, so that errors.Is gives the same answer, and its text.
func refusal(err error) string {
	if err == nil {
		return "ok"
	}
	return fmt.Sprintf("%d %v", wire.CodeOf(err), err)
}

// spec makes a task of the scenario's queue with a name.
func (p *player) spec(name string, opts ...client.Option) task.Spec {
	s := client.NewSpec("t", []byte(name), append([]client.Option{client.Queue(p.queue), client.MaxRetries(1),
		client.Backoff(task.Backoff{Initial: 3 * time.Second})}, opts...)...)
	if s.ID == (task.ID{}) {
		s.ID = task.NewID()
	}
	if p.names[s.ID] == "" {
		p.names[s.ID] = name
	}
	return s
}

// submit submits a task and notes the receipt.
func (p *player) submit(name string, opts ...client.Option) task.ID {
	p.t.Helper()
	receipt, err := p.c.SubmitSpec(p.within(), p.spec(name, opts...))
	p.see("submit %s: duplicate %v, %s", name, receipt.Duplicate, refusal(err))
	return receipt.ID
}

// claim claims for a client and notes what comes.
func (p *player) claimFor(c *client.Client, limit int, types ...string) []*task.Task {
	p.t.Helper()
	tasks, err := c.Claim(p.within(), task.ClaimRequest{WorkerID: "w", Queues: []string{p.queue}, Types: types, Max: limit})
	p.must(err)
	p.see("claim gets %d", len(tasks))
	for _, t := range tasks {
		p.see("  %s attempt %d, payload %q, cursor %q, lease %s", t.ID, t.Attempt, t.Payload, t.Progress.Cursor, t.LeaseDuration)
	}
	return tasks
}

// claim claims one task, which has to be there.
func (p *player) claim() *task.Task {
	p.t.Helper()
	tasks := p.claimFor(p.c, 1)
	if len(tasks) != 1 {
		p.t.Fatalf("at %s: nothing to claim; seen so far:\n%s", p.address, strings.Join(p.seen, "\n"))
	}
	return tasks[0]
}

// report finishes a lease and notes the receipt.
func (p *player) report(t *task.Task, kind task.OutcomeKind, change func(*task.Outcome)) {
	p.t.Helper()
	o := task.Outcome{ID: t.ID, LeaseID: t.LeaseID, Kind: kind}
	if kind != task.Success {
		o.Error = "it went wrong"
	}
	if change != nil {
		change(&o)
	}
	receipts, _, err := p.c.Finish(p.within(), []task.Outcome{o}, nil)
	p.must(err)
	p.see("%s of %s: duplicate %v, %s", kind, t.ID, receipts[0].Duplicate, refusal(receipts[0].Err))
}

// show notes all that a client can know of a task.
func (p *player) show(id task.ID) {
	p.t.Helper()
	t, err := p.c.Get(p.within(), id, client.WithPayload())
	if err != nil {
		p.see("%s: %s", id, refusal(err))
		return
	}
	p.see("%s is %s, %s, reason %q, error %q, result %q", id, t.Status, t.Phase(), t.Reason, t.Error, t.Result)
	p.see("  attempt %d, retries %d of %d, crashes %d of %d, waits for %d, cancel %v, worker %q, priority %d", t.Attempt,
		t.RetryCount, t.MaxRetries, t.CrashCount, t.MaxCrashes, t.WaitingFor, t.CancelRequested, t.WorkerID, t.Priority)
	p.see("  progress %d %q %q, due %s after its last change", t.Progress.Percent, t.Progress.Message, t.Progress.Cursor,
		max(0, t.ScheduledAt.Sub(t.UpdatedAt)).Round(time.Second))
	for _, a := range t.History {
		p.see("  attempt %d by %q: %s %q", a.Number, a.WorkerID, a.Outcome, a.Error)
	}
}

// until waits until a task has a status and phase; for the broker in memory it is there already.
func (p *player) until(id task.ID, want task.Phase) {
	p.t.Helper()
	p.untilPassing(id, want, 0)
}

// untilPassing is until, with so much time that passes before each look.
func (p *player) untilPassing(id task.ID, want task.Phase, step time.Duration) {
	p.t.Helper()
	ctx := p.within()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if step > 0 {
			p.pass(step)
		}
		t, err := p.c.Get(ctx, id)
		if err == nil && t.Phase() == want {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.t.Fatalf("at %s: %s is never %s: %v", p.address, p.names[id], want, errors.Join(err, ctx.Err()))
		}
	}
}

// heartbeat lists leases and notes the answer.
func (p *player) heartbeat(c *client.Client, refs ...task.LeaseRef) {
	p.t.Helper()
	reply, err := c.Heartbeat(p.within(), refs)
	p.must(err)
	p.see("heartbeat: lost %v, cancelled %v, drain %v", reply.Lost, reply.Cancelled, reply.Drain)
}

func ref(t *task.Task) task.LeaseRef { return task.LeaseRef{ID: t.ID, LeaseID: t.LeaseID} }
