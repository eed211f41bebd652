package cluster

import (
	"bytes"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/store"
)

// pulseAge is how old what is told of RocksDB may be, so that many who ask for the status cost one look at it.
const pulseAge = time.Second

// pulse remembers for a moment how RocksDB is.
type pulse struct {
	mu   sync.Mutex
	at   time.Time
	last *member.Database
}

// state is how this node is, for its status.
func (n *Node) state() *member.State {
	first, last := n.logs.ends()
	s := &member.State{
		LogBytes: uint64(max(n.logs.bytes(), 0)), LogFirst: first, LogLast: last, Snapshot: n.snapshots.lastOne(),
		Disk: n.Disk(), Database: n.pulse.of(n.store),
	}
	if n.raft.State() == raft.Leader {
		s.Followers = n.followers()
	}
	return s
}

// followers are the members whose answers this leader has, by id.
func (n *Node) followers() (list []member.FollowerLag) {
	configuration := n.configuration()
	for server, lag := range n.transport.contacts.lags(n.raft.CurrentTerm()) {
		id, err := member.ParseID(string(server))
		if err == nil && slices.ContainsFunc(configuration.Servers, func(c raft.Server) bool { return c.ID == server }) {
			list = append(list, member.FollowerLag{ID: id, Lag: lag})
		}
	}
	slices.SortFunc(list, func(a, b member.FollowerLag) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return list
}

// of is nil if RocksDB does not tell, as while a snapshot is restored: the rest of a status is worth having then, too.
func (p *pulse) of(s *store.Store) *member.Database {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.at) < pulseAge {
		return p.last
	}
	p.last, p.at = nil, time.Now()
	if v, err := s.Vitals(); err == nil {
		p.last = databaseOf(&v)
	}
	return p.last
}

// databaseOf adds the column families up.
func databaseOf(v *store.Vitals) *member.Database {
	d := &member.Database{
		BlockCache: v.BlockCache, BlockCacheCapacity: v.BlockCacheCapacity, WAL: v.WAL, Files: make([]uint64, store.Levels),
		Compactions: v.Compactions, Flushes: v.Flushes, StalledUS: uint64(v.Stalled.Microseconds()),
		WriteStopped: v.WriteStopped, WriteRate: v.WriteRate,
	}
	for i := range v.Families {
		f := &v.Families[i]
		d.Memtables += f.Memtables
		d.Tables += f.Tables
		d.LiveData += f.LiveData
		d.PendingCompaction += f.PendingCompaction
		for level, files := range f.Files {
			d.Files[level] += files
		}
	}
	return d
}

// Disk tells how much room there is on this node, and whether it would take a submit.
func (n *Node) Disk() member.Disk {
	refuses := n.refusal() != nil
	n.disks.mu.Lock()
	defer n.disks.mu.Unlock()
	return member.Disk{Free: n.disks.least, Total: n.disks.total, Limit: n.disks.below, Refuses: refuses}
}

// StoreVitals tells how RocksDB is doing on this node.
func (n *Node) StoreVitals() (store.Vitals, error) { return n.store.Vitals() }
