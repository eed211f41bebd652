package cluster

import (
	"context"
	"errors"
	"fmt"
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
//
// If it has become the only voter meanwhile, nobody's silence ends the leadership that it has abandoned: it starts again.
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
	for n.watchdog.hangs() || n.streams.isCutOff() && n.leadsOthers() {
		if n.leadsOthers() {
			n.standDown(ctx)
		}
		l := n.latest() // before Raft is asked, which may win the next election meanwhile
		if n.raft.State() != raft.Leader || n.streams.isCutOff() {
			n.abandon(l)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
	switch {
	case !n.streams.isCutOff():
	case n.raft.State() == raft.Leader:
		n.end(fmt.Errorf("%w: its storage answers again, and it is the only voter now", ErrRestart))
	default:
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
		ctx, cancel := context.WithTimeout(ctx, n.raft.ReloadableConfig().ElectionTimeout) // as Raft does, if it can
		defer cancel()
		err = await(ctx, n.raft.LeadershipTransfer())
	}
	if err == nil || ctx.Err() != nil || !n.watchdog.hangs() {
		return
	}
	n.log.Warn("storage hangs and leadership was not handed on: the node keeps away from the others until it goes on", "error", err)
	n.streams.cutOff()
}

// abandon ends what is left of a leadership, nil for none, for all who wait for it. Raft may be unable to say yet that it
// is over, and what is being written or applied has no end.
func (n *Node) abandon(l *leadership) {
	if l == nil {
		return
	}
	n.mu.Lock()
	leads := n.leadership == l
	n.mu.Unlock()
	if leads {
		n.setLeadership(nil)
	}
	l.abandon()
}

// latest is this node's last leadership, until all of it has ended.
func (n *Node) latest() *leadership {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.recent
}
