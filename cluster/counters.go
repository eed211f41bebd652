package cluster

import (
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// Counters are what a node has done since it was opened.
type Counters struct {
	EntriesApplied  uint64 `json:"entries_applied"` // Raft's, with commands
	CommandsApplied uint64 `json:"commands_applied"`

	Batches    uint64 `json:"batches"`      // atomic writes to RocksDB
	KeysPut    uint64 `json:"keys_put"`     // in them
	KeysDelete uint64 `json:"keys_deleted"` // in them
	BatchBytes uint64 `json:"batch_bytes"`  // of them

	LogWrites  uint64 `json:"log_writes"`  // to Raft's log; each is fsynced
	LogEntries uint64 `json:"log_entries"` // in them, Raft's own too
	LogBytes   uint64 `json:"log_bytes"`   // of their data
}

// Counters tells what the node has done so far, after Close too.
func (n *Node) Counters() Counters {
	w, l := n.store.Written(), &n.logs.written
	c := Counters{
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
