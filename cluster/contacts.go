package cluster

import (
	"context"
	"sync"

	"github.com/hashicorp/raft"
)

// contacts knows of each follower when a request was begun that it last accepted, and in which term. Moments are counted,
// not timed.
type contacts struct {
	mu      sync.Mutex
	moment  uint64
	last    map[raft.ServerID]contact
	lag     map[raft.ServerID]lag
	changed chan struct{} // closed and made anew with each contact
}

// contact says that a follower knew of no later term at some time after a moment.
type contact struct{ term, begun uint64 }

// lag is how many entries of the leader's log a follower lacked when it last answered it in a term.
type lag struct{ term, entries uint64 }

func newContacts() *contacts {
	return &contacts{last: make(map[raft.ServerID]contact), lag: make(map[raft.ServerID]lag), changed: make(chan struct{})}
}

// begin returns a moment later than all that were returned before.
func (c *contacts) begin() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moment++
	return c.moment
}

// accepted notes that a follower accepted what the leader of a term began to send at a moment.
func (c *contacts) accepted(id raft.ServerID, term, begun uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last := c.last[id]; last.term > term || last.term == term && last.begun >= begun {
		return
	}
	c.last[id] = contact{term, begun}
	close(c.changed)
	c.changed = make(chan struct{})
}

// await waits until a majority of the voters, self among them, has accepted something of the term that was begun after a
// moment. members tells the configuration, which may change meanwhile.
func (c *contacts) await(ctx context.Context, self raft.ServerID, term, moment uint64, members func() raft.Configuration) error {
	for {
		c.mu.Lock()
		changed := c.changed
		confirmed, voters := 0, 0
		for _, s := range members().Servers {
			if s.Suffrage != raft.Voter {
				continue
			}
			voters++
			if last := c.last[s.ID]; s.ID == self || last.term == term && last.begun > moment {
				confirmed++
			}
		}
		c.mu.Unlock()
		if confirmed > voters/2 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// answered notes the ends of the leader's log and of a follower's, when that answered.
func (c *contacts) answered(id raft.ServerID, term, own, its uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lag[id] = lag{term, own - min(own, its)}
}

// lags returns how many entries the followers lacked that have answered the leader of a term.
func (c *contacts) lags(term uint64) map[raft.ServerID]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[raft.ServerID]uint64, len(c.lag))
	for id, l := range c.lag {
		if l.term == term {
			out[id] = l.entries
		}
	}
	return out
}
