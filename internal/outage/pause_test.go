package outage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

// shortLease is the shortest that the quick timeouts allow.
const shortLease = 1500 * time.Millisecond

// TestPausedLeader stops the leader with SIGSTOP for longer than an election, while another takes over. What reaches the
// stopped one meanwhile it answers when it goes on: with what is true by then, or not at all.
func TestPausedLeader(t *testing.T) {
	t.Parallel()
	n := startNodes(t, 3, quick)
	for round := range 3 {
		p := newPause(n, fmt.Sprintf("leased-%d", round))
		first := p.lease(p.direct[0])
		p.beat(p.direct[0], first)
		stopLoad := p.load()
		p.leader.signal(t, syscall.SIGSTOP)
		p.moreAcknowledged()
		second := p.lease(p.through)
		if second.LeaseID <= first.LeaseID {
			t.Errorf("lease %d was granted after lease %d", second.LeaseID, first.LeaseID)
		}
		stopBeating := p.keep(second)
		stopLoad()
		wait := p.ask(first)
		p.leader.signal(t, syscall.SIGCONT)
		wait()
		n.complete()
		n.leader()
		stopBeating()
		p.settle(second)
		p.readEverywhere()
	}
	n.sameState()
}

// pause is one stop of one leader.
type pause struct {
	n       *nodes
	typ     string // of the task that is leased
	leader  *node
	through *client.Client   // at the others
	direct  []*client.Client // at the leader, and connected

	acked    atomic.Int64 // tasks that are acknowledged
	mu       sync.Mutex
	accepted []task.ID // by the leader that was stopped
}

func newPause(n *nodes, typ string) *pause {
	n.t.Helper()
	leader, others := n.leader()
	p := &pause{n: n, typ: typ, leader: leader}
	p.through = dial(n.t, client.Config{Addrs: []string{others[0].address, others[1].address}, Stay: true})
	for range 8 {
		c := dial(n.t, client.Config{Addrs: []string{leader.address}, Stay: true, RetryFor: -1, ProbeAfter: patience})
		if _, err := p.total(c); err != nil {
			n.t.Fatal(err)
		}
		p.direct = append(p.direct, c)
	}
	if _, err := p.through.Submit(n.t.Context(), typ, nil); err != nil {
		n.t.Fatal(err)
	}
	total, err := p.total(p.through)
	if err != nil {
		n.t.Fatal(err)
	}
	p.acked.Store(total)
	return p
}

// total counts all tasks by a linearizable read.
func (p *pause) total(c *client.Client) (int64, error) {
	ctx, cancel := context.WithTimeout(p.n.t.Context(), patience)
	defer cancel()
	s, err := c.Stats(ctx)
	return int64(s.Total.Pending + s.Total.InProgress + s.Total.Completed), err
}

// lease claims the task of this pause. A claim whose outcome is unknown is followed by heartbeats, as the protocol asks.
func (p *pause) lease(c *client.Client) (got *task.Task) {
	p.n.t.Helper()
	eventually(p.n.t, "the task is leased", func() bool {
		tasks, err := c.Claim(p.n.t.Context(), task.ClaimRequest{
			WorkerID: "w", Types: []string{p.typ}, Max: 1, Lease: shortLease, Wait: 5 * time.Second,
		})
		if err != nil {
			p.n.t.Logf("claim: %v", err)
			_, _ = c.Heartbeat(p.n.t.Context(), nil) // without a leader there will be another
		}
		if len(tasks) == 1 {
			got = tasks[0]
		}
		return got != nil
	})
	return got
}

// beat renews a lease that has to be held.
func (p *pause) beat(c *client.Client, held *task.Task) {
	p.n.t.Helper()
	reply, err := c.Heartbeat(p.n.t.Context(), []task.LeaseRef{{ID: held.ID, LeaseID: held.LeaseID}})
	if err != nil || len(reply.Lost) > 0 {
		p.n.t.Errorf("heartbeat for lease %d: %+v, %v", held.LeaseID, reply, err)
	}
}

// keep renews a lease until stop is called.
func (p *pause) keep(held *task.Task) (stop func()) {
	var done sync.WaitGroup
	over := make(chan struct{})
	done.Go(func() {
		tick := time.NewTicker(shortLease / 5)
		defer tick.Stop()
		for {
			p.beat(p.through, held)
			select {
			case <-tick.C:
			case <-over:
				return
			}
		}
	})
	return func() { close(over); done.Wait() }
}

// load submits through the others, so that answers to the leader are on their way when it is stopped.
func (p *pause) load() (stop func()) {
	ctx, cancel := context.WithCancel(p.n.t.Context())
	var loaders sync.WaitGroup
	for range 8 {
		loaders.Go(func() {
			for ctx.Err() == nil {
				if _, err := p.through.Submit(ctx, "load", nil); err == nil {
					p.acked.Add(1)
				}
			}
		})
	}
	p.moreAcknowledged()
	return func() { cancel(); loaders.Wait() }
}

// moreAcknowledged waits for some more submits.
func (p *pause) moreAcknowledged() {
	p.n.t.Helper()
	target := p.acked.Load() + 50
	eventually(p.n.t, "submits are acknowledged", func() bool { return p.acked.Load() >= target })
}

// ask sends requests to the stopped leader, among them what the holder of the lost lease has to say. The returned
// function waits for the answers.
func (p *pause) ask(lost *task.Task) (wait func()) {
	var requests sync.WaitGroup
	var answered, refused atomic.Int64
	count := func(err error) bool {
		if err != nil {
			refused.Add(1)
			return false
		}
		answered.Add(1)
		return true
	}
	for _, c := range p.direct {
		for range 8 {
			requests.Go(func() {
				least := p.acked.Load()
				if total, err := p.total(c); count(err) && total < least {
					p.n.t.Errorf("the leader that was stopped counts %d tasks, %d were acknowledged", total, least)
				}
			})
			requests.Go(func() {
				if r, err := c.Submit(p.n.t.Context(), "direct", nil); count(err) {
					p.mu.Lock()
					defer p.mu.Unlock()
					p.accepted = append(p.accepted, r.ID)
				}
			})
		}
	}
	ref, holder := task.LeaseRef{ID: lost.ID, LeaseID: lost.LeaseID}, p.direct[0]
	requests.Go(func() {
		reply, err := holder.Heartbeat(p.n.t.Context(), []task.LeaseRef{ref})
		if count(err) && !slices.Contains(reply.Lost, lost.ID) {
			p.n.t.Errorf("the leader that was stopped confirmed lease %d", lost.LeaseID)
		}
	})
	requests.Go(func() {
		outcome := task.Outcome{ID: lost.ID, LeaseID: lost.LeaseID, Kind: task.Success}
		receipts, _, err := holder.Finish(p.n.t.Context(), []task.Outcome{outcome}, nil)
		if count(err) && !errors.Is(receipts[0].Err, task.ErrStaleLease) {
			p.n.t.Errorf("a result under lease %d: %v", lost.LeaseID, receipts[0].Err)
		}
	})
	if _, err := p.total(p.through); err != nil { // gives them the time of a round trip to be sent
		p.n.t.Error(err)
	}
	return func() {
		requests.Wait()
		p.n.t.Logf("%s was stopped: %d requests answered, %d not", p.leader.name, answered.Load(), refused.Load())
	}
}

// settle reports the result under the lease that the new leader granted, and reads it back.
func (p *pause) settle(held *task.Task) {
	t := p.n.t
	t.Helper()
	outcome := task.Outcome{ID: held.ID, LeaseID: held.LeaseID, Kind: task.Success, Result: []byte("second")}
	receipts, _, err := p.through.Finish(t.Context(), []task.Outcome{outcome}, nil)
	if err != nil || receipts[0].Err != nil || receipts[0].Duplicate {
		t.Fatalf("a result under lease %d: %+v, %v", held.LeaseID, receipts, err)
	}
	got, err := p.through.Get(t.Context(), held.ID, client.WithPayload())
	if err != nil || got.Status != task.Completed || got.LeaseID != held.LeaseID || string(got.Result) != "second" {
		t.Errorf("the leased task is %+v, %v", got, err)
	}
}

// readEverywhere reads through each node what is acknowledged.
func (p *pause) readEverywhere() {
	t := p.n.t
	t.Helper()
	for _, one := range p.n.list {
		c := dial(t, client.Config{Addrs: []string{one.address}, Stay: true})
		least := p.acked.Load() + int64(len(p.accepted))
		if total, err := p.total(c); err != nil || total < least {
			t.Errorf("%s counts %d tasks, %d were acknowledged: %v", one.name, total, least, err)
		}
		if len(p.accepted) == 0 {
			continue
		}
		tasks, _, err := c.Query(t.Context(), task.Query{IDs: p.accepted})
		if err != nil || len(tasks) != len(p.accepted) {
			t.Errorf("%s has %d of %d tasks: %v", one.name, len(tasks), len(p.accepted), err)
		}
	}
}
