package cluster

import (
	"context"
	"time"
)

// deferApply is how long committed entries may wait to be applied on a node that does not lead.
const deferApply = 200 * time.Millisecond

// settle applies what waits, until the node ends.
func (n *Node) settle(ctx context.Context) {
	tick := time.NewTicker(deferApply)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			n.fsm.Settle()
		}
	}
}
