package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// errRemoved: the cluster goes on without this node.
var errRemoved = errors.New("this node was removed from its cluster")

const (
	searchAfter = 3 // times without a leader, which elections take anyway
	// searchTimes is how often in a row a leader has to say that this node is no member: by then one that has been deposed
	// without knowing it has stepped down.
	searchTimes = 4
)

// search looks for the leader of a node to which none comes: because the node was removed while it was down, or because
// the others know it under an address that it no longer has. It asks the members through the client port.
type search struct {
	*daemon
	tries, without int
}

// again returns the leader's address if there is one that counts this node as a member, "" if that is not known, and
// errRemoved if it is no member any more.
func (s *search) again(ctx context.Context) (leader string, err error) {
	if s.tries++; s.tries <= searchAfter {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	leader, gone := s.ask(ctx)
	if !gone {
		s.without = 0
		return leader, nil
	}
	if s.without++; s.without < searchTimes {
		return "", nil
	}
	return "", fmt.Errorf("%w: %s does not list node %s; `haikud reset` moves its directory aside, and with --join it then joins anew",
		errRemoved, leader, s.node.ID())
}

// ask goes through the addresses that this node knows and those that it is told until it is at the leader. gone says
// that the node there does not count this one as a member.
func (s *search) ask(ctx context.Context) (address string, gone bool) {
	own, err := s.node.Status(ctx)
	if err != nil {
		return "", false
	}
	addresses := slices.Clone(s.cfg.Join)
	for i := range own.Members {
		addresses = append(addresses, own.Members[i].Address)
	}
	refusedBy := ""
	asked := map[string]bool{"": true, s.cfg.AdvertiseAddress(): true}
	for i := 0; i < len(addresses); i++ { // it grows
		at := addresses[i]
		if asked[at] {
			continue
		}
		asked[at] = true
		status, err := s.statusOf(ctx, at)
		switch {
		case errors.Is(err, task.ErrUnauthenticated) && s.node.Proof() != "":
			refusedBy = at // what it was shown counts for members alone
		case err != nil || status.ClusterID != own.ClusterID || status.NodeID == own.NodeID:
		case status.State != member.Leader:
			addresses = append(addresses, status.LeaderAddress)
		default:
			isOwn := func(m member.Member) bool { return m.ID == own.NodeID }
			return at, !slices.ContainsFunc(status.Members, isOwn)
		}
	}
	return refusedBy, refusedBy != ""
}

// statusOf asks a node for its view, shortly.
func (s *search) statusOf(ctx context.Context, address string) (member.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	c, err := s.newClient(address)
	if err != nil {
		return member.Status{}, err
	}
	defer c.Close()
	return c.StatusOf(ctx, address)
}
