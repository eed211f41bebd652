package member

import "time"

// RaftState is how far a node's part of Raft is, and how far it sees the others.
type RaftState struct {
	Leads         bool
	Term          uint64
	LastIndex     uint64 // of its log
	CommitIndex   uint64
	AppliedIndex  uint64
	LogBytes      int64         // of the entries in its log
	LeaderChanges uint64        // that it saw since it was opened
	HasLeader     bool          // it leads, or knows who does
	LastContact   time.Duration // since it heard from the leader; 0 if it leads, or never heard of one
	Members       int
	Voters        int
	Peers         []RaftPeer // of a leader: those that have answered it
}

// RaftPeer is another member as the leader sees it.
type RaftPeer struct {
	ID   ID
	Name string
	Lag  uint64 // entries that it lacked when it last answered
}
