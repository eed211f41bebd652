package cluster

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/hashicorp/raft"
)

// suspect has this node stand for election soon after the heartbeat timeout has passed without word from a leader, until
// the node ends. Raft by itself looks at the time of the last word only when a timer fires that it sets to one to two
// timeouts, and, with pre-votes, a follower that has not looked yet still holds the dead leader for alive and refuses the
// others: of two followers the slower one decides, which takes up to three timeouts.
func (n *Node) suspect(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	patience := n.patience()
	for last := time.Now(); ; {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		if rest := time.Until(later(last, n.raft.LastContact()).Add(patience)); rest > 0 {
			timer.Reset(rest)
			continue
		}
		if n.raft.State() == raft.Follower && n.IsVoter() {
			if err := n.look(); err != nil {
				n.log.Warn("the election waits for its timer", "error", err)
			}
		}
		last, patience = time.Now(), n.patience()
		timer.Reset(patience)
	}
}

// patience is the heartbeat timeout and a little more, by chance, so that followers do not stand at the same moment and
// split the votes.
func (n *Node) patience() time.Duration {
	return n.cfg.HeartbeatTimeout + rand.N(n.cfg.HeartbeatTimeout/4)
}

// look has Raft look now whether the leader is silent. It does so when its heartbeat timeout is made shorter, hence the
// nanosecond by which that is longer than it should be the rest of the time.
func (n *Node) look() error {
	n.tuning.Lock()
	defer n.tuning.Unlock()
	settings := n.raft.ReloadableConfig()
	settings.HeartbeatTimeout = n.cfg.HeartbeatTimeout
	if err := n.raft.ReloadConfig(settings); err != nil {
		return err
	}
	settings.HeartbeatTimeout++
	return n.raft.ReloadConfig(settings)
}
