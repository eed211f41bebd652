package web

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/haiku-queue/haiku/member"
)

// Cluster is what this node knows of the cluster.
type Cluster struct {
	ClusterID      member.ID      `json:"cluster_id"`
	Node           string         `json:"node" doc:"Name of the node that answers"`
	NodeID         member.ID      `json:"node_id"`
	Leader         string         `json:"leader" doc:"Name of the leader; empty if there is none"`
	Term           uint64         `json:"term"`
	Stale          bool           `json:"stale" doc:"No leader is known"`
	AppliedIndex   uint64         `json:"applied_index"`
	Missing        []string       `json:"missing" doc:"Names of the nodes that this one cannot reach"`
	DispatchPaused bool           `json:"dispatch_paused"`
	Nodes          []Node         `json:"nodes"`
	LeaderChanges  []LeaderChange `json:"leader_changes" doc:"Since this node started, oldest first"`
}

// Node is one member, as it tells itself if it can be reached.
type Node struct {
	ID           member.ID `json:"id"`
	Name         string    `json:"name"`
	Address      string    `json:"address"`
	HTTPAddress  string    `json:"http_address"`
	Role         string    `json:"role" enum:"leader,follower"`
	Voter        bool      `json:"voter"`
	Reachable    bool      `json:"reachable"`
	Error        string    `json:"error,omitempty" doc:"Why it cannot be reached"`
	State        string    `json:"state,omitempty" doc:"leader, follower, candidate or shutdown"`
	Term         uint64    `json:"term,omitempty"`
	CommitIndex  uint64    `json:"commit_index,omitempty"`
	AppliedIndex uint64    `json:"applied_index,omitempty"`
	// Lag is missing for a node that has not answered the leader, and while no leader can be reached.
	Lag     *uint64 `json:"lag,omitempty" doc:"Entries of the leader's log that it lacked when it last answered the leader"`
	Version string  `json:"version,omitempty"`
	// NodeState is missing if the node cannot be reached, or is of a version that does not tell it.
	NodeState *member.State `json:"node_state,omitempty"`
}

func (s *Server) registerCluster(a *api) {
	register(a, op{http.MethodGet, "/v1/cluster", "get-cluster", "cluster", "The nodes, their roles and how far they are"},
		func(ctx context.Context, _ *struct{}) (*reply[Cluster], error) { return s.cluster(ctx) })
}

// status is this node's view. It knows its own name before the cluster does.
func (s *Server) status(ctx context.Context) (member.Status, error) {
	status, err := s.src.Inspector.Status(ctx)
	for i := range status.Members {
		if m := &status.Members[i]; m.ID == status.NodeID && m.Name == "" {
			m.Name = status.NodeName
		}
	}
	return status, err
}

func (s *Server) cluster(ctx context.Context) (*reply[Cluster], error) {
	ctx, cancel := within(ctx)
	defer cancel()
	status, err := s.status(ctx)
	if err != nil {
		return nil, err
	}
	changes, _ := s.leaders.list()
	for i := range changes { // a node's name may come later than its leadership
		for _, m := range status.Members {
			if m.Address == changes[i].Leader {
				changes[i].Leader = nameOf(&m)
			}
		}
	}
	c := Cluster{
		ClusterID: status.ClusterID, Node: status.NodeName, NodeID: status.NodeID, Leader: leaderName(&status),
		Stale: status.LeaderAddress == "", AppliedIndex: status.AppliedIndex, Term: status.Term, Missing: []string{},
		DispatchPaused: status.DispatchPaused, Nodes: []Node{}, LeaderChanges: changes,
	}
	found, failed := s.others(ctx, &status)
	found[status.NodeID] = status
	lags := member.Lags(slices.Collect(maps.Values(found)))
	for _, m := range status.Members {
		n := Node{ID: m.ID, Name: m.Name, Address: m.Address, HTTPAddress: m.HTTPAddress, Role: m.Role, Voter: m.Voter}
		if lag, ok := lags[m.ID]; ok {
			n.Lag = &lag
		}
		if of, ok := found[m.ID]; ok {
			n.Reachable, n.State, n.Term, n.Version = true, of.State, of.Term, of.Version
			n.CommitIndex, n.AppliedIndex, n.NodeState = of.CommitIndex, of.AppliedIndex, of.NodeState
		} else {
			c.Missing = append(c.Missing, nameOf(&m))
			if err := failed[m.ID]; err != nil {
				n.Error = problemOf(err).Detail
			}
		}
		c.Nodes = append(c.Nodes, n)
	}
	out := &reply[Cluster]{AppliedIndex: status.AppliedIndex, Body: c}
	if c.Stale {
		out.Stale = "true"
	}
	return out, nil
}
