package cluster

import (
	"context"
	"time"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/member"
)

// suspect has this node stand for election soon after its leader was lost, until the node ends. The voters are asked
// first, as by Raft's pre-votes: no majority of them lets a leader go that they hear.
//
// A leader is lost that was silent for the heartbeat timeout, or that has had no stream to this node for a fifth of it, as
// when its process was killed: one that lives opens new streams at once. Raft by itself looks at the time of the last word
// only when a timer fires that it sets to one to two timeouts, a follower that has not looked yet refuses the others, and
// who was refused waits for one to two timeouts more. Its timers are set to a quarter more than this node's, so that they
// decide only where this does not.
func (n *Node) suspect(ctx context.Context) {
	timer := time.NewTimer(n.grace())
	defer timer.Stop()
	for yielded := false; ; {
		select {
		case <-n.streams.silenced:
			timer.Reset(n.grace())
			continue
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		rest := time.Until(n.raft.LastContact().Add(n.cfg.HeartbeatTimeout))
		if n.orphaned() {
			rest = 0
			yielded = n.succeed(ctx, yielded)
		} else {
			yielded = false
		}
		timer.Reset(max(rest, n.grace()))
	}
}

// grace is how long a leader that has no stream to this node is taken to open one.
func (n *Node) grace() time.Duration { return n.cfg.HeartbeatTimeout / 5 }

// succeed stands for election when it is this node's turn, and if the others let it. It returns whether it gave way to
// another candidate, which it does once.
func (n *Node) succeed(ctx context.Context, insist bool) (yielded bool) {
	if !pause(ctx, n.turn(n.grace()/4)) || !n.orphaned() {
		return false
	}
	c, ok := n.nominate()
	if !ok || !n.canvass(ctx, c) {
		return insist
	}
	c.insists = insist
	if n.transport.intake.stand(ctx, c) {
		return true
	}
	n.log.Info("the leader was lost, the node stands for election", "term", c.term)
	return false
}

// turn is how many voters but the leader stand before this node, in steps, so that one after the other stands and votes
// are not split. A step has to be longer than a vote takes.
func (n *Node) turn(step time.Duration) (wait time.Duration) {
	_, leader := n.raft.LeaderWithID()
	for _, s := range n.configuration().Servers {
		switch {
		case s.ID == serverID(n.id):
			return wait
		case s.Suffrage == raft.Voter && s.ID != leader:
			wait += step
		}
	}
	return wait
}

// pause waits for a time and says whether ctx goes on.
func pause(ctx context.Context, wait time.Duration) bool {
	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// orphaned says that this node is a voter whose leader is lost.
func (n *Node) orphaned() bool {
	_, lost := n.lostLeader()
	return lost && n.IsVoter()
}

// lostLeader returns the leader that Raft on this node knows, and whether nothing is to be heard from it: for some time it
// had no stream to this node, or it was silent for the heartbeat timeout. It does not wait for Raft.
func (n *Node) lostLeader() (raft.ServerAddress, bool) {
	address, id := n.raft.LeaderWithID()
	if address == "" || n.raft.State() != raft.Follower {
		return "", false
	}
	return address, !n.hears(id) || time.Since(n.raft.LastContact()) >= n.cfg.HeartbeatTimeout
}

func (n *Node) hears(id raft.ServerID) bool {
	from, err := member.ParseID(string(id))
	return err != nil || n.streams.hears(from, n.grace())
}
