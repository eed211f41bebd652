package cluster

import (
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/store"
)

// RaftState tells how far Raft is on this node. It does not wait for anybody.
func (n *Node) RaftState() (member.RaftState, error) {
	_, leads := n.Leader()
	configuration := n.configuration()
	s := member.RaftState{
		Leads: leads, Term: n.raft.CurrentTerm(), LastIndex: n.raft.LastIndex(), CommitIndex: n.raft.CommitIndex(),
		AppliedIndex: n.AppliedIndex(), LogBytes: n.logs.bytes(), LeaderChanges: n.leaderChanges.Load(),
		HasLeader: n.leaderAddress() != "", Members: len(configuration.Servers), Voters: voters(configuration),
	}
	if last := n.raft.LastContact(); !leads && !last.IsZero() {
		s.LastContact = time.Since(last)
	}
	if !leads {
		return s, nil
	}
	told, err := fsm.Members(n.store)
	if err != nil {
		return s, fmt.Errorf("names of the members: %w", err)
	}
	names := make(map[member.ID]string, len(told))
	for _, m := range told {
		names[m.ID] = m.Name
	}
	for _, f := range n.followers() {
		s.Peers = append(s.Peers, member.RaftPeer{ID: f.ID, Name: names[f.ID], Lag: f.Lag})
	}
	return s, nil
}

// EachDepth calls fn for every queue that has tasks; see store.EachQueue.
func (n *Node) EachDepth(fn func(store.Depth)) { n.store.EachQueue(fn) }

// countLeader counts an observation of who leads, when it is another one than the last that was known. It belongs to
// the goroutine of observe.
func (n *Node) countLeader(last raft.ServerID, o *raft.Observation) raft.ServerID {
	seen, ok := o.Data.(raft.LeaderObservation)
	if !ok || seen.LeaderID == "" || seen.LeaderID == last {
		return last
	}
	n.leaderChanges.Add(1)
	return seen.LeaderID
}
