package cluster

import (
	"context"
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// nominate makes this node a candidate for the next term, if its log says where it stands.
func (n *Node) nominate() (*candidacy, bool) {
	c := &candidacy{term: n.raft.CurrentTerm() + 1, began: time.Now(), recent: n.grace(), precedes: n.precedes}
	last, err := n.logs.LastIndex()
	var entry raft.Log
	if err != nil || n.logs.GetLog(last, &entry) != nil {
		return nil, false // while a snapshot from the leader takes the log's place
	}
	c.index, c.logTerm = entry.Index, entry.Term
	return c, true
}

// precedes says that a voter comes before this node in the configuration.
func (n *Node) precedes(id raft.ServerID) bool {
	servers := n.configuration().Servers
	return slices.IndexFunc(servers, func(s raft.Server) bool { return s.ID == id || s.ID == serverID(n.id) }) ==
		slices.IndexFunc(servers, func(s raft.Server) bool { return s.ID == id })
}

// canvass asks the other voters whether they would vote for a candidate, as Raft does before it stands, and says whether
// it would have a majority. The leader that was lost is not asked.
func (n *Node) canvass(ctx context.Context, c *candidacy) bool {
	request := &raft.RequestPreVoteRequest{RPCHeader: n.rpcHeader(), Term: c.term, LastLogIndex: c.index, LastLogTerm: c.logTerm}
	_, leader := n.raft.LeaderWithID()
	servers := n.configuration()
	answers := make(chan bool, len(servers.Servers))
	asked, missing := 0, voters(servers)/2
	for _, s := range servers.Servers {
		if s.Suffrage != raft.Voter || s.ID == leader || s.ID == serverID(n.id) {
			continue
		}
		asked++
		n.transport.intake.work.Go(func() {
			var answer raft.RequestPreVoteResponse
			err := n.transport.RequestPreVote(s.ID, s.Address, request, &answer)
			answers <- err == nil && answer.Granted
		})
	}
	enough := time.NewTimer(n.grace())
	defer enough.Stop()
	for ; asked > 0 && missing > 0; asked-- {
		select {
		case granted := <-answers:
			if granted {
				missing--
			}
		case <-enough.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return missing == 0
}

// rpcHeader begins what this node sends in Raft's stead.
func (n *Node) rpcHeader() raft.RPCHeader {
	id, address := serverID(n.id), raft.ServerAddress(n.cfg.Advertise)
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(id), Addr: n.transport.EncodePeer(id, address)}
}
