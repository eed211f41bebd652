package cluster

import (
	"context"
	"fmt"
	"net"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// caughtUpEntries is how far behind the leader a non-voter may be to be given a vote.
const caughtUpEntries = 256

// Join takes a node into the cluster, or notes what has changed of one that is in it already: a new node becomes a
// non-voter, and a voter once it reports that it has caught up. Nodes call it at every start until they are voters.
func (n *Node) Join(ctx context.Context, j member.Join) (cluster member.ID, voter bool, err error) {
	l, err := n.leading()
	if err != nil {
		return member.ID{}, false, err
	}
	if err := n.checkJoin(j); err != nil {
		return member.ID{}, false, err
	}
	if j.DiskFull {
		voter, err := n.noteDisk(j)
		return n.clusterID, voter, err
	}
	n.joining.Lock()
	defer n.joining.Unlock()
	if err := n.admit(ctx, j); err != nil {
		return member.ID{}, false, err
	}
	if err := n.publish(ctx, l, j.Member); err != nil {
		return member.ID{}, false, err
	}
	server, _ := findServer(n.configuration(), j.Member.ID)
	return n.clusterID, server.Suffrage == raft.Voter, nil
}

func (n *Node) checkJoin(j member.Join) error {
	switch {
	case j.Member.ID.IsZero():
		return fmt.Errorf("%w: a node joins with its id", task.ErrInvalid)
	case !j.ClusterID.IsZero() && j.ClusterID != n.clusterID:
		return fmt.Errorf("%w: node %s belongs to cluster %s, this is %s", task.ErrHandshake, j.Member.ID, j.ClusterID, n.clusterID)
	case j.Member.MaxCommandVersion < fsm.MaxCommandVersion:
		return fmt.Errorf("%w: node %s applies commands up to version %d, the cluster uses %d", task.ErrVersion, j.Member.ID, j.Member.MaxCommandVersion, fsm.MaxCommandVersion)
	}
	if _, port, err := net.SplitHostPort(j.Member.Address); err != nil || port == "" || port == "0" {
		return fmt.Errorf("%w: address %q is not HOST:PORT", task.ErrInvalid, j.Member.Address)
	}
	if j.Member.Name == "" {
		return nil
	}
	return task.ValidateName("node name", j.Member.Name)
}

// admit brings Raft's configuration in line with a join.
func (n *Node) admit(ctx context.Context, j member.Join) error {
	id, address := serverID(j.Member.ID), raft.ServerAddress(j.Member.Address)
	configuration := n.configuration()
	for _, s := range configuration.Servers {
		if s.Address == address && s.ID != id {
			return fmt.Errorf("%w: address %s is member %s's; if that node is gone, remove it first: haiku cluster remove %s", task.ErrConflict, address, s.ID, s.ID)
		}
	}
	server, known := findServer(configuration, j.Member.ID)
	caughtUp := j.AppliedIndex > 0 && j.AppliedIndex+caughtUpEntries >= n.raft.CommitIndex()
	switch {
	case !known:
		n.log.Info("node joins", "node", j.Member.ID, "address", address)
		return n.change(ctx, n.raft.AddNonvoter(id, address, 0, 0))
	case server.Suffrage != raft.Voter && caughtUp:
		n.log.Info("node becomes a voter", "node", j.Member.ID, "address", address)
		return n.change(ctx, n.raft.AddVoter(id, address, 0, 0))
	case server.Address != address && server.Suffrage == raft.Voter:
		return n.change(ctx, n.raft.AddVoter(id, address, 0, 0))
	case server.Address != address:
		return n.change(ctx, n.raft.AddNonvoter(id, address, 0, 0))
	}
	return nil
}

// publish replicates what a node tells of itself, if it is new.
func (n *Node) publish(ctx context.Context, l *leadership, m member.Member) error {
	m.Role, m.Voter = "", false
	known, err := fsm.Members(n.store)
	if err != nil {
		return err
	}
	for _, k := range known {
		if k == m {
			return nil
		}
	}
	r, err := l.do(ctx, &fsm.SetMember{Member: m})
	if err == nil {
		err = r.Err
	}
	return err
}

// Remove takes a member out of the cluster. Its vote is gone when it returns.
func (n *Node) Remove(ctx context.Context, id member.ID) error {
	l, err := n.leading()
	if err != nil {
		return err
	}
	configuration := n.configuration()
	server, known := findServer(configuration, id)
	if !known {
		return fmt.Errorf("%w: node %s is not a member", task.ErrNotFound, id)
	}
	if len(configuration.Servers) == 1 {
		return fmt.Errorf("%w: node %s is the only member", task.ErrInvalid, id)
	}
	if server.Suffrage == raft.Voter && voters(configuration) == 1 {
		return fmt.Errorf("%w: node %s is the only voter", task.ErrInvalid, id)
	}
	if _, err := l.do(ctx, &fsm.RemoveMember{ID: id}); err != nil {
		return err
	}
	n.log.Info("node is removed", "node", id, "address", server.Address)
	return n.change(ctx, n.raft.RemoveServer(server.ID, 0, 0))
}

// Leave takes this node out of its cluster. It ends the node: Done is closed without an error once it is out.
func (n *Node) Leave(ctx context.Context) error {
	_, self := n.Leader()
	var err error
	switch address := n.leaderAddress(); {
	case self:
		err = n.Remove(ctx, n.id)
	case address == "":
		err = task.ErrNoLeader
	default:
		err = n.cfg.AskRemove(ctx, address, n.id)
	}
	if err != nil {
		return err
	}
	if err := n.cfg.Dir.setLeft(); err != nil {
		return fmt.Errorf("note that the node left: %w", err)
	}
	n.log.Info("node left its cluster")
	n.end(nil)
	return nil
}

// Transfer hands leadership to a member, or to the one that is most up to date if to is zero, and returns the new
// leader's address.
func (n *Node) Transfer(ctx context.Context, to member.ID) (string, error) {
	if _, err := n.leading(); err != nil {
		return "", err
	}
	if to == n.id {
		return n.cfg.Advertise, nil
	}
	if voters(n.configuration()) == 1 {
		return "", fmt.Errorf("%w: there is no other voter to lead", task.ErrInvalid)
	}
	future := raft.Future(nil)
	if to.IsZero() {
		future = n.raft.LeadershipTransfer()
	} else {
		server, known := findServer(n.configuration(), to)
		if !known {
			return "", fmt.Errorf("%w: node %s is not a member", task.ErrNotFound, to)
		}
		if server.Suffrage != raft.Voter {
			return "", fmt.Errorf("%w: node %s has no vote yet", task.ErrInvalid, to)
		}
		future = n.raft.LeadershipTransferToServer(server.ID, server.Address)
	}
	if err := await(ctx, future); err != nil {
		return "", fmt.Errorf("%w: leadership transfer: %w", task.ErrTimeout, err)
	}
	for {
		changed := n.LeaderChanged()
		if address := n.leaderAddress(); address != "" && address != n.cfg.Advertise {
			return address, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return "", fmt.Errorf("%w: the new leader is not known yet", task.ErrTimeout)
		}
	}
}

// Adopt has this node give up its own cluster to join another.
func (n *Node) Adopt(_ context.Context, a member.Adoption) error {
	if err := n.CheckAdopt(a.Addresses); err != nil {
		return err
	}
	n.log.Info("node gives up its own cluster", "join", a.Addresses)
	n.cfg.OnAdopt(a)
	return nil
}

// CheckAdopt reports why this node may not give up its own cluster: only a solo one that never held a task may.
func (n *Node) CheckAdopt(addresses []string) error {
	if len(addresses) == 0 {
		return fmt.Errorf("%w: no address to join", task.ErrInvalid)
	}
	for _, address := range addresses {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return fmt.Errorf("%w: address %q is not HOST:PORT", task.ErrInvalid, address)
		}
	}
	if len(n.configuration().Servers) != 1 {
		return fmt.Errorf("%w: this node is a member of a cluster of several; it has to leave that first", task.ErrConflict)
	}
	if total := n.store.Stats().Total; total != (task.QueueCounts{}) {
		return fmt.Errorf("%w: this node holds tasks; only an empty one can join a cluster", task.ErrConflict)
	}
	return nil
}

// change waits for a change of Raft's configuration.
func (n *Node) change(ctx context.Context, f raft.IndexFuture) error {
	if err := await(ctx, f); err != nil {
		return outcomeOf(err)
	}
	return nil
}

// configuration is Raft's latest, committed or not.
func (n *Node) configuration() raft.Configuration {
	f := n.raft.GetConfiguration()
	if f.Error() != nil {
		return raft.Configuration{}
	}
	return f.Configuration()
}

// IsMember reports whether a node is in the cluster's configuration.
func (n *Node) IsMember(id member.ID) bool {
	_, known := findServer(n.configuration(), id)
	return known
}

// IsVoter reports whether this node has a vote.
func (n *Node) IsVoter() bool {
	server, known := findServer(n.configuration(), n.id)
	return known && server.Suffrage == raft.Voter
}

func findServer(c raft.Configuration, id member.ID) (raft.Server, bool) {
	for _, s := range c.Servers {
		if s.ID == serverID(id) {
			return s, true
		}
	}
	return raft.Server{}, false
}

func voters(c raft.Configuration) (count int) {
	for _, s := range c.Servers {
		if s.Suffrage == raft.Voter {
			count++
		}
	}
	return count
}

// serverID is how Raft names a node: its id in hexadecimal, never its address.
func serverID(id member.ID) raft.ServerID { return raft.ServerID(id.String()) }

// await waits for a future of Raft, or for ctx. Raft answers every future at the latest when it is shut down.
func await(ctx context.Context, f raft.Future) error {
	done := make(chan error, 1)
	go func() { done <- f.Error() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
