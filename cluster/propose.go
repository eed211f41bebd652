package cluster

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/task"
)

const (
	maxEntryBytes      = 256 << 10 // of one entry, unless a single command is larger
	maxInFlightEntries = 2         // while they are on their way the next entry gathers by itself
	secondEntryBytes   = 64 << 10  // the second goes out beside the first only if it is worth a round of its own
	maxQueuedBytes     = 128 << 20
	maxQueuedCommands  = 64 << 10
)

// proposal is one command on its way through Raft. done is called exactly once, from the proposer's goroutines or
// from abandon, and must not block.
type proposal struct {
	command fsm.Command
	encoded fsm.Encoded
	done    func(fsm.Result, error)
	passage *passage // of a command that is traced, nil for others
}

// proposer is the only caller of raft.Apply. It puts the commands that are waiting into one entry, stamps it with term
// and leader time, and hands each command its Result. It belongs to one leadership: when that ends, so does it.
type proposer struct {
	raft   *raft.Raft
	term   uint64
	clock  *clock
	attach func(batch []proposal) []proposal // more commands for the entry being cut, such as waiting claims

	mu       sync.Mutex
	changed  *sync.Cond
	queue    []proposal
	bytes    int
	inFlight int
	gather   gathering
	closed   bool
	open     []*sent // not answered yet
	left     bool    // abandoned: whatever is not answered never is but by abandon

	sent chan *sent
	done sync.WaitGroup
}

// sent is one entry on its way.
type sent struct {
	future raft.ApplyFuture
	batch  []proposal
	at     time.Time
}

// gathering holds back the next entry for a small part of a round after many commands were answered: those who got the
// answers mostly send their next commands at once, and one entry for all costs half of what two in turn do. The zero
// value holds nothing back.
type gathering struct {
	until time.Time
	count int // commands in the queue with which it ends early
}

const (
	gatherFrom = 8 // commands answered together, below which nothing is held back
	gatherPart = 2 // of a round's duration
	gatherMost = 2 * time.Millisecond
)

func newProposer(r *raft.Raft, term uint64, c *clock, attach func([]proposal) []proposal) *proposer {
	p := &proposer{raft: r, term: term, clock: c, attach: attach, sent: make(chan *sent, maxInFlightEntries)}
	p.changed = sync.NewCond(&p.mu)
	p.done.Add(2)
	go p.send()
	go p.complete()
	return p
}

// add queues commands so that they stand in one entry in this order, as far as its size allows.
func (p *proposer) add(batch ...proposal) {
	size := 0
	for i := range batch {
		size += len(batch[i].encoded)
	}
	p.mu.Lock()
	var refused error
	switch {
	case p.closed:
		refused = task.ErrNotLeader
	case p.bytes+size > maxQueuedBytes || len(p.queue)+len(batch) > maxQueuedCommands:
		refused = fmt.Errorf("%w: the leader has %d commands waiting", task.ErrBusy, len(p.queue))
	default:
		p.queue = append(p.queue, batch...)
		p.bytes += size
		p.changed.Broadcast()
	}
	p.mu.Unlock()
	if refused != nil {
		finishAll(batch, refused)
	}
}

// close refuses what is queued and waits until what was sent is answered. Raft must have ended the leadership or be
// shut down, or the wait lasts until the entries are committed.
func (p *proposer) close() {
	p.mu.Lock()
	p.closed = true
	refused := p.queue
	p.queue, p.bytes = nil, 0
	p.changed.Broadcast()
	p.mu.Unlock()
	finishAll(refused, task.ErrNotLeader)
	p.done.Wait()
}

func (p *proposer) send() {
	defer p.done.Done()
	defer close(p.sent)
	for {
		batch := p.cut()
		if batch == nil {
			return
		}
		if p.attach != nil {
			batch = append(batch, p.attach(batch)...)
		}
		size := 0
		for i := range batch {
			size += len(batch[i].encoded)
		}
		entry := fsm.AppendHeader(make([]byte, 0, size+32), p.term, p.clock.Now())
		for i := range batch {
			entry = append(entry, batch[i].encoded...)
		}
		leave(batch)
		s := &sent{p.raft.Apply(entry, 0), batch, time.Now()}
		p.note(s)
		p.sent <- s
	}
}

// note keeps an entry in mind until it is answered.
func (p *proposer) note(s *sent) {
	p.mu.Lock()
	left := p.left
	if !left {
		p.open = append(p.open, s)
	}
	p.mu.Unlock()
	if left {
		finishAll(s.batch, errAbandoned)
	}
}

// abandon refuses what is queued, and answers what was sent with an unknown outcome: Raft, which would know it, cannot be
// waited for. close is still to be called.
func (p *proposer) abandon() {
	p.mu.Lock()
	queued, open := p.queue, p.open
	p.queue, p.bytes, p.open = nil, 0, nil
	p.closed, p.left = true, true
	p.changed.Broadcast()
	p.mu.Unlock()
	finishAll(queued, task.ErrNotLeader)
	for _, s := range open {
		finishAll(s.batch, errAbandoned)
	}
}

// cut waits until there are commands and room for an entry, and takes as many as fit; nil when closed.
func (p *proposer) cut() []proposal {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.closed && !p.due() {
		p.changed.Wait()
	}
	if p.closed {
		return nil
	}
	n, size := 0, 0
	for n < len(p.queue) && (n == 0 || size+len(p.queue[n].encoded) <= maxEntryBytes) {
		size += len(p.queue[n].encoded)
		n++
	}
	batch := append([]proposal(nil), p.queue[:n]...)
	rest := copy(p.queue, p.queue[n:])
	clear(p.queue[rest:])
	p.queue = p.queue[:rest]
	p.bytes -= size
	p.inFlight++
	return batch
}

// due reports, with mu held, whether the next entry is to be cut.
func (p *proposer) due() bool {
	switch p.inFlight {
	case 0:
		return len(p.queue) > 0 && (len(p.queue) >= p.gather.count || !time.Now().Before(p.gather.until))
	case maxInFlightEntries:
		return false
	}
	return p.bytes >= secondEntryBytes
}

func (p *proposer) complete() {
	defer p.done.Done()
	for s := range p.sent {
		err := s.future.Error()
		results, ok := s.future.Response().([]fsm.Result)
		if err == nil && !ok {
			err = fmt.Errorf("%w: the entry was not applied here: %v", errUnapplied, s.future.Response())
		}
		if !p.landed(s) {
			continue
		}
		if err != nil {
			finishAll(s.batch, outcomeOf(err))
			continue
		}
		for i := range s.batch {
			s.batch[i].done(results[i], nil)
		}
	}
}

// landed makes room for the next entry, and reports whether those of this one still wait.
func (p *proposer) landed(s *sent) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight--
	i := slices.Index(p.open, s)
	if i < 0 {
		return false
	}
	p.open = slices.Delete(p.open, i, i+1)
	p.gather = gathering{}
	if len(s.batch) >= gatherFrom {
		now := time.Now()
		hold := min(now.Sub(s.at)/gatherPart, gatherMost)
		p.gather = gathering{until: now.Add(hold), count: len(p.queue) + len(s.batch)}
		time.AfterFunc(hold, p.changed.Broadcast)
	}
	p.changed.Broadcast()
	return true
}

var (
	errUnapplied = errors.New("entry not applied")
	errAbandoned = fmt.Errorf("%w: the leader's disk hangs", task.ErrUnknownOutcome)
)

func finishAll(batch []proposal, err error) {
	for i := range batch {
		batch[i].done(fsm.Result{}, err)
	}
}

// outcomeOf tells an error of raft.Apply after which the entry surely was not logged from one after which it may yet
// be committed.
func outcomeOf(err error) error {
	switch {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrEnqueueTimeout), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return fmt.Errorf("%w: %w", task.ErrNotLeader, err)
	}
	return fmt.Errorf("%w: %w", task.ErrUnknownOutcome, err)
}
