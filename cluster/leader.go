package cluster

import (
	"context"
	"errors"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// leading returns the leadership of this node. The error wraps task.ErrNotLeader, or task.ErrNoLeader when nobody is
// known to lead.
func (n *Node) leading() (*leadership, error) {
	n.mu.Lock()
	l := n.leadership
	n.mu.Unlock()
	switch {
	case l != nil:
		return l, nil
	case n.leaderAddress() == "":
		return nil, task.ErrNoLeader
	}
	return nil, task.ErrNotLeader
}

// Leader returns the leader's address and whether this node is it. The address is empty while nobody leads, and while
// this node has won an election but has not caught up yet.
func (n *Node) Leader() (address string, self bool) {
	n.mu.Lock()
	self = n.leadership != nil
	n.mu.Unlock()
	if self {
		return n.cfg.Advertise, true
	}
	if address = n.leaderAddress(); address == n.cfg.Advertise {
		return "", false
	}
	return address, false
}

// LeaderChanged returns a channel that is closed when what Leader returns may have changed.
func (n *Node) LeaderChanged() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.changed
}

func (n *Node) leaderAddress() string {
	address, _ := n.raft.LeaderWithID()
	return string(address)
}

// setLeadership publishes that this node leads, or no longer.
func (n *Node) setLeadership(l *leadership) {
	n.mu.Lock()
	n.leadership = l
	if l != nil {
		n.recent = l
	}
	n.mu.Unlock()
	n.tellLeaderChange()
}

// forget is told that nothing is left of a leadership.
func (n *Node) forget(l *leadership) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.recent == l {
		n.recent = nil
	}
}

func (n *Node) tellLeaderChange() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.changed)
	n.changed = make(chan struct{})
}

// follow takes over and gives up leadership as Raft says, until the node ends. The channel keeps only Raft's latest
// word, so each word ends what was before.
func (n *Node) follow(ctx context.Context, won <-chan bool) {
	var current *leadership
	resign := func() {
		if current != nil {
			n.setLeadership(nil)
			current.close()
			n.forget(current)
			n.log.Info("leadership ended", "term", current.term)
			current = nil
		}
	}
	defer resign()
	for {
		select {
		case <-ctx.Done():
			return
		case leads := <-won:
			resign()
			n.fsm.Defer(!leads)
			if !leads {
				continue
			}
			l, err := n.lead(ctx)
			if err != nil {
				n.log.Warn("leadership not taken", "error", err)
				n.giveUp()
				continue
			}
			current = l
			n.setLeadership(l)
			n.log.Info("leadership taken", "term", l.term)
			n.work.Go(func() { n.introduce(l) })
		}
	}
}

// giveUp lets go of a leadership that this node cannot exercise.
func (n *Node) giveUp() {
	if n.raft.State() == raft.Leader {
		if err := n.raft.LeadershipTransfer().Error(); err != nil {
			n.log.Warn("leadership was not handed on", "error", err)
		}
	}
}

// enter has Raft's configuration and the state hold what this leader tells of itself, whose address may be another than
// it was when the node ran last.
func (n *Node) enter(l *leadership) error {
	n.joining.Lock()
	defer n.joining.Unlock()
	if err := n.admit(l.ctx, n.Announcement()); err != nil {
		return err
	}
	return n.publish(l.ctx, l, n.self())
}

// introduce makes sure that the state holds the cluster's id and what this leader tells of itself.
func (n *Node) introduce(l *leadership) {
	id, err := fsm.ClusterID(n.store)
	if err == nil && id.IsZero() {
		_, err = l.do(l.ctx, &fsm.Found{ClusterID: n.clusterID})
	}
	if err == nil {
		err = n.enter(l)
	}
	if err == nil {
		err = n.ensureAdmin(l)
	}
	if err != nil && l.ctx.Err() == nil && !errors.Is(err, task.ErrNotLeader) {
		n.log.Warn("introduce the leader", "error", err)
	}
}

// self is what this node tells of itself.
func (n *Node) self() member.Member {
	return member.Member{ID: n.id, Name: n.cfg.Name, Address: n.cfg.Advertise, HTTPAddress: n.cfg.HTTP,
		MaxCommandVersion: fsm.MaxCommandVersion}
}

// Announcement is what this node tells the leader of itself, with how far it is.
func (n *Node) Announcement() member.Join {
	return member.Join{Member: n.self(), AppliedIndex: n.AppliedIndex(), ClusterID: n.clusterID}
}

// observe tells of every change of the known leader, until the node ends.
func (n *Node) observe(ctx context.Context, changes <-chan raft.Observation) {
	var last raft.ServerID
	for {
		select {
		case <-ctx.Done():
			return
		case o := <-changes:
			last = n.countLeader(last, &o)
			n.tellLeaderChange()
		}
	}
}
