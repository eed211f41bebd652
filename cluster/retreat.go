package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/raft"
)

// errUnwritten: a follower that takes over has to have what the leader has, and its answers are held back until the
// leader has written it.
var errUnwritten = errors.New("entries are not written yet")

// retreat has another node lead while a write of this one hangs, until the node ends. Raft by itself would go on: its
// heartbeats need no disk.
//
// Leadership is handed on where that can succeed. Else this node cuts itself off from the others, which then miss its
// heartbeats and elect one of them, while its own lease runs out. Either way it answers at once whoever waits for it. It
// comes back when the disk does, by then a follower as Raft sees it too; what it wrote and nobody else has goes, as
// after any partition. A follower stays connected: others may need its word, and it waits for its disk by itself.
func (n *Node) retreat(ctx context.Context) {
	for {
		select {
		case <-n.slow:
			n.outlast(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// outlast is retreat from the moment at which a write was found to hang until none does.
func (n *Node) outlast(ctx context.Context) {
	defer n.streams.admit()
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for n.watchdog.hangs() || n.streams.isCutOff() && n.raft.State() == raft.Leader {
		if n.raft.State() == raft.Leader && voters(n.configuration()) > 1 {
			n.standDown(ctx)
		}
		if n.raft.State() != raft.Leader || n.streams.isCutOff() {
			n.abandon()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
	if n.streams.isCutOff() {
		n.log.Info("storage answers again, the node is back")
	}
}

// standDown hands leadership on, or cuts this node off.
func (n *Node) standDown(ctx context.Context) {
	if n.streams.isCutOff() {
		return
	}
	err := errUnwritten
	if n.logs.isSettled() {
		ctx, cancel := context.WithTimeout(ctx, n.cfg.ElectionTimeout) // Raft's own, if it can still count
		defer cancel()
		err = await(ctx, n.raft.LeadershipTransfer())
	}
	if err == nil || ctx.Err() != nil {
		return
	}
	n.log.Warn("storage hangs and leadership was not handed on: the node keeps away from the others until it goes on", "error", err)
	n.streams.cutOff()
}

// abandon ends what is left of this node's last leadership for all who wait for it. Raft may be unable to say yet that it
// is over, and what is being written or applied has no end.
func (n *Node) abandon() {
	n.mu.Lock()
	l := n.recent
	n.mu.Unlock()
	if l == nil {
		return
	}
	if n.leads(l) {
		n.setLeadership(nil)
	}
	l.abandon()
}

func (n *Node) leads(l *leadership) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.leadership == l
}
