package cluster

import (
	"sync/atomic"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/member"
)

// Counters tells what the node has done so far, after Close too.
func (n *Node) Counters() member.Counters {
	w, l := n.store.Written(), &n.logs.written
	c := member.Counters{
		Batches: w.Batches, KeysPut: w.Puts, KeysDelete: w.Deletes, BatchBytes: w.Bytes,
		LogWrites: l.writes.Load(), LogEntries: l.entries.Load(), LogBytes: l.bytes.Load(),
	}
	c.EntriesApplied, c.CommandsApplied = n.fsm.Applied()
	return c
}

// logCounts counts what was written to Raft's log.
type logCounts struct{ writes, entries, bytes atomic.Uint64 }

// add counts one write.
func (c *logCounts) add(logs []*raft.Log) {
	c.writes.Add(1)
	c.entries.Add(uint64(len(logs)))
	for _, l := range logs {
		c.bytes.Add(uint64(len(l.Data)))
	}
}
