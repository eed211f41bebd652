package raftecho

import (
	"sync"

	"github.com/hashicorp/raft"
)

// The rule of Haiku's proposer.
const (
	maxEntryBytes      = 256 << 10
	maxInFlightEntries = 2
)

// command is one request that waits for its place in an entry.
type command struct {
	bytes []byte
	done  func(error)
}

// proposer puts the commands that are waiting into one entry of Raft's log. It lives as long as the process.
type proposer struct {
	raft *raft.Raft

	mu       sync.Mutex
	changed  *sync.Cond
	queue    []command
	inFlight int

	sent chan sent
}

type sent struct {
	future raft.ApplyFuture
	batch  []command
}

func newProposer(r *raft.Raft) *proposer {
	p := &proposer{raft: r, sent: make(chan sent, maxInFlightEntries)}
	p.changed = sync.NewCond(&p.mu)
	go p.send()
	go p.complete()
	return p
}

func (p *proposer) add(c command) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, c)
	p.changed.Signal()
}

func (p *proposer) send() {
	for {
		batch, size := p.cut()
		entry := make([]byte, 0, size)
		for i := range batch {
			entry = append(entry, batch[i].bytes...)
		}
		p.sent <- sent{p.raft.Apply(entry, 0), batch}
	}
}

func (p *proposer) cut() (batch []command, size int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.queue) == 0 || p.inFlight >= maxInFlightEntries {
		p.changed.Wait()
	}
	n := 0
	for n < len(p.queue) && (n == 0 || size+len(p.queue[n].bytes) <= maxEntryBytes) {
		size += len(p.queue[n].bytes)
		n++
	}
	batch = append(batch, p.queue[:n]...)
	rest := copy(p.queue, p.queue[n:])
	clear(p.queue[rest:])
	p.queue = p.queue[:rest]
	p.inFlight++
	return batch, size
}

func (p *proposer) complete() {
	for s := range p.sent {
		err := s.future.Error()
		p.mu.Lock()
		p.inFlight--
		p.changed.Signal()
		p.mu.Unlock()
		for i := range s.batch {
			s.batch[i].done(err)
		}
	}
}
