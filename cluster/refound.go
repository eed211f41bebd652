package cluster

import (
	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/store"
)

// unstartedRestore reports whether the directory holds a restored database that no node has run on yet.
func (d *Dir) unstartedRestore() bool { return d.node.Restored && !d.node.Started }

// refound makes this node the only member of a cluster that goes on from a restored database. The database stands for a
// snapshot, as it always does, so the log begins empty behind it. A crash on the way has it done again, one index later.
func (n *Node) refound() error {
	at := n.store.Applied()
	if err := n.logs.SetUint64(keyCurrentTerm, at.Term); err != nil {
		return err
	}
	err := n.store.Witness(store.Applied{
		Index: at.Index + 1, Term: at.Term, ConfigurationIndex: at.Index + 1,
		Configuration: raft.EncodeConfiguration(n.alone()),
	})
	if err != nil {
		return err
	}
	return n.store.Sync()
}

// alone is the configuration of a cluster with this node as its only member.
func (n *Node) alone() raft.Configuration {
	return raft.Configuration{Servers: []raft.Server{{
		Suffrage: raft.Voter, ID: serverID(n.id), Address: raft.ServerAddress(n.cfg.Advertise),
	}}}
}
