package web

import (
	"context"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/member"
)

const (
	peerAge     = 2 * time.Second // for which what a node said is used again
	peerTimeout = time.Second
)

// peers remembers for a moment what the other nodes said of themselves, so that many who ask cost one question.
type peers struct {
	mu    sync.Mutex
	known map[string]*peer
}

// peer is one node, by its address.
type peer struct {
	mu     sync.Mutex
	at     time.Time
	status member.Status
	err    error
}

func newPeers() *peers { return &peers{known: make(map[string]*peer)} }

func (p *peers) of(address string) *peer {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.known[address]
	if known == nil {
		if len(p.known) > 1000 { // addresses of members that are gone
			clear(p.known)
		}
		known = &peer{}
		p.known[address] = known
	}
	return known
}

// ask returns what the node at an address says of itself, at most peerAge old.
func (p *peer) ask(ctx context.Context, c *client.Client, address string) (member.Status, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.at) > peerAge {
		asking, cancel := context.WithTimeout(ctx, peerTimeout)
		p.status, p.err = c.StatusOf(asking, address)
		cancel()
		p.at = time.Now()
		if ctx.Err() != nil { // the client is gone; that says nothing of the node
			p.at = time.Time{}
		}
	}
	return p.status, p.err
}

// others asks every member but this node for its status, all at once. A nil error in the second map means reachable.
func (s *Server) others(ctx context.Context, status *member.Status) (map[member.ID]member.Status, map[member.ID]error) {
	found, failed := make(map[member.ID]member.Status), make(map[member.ID]error)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, m := range status.Members {
		if m.ID == status.NodeID {
			continue
		}
		wg.Go(func() {
			var of member.Status
			err := s.call(ctx, func(c *client.Client) (err error) {
				of, err = s.peers.of(m.Address).ask(ctx, c, m.Address)
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			if failed[m.ID] = err; err == nil {
				found[m.ID] = of
			}
		})
	}
	wg.Wait()
	return found, failed
}

// missing names the members that this node cannot reach.
func (s *Server) missing(ctx context.Context, status *member.Status) []string {
	names := []string{}
	_, failed := s.others(ctx, status)
	for _, m := range status.Members {
		if failed[m.ID] != nil {
			names = append(names, nameOf(&m))
		}
	}
	return names
}

// nameOf is what people call a member.
func nameOf(m *member.Member) string {
	if m.Name != "" {
		return m.Name
	}
	return m.ID.String()
}
