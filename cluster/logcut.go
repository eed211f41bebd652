package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// maxNewLogBytes is how much log may come after a cut before the next one.
const maxNewLogBytes = 256 << 20

// maxLogLook is the longest time between two looks at the log's bytes: hundreds of MiB may come in a second.
const maxLogLook = time.Second

// cutLogs has Raft drop the old part of its log when enough has come, in entries or in bytes. A cut copies nothing: the
// database is the snapshot.
func (n *Node) cutLogs(ctx context.Context) {
	cut, counted := n.store.Applied().Index, time.Now()
	tick := time.NewTicker(min(n.cfg.SnapshotInterval, maxLogLook))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		last, _ := n.logs.LastIndex()
		due := n.logs.overdue(cut)
		if time.Since(counted) >= n.cfg.SnapshotInterval {
			due = due || last-min(last, cut) >= n.cfg.SnapshotThreshold
			counted = time.Now()
		}
		if !due {
			continue
		}
		if err := n.cutLog(); err != nil && ctx.Err() == nil {
			n.log.Warn("the log was not cut", "error", err)
			continue
		}
		cut = last
	}
}

// cutLog takes a snapshot, which lets Raft drop its log but for a trail whose length in bytes is bounded.
func (n *Node) cutLog() error {
	if err := n.setTrail(); err != nil {
		return fmt.Errorf("set the trail of the log: %w", err)
	}
	begun := time.Now()
	err := n.raft.Snapshot().Error()
	if errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return nil
	}
	if err == nil {
		n.cfg.Observer.Snapshot(SnapshotCut, time.Since(begun))
	}
	return err
}

// setTrail tells Raft how many entries to keep.
func (n *Node) setTrail() error {
	n.tuning.Lock()
	defer n.tuning.Unlock()
	settings := n.raft.ReloadableConfig()
	settings.TrailingLogs = n.logs.trailing(n.cfg.TrailingLogs)
	return n.raft.ReloadConfig(settings)
}
