package cluster

import (
	"time"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/task"
)

// Observer is told what a node does and how long it takes. It is called from the paths that every task goes, by many
// goroutines: it must not block, and should not allocate.
type Observer interface {
	// Changed is told the changes of status that one write made, after it. The slice is used again: it is not to be kept.
	Changed(changes []task.Change)
	// Submitted: from a submit's arrival at this node, which leads, to its acknowledgement.
	Submitted(took time.Duration)
	// Proposed: from a command's way into the queue of the leader to its Result.
	Proposed(took time.Duration)
	// Committed: from an entry's way into the leader's log to the commit by a majority.
	Committed(took time.Duration)
	// Applied: one run of the state machine over committed entries, with its write to the database.
	Applied(took time.Duration)
	// Synced: one durable write to Raft's log.
	Synced(took time.Duration)
	// Snapshot: one of SnapshotOperations.
	Snapshot(operation string, took time.Duration)
}

// The operations of Observer.Snapshot.
const (
	SnapshotCut     = "cut"     // the database is made durable and the log is cut
	SnapshotSend    = "send"    // to a follower
	SnapshotReceive = "receive" // from the leader, until it is restored
	SnapshotSave    = "save"    // to a file, or to whoever asked for one
)

// nobody observes nothing.
type nobody struct{}

func (nobody) Changed([]task.Change)          {}
func (nobody) Submitted(time.Duration)        {}
func (nobody) Proposed(time.Duration)         {}
func (nobody) Committed(time.Duration)        {}
func (nobody) Applied(time.Duration)          {}
func (nobody) Synced(time.Duration)           {}
func (nobody) Snapshot(string, time.Duration) {}

// timedFiles tells how long the durable writes of entries take.
type timedFiles struct {
	logFiles
	onSynced func(time.Duration)
}

// timed returns files that tell onSynced, unless that is nil.
func timed(files logFiles, onSynced func(time.Duration)) logFiles {
	if onSynced == nil {
		return files
	}
	return timedFiles{files, onSynced}
}

// StoreLog appends one entry.
func (f timedFiles) StoreLog(l *raft.Log) error { return f.StoreLogs([]*raft.Log{l}) }

// StoreLogs appends entries.
func (f timedFiles) StoreLogs(logs []*raft.Log) error {
	begun := time.Now()
	err := f.logFiles.StoreLogs(logs)
	if err == nil {
		f.onSynced(time.Since(begun))
	}
	return err
}

// timedFSM tells how long entries of this leader took to be committed.
type timedFSM struct {
	*fsm.FSM
	node *Node
}

// Apply applies one entry.
func (f timedFSM) Apply(l *raft.Log) any { return f.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch applies committed entries. Those of the term in which this node leads say when it appended them.
func (f timedFSM) ApplyBatch(logs []*raft.Log) []any {
	f.node.mu.Lock()
	l := f.node.leadership
	f.node.mu.Unlock()
	if l != nil {
		now := time.Now()
		for _, entry := range logs {
			if entry.Term == l.term && !entry.AppendedAt.IsZero() {
				f.node.cfg.Observer.Committed(now.Sub(entry.AppendedAt))
			}
		}
	}
	return f.FSM.ApplyBatch(logs)
}

// timeApply tells how long applying takes.
func (n *Node) timeApply(apply func()) {
	begun := time.Now()
	apply()
	n.cfg.Observer.Applied(time.Since(begun))
}
