package cluster

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/member"
)

// Status is this node's view, as far as it has applied the log.
func (n *Node) Status(context.Context) (member.Status, error) {
	n.fsm.Settle()
	members, err := n.members()
	if err != nil {
		return member.Status{}, err
	}
	paused, err := fsm.DispatchPaused(n.store)
	if err != nil {
		return member.Status{}, err
	}
	return member.Status{
		ClusterID: n.clusterID, NodeID: n.id, NodeName: n.cfg.Name, State: strings.ToLower(n.raft.State().String()),
		Term: n.raft.CurrentTerm(), CommitIndex: n.raft.CommitIndex(), AppliedIndex: n.AppliedIndex(),
		LeaderAddress: n.leaderAddress(), Members: members, LastMark: n.marks.status(), Version: n.cfg.Version,
		DispatchPaused: paused, NodeState: n.state(),
	}, nil
}

// AppliedIndex is the index of the last command or configuration that this node has applied. Entries of Raft's own may
// follow it, and on a node that does not lead some that wait to be applied for deferApply at most.
func (n *Node) AppliedIndex() uint64 { return n.store.Applied().Index }

// AwaitApplied waits until this node's state is at least as far as an index.
func (n *Node) AwaitApplied(ctx context.Context, index uint64) error {
	const pause = 10 * time.Millisecond
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		n.fsm.Settle()
		if n.AppliedIndex() >= index {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// members joins Raft's configuration with what the nodes told of themselves.
func (n *Node) members() ([]member.Member, error) {
	told, err := fsm.Members(n.store)
	if err != nil {
		return nil, err
	}
	byID := make(map[member.ID]member.Member, len(told))
	for _, m := range told {
		byID[m.ID] = m
	}
	_, leader := n.raft.LeaderWithID()
	var members []member.Member
	for _, s := range n.configuration().Servers {
		id, err := member.ParseID(string(s.ID))
		if err != nil {
			return nil, fmt.Errorf("member in Raft's configuration: %w", err)
		}
		m := byID[id]
		m.ID, m.Address, m.Voter, m.Role = id, string(s.Address), s.Suffrage == raft.Voter, member.Follower
		if s.ID == leader {
			m.Role = member.Leader
		}
		members = append(members, m)
	}
	return members, nil
}

// Mark has every node compute its state hash at one index, and returns that index. Status shows the last one.
func (n *Node) Mark(ctx context.Context) (uint64, error) {
	l, err := n.leading()
	if err != nil {
		return 0, err
	}
	r, err := l.do(ctx, &fsm.Mark{})
	return r.Index, err
}
