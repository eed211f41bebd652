package cluster

import (
	"github.com/hashicorp/raft"
)

// electSelf has a node that is its cluster's only voter stand for election at once: there is nobody whose word it could
// wait for. It sends itself what a leader sends to hand leadership on.
func (n *Node) electSelf() {
	configuration := n.configuration()
	if len(configuration.Servers) != 1 || voters(configuration) != 1 || !n.IsVoter() {
		return
	}
	id := serverID(n.id)
	request := &raft.TimeoutNowRequest{RPCHeader: n.rpcHeader()}
	err := n.transport.TimeoutNow(id, raft.ServerAddress(n.cfg.Advertise), request, &raft.TimeoutNowResponse{})
	if err != nil && n.ctx.Err() == nil {
		n.log.Info("the first election waits for its timeout", "reason", err)
	}
}
