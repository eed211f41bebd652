package member

import "time"

// State is how a node's log, disk and database are, as it tells itself.
type State struct {
	LogBytes  uint64        `json:"log_bytes" doc:"Of the entries in Raft's log"`
	LogFirst  uint64        `json:"log_first" doc:"Index of the oldest of them; 0 for none"`
	LogLast   uint64        `json:"log_last" doc:"Index of the newest"`
	Snapshot  *Snapshot     `json:"snapshot,omitempty" doc:"The last one; missing while there was none since the node started"`
	Disk      Disk          `json:"disk"`
	Database  *Database     `json:"database,omitempty" doc:"Missing if RocksDB did not tell"`
	Followers []FollowerLag `json:"followers,omitempty" doc:"Of a leader: those that have answered it"`
}

// Snapshot is the last moment at which a node's state stood for the log up to an index: when the log was cut after it,
// or when the state came from the leader.
type Snapshot struct {
	Index    uint64    `json:"index" doc:"Of the log: what is up to it is in the database"`
	At       time.Time `json:"at"`
	Received bool      `json:"received" doc:"It came from the leader; otherwise it is this node's own"`
	Bytes    uint64    `json:"bytes" doc:"How much came from the leader; 0 for the node's own, which is the database itself"`
}

// FollowerLag is how far a node's log is, as the leader sees it.
type FollowerLag struct {
	ID  ID     `json:"id"`
	Lag uint64 `json:"lag" doc:"Entries that it lacked when it last answered"`
}

// Lags tells how many entries of the leader's log the nodes lacked, as the newest leader among some statuses saw it when
// they last answered: the difference of indexes that several nodes told at several moments would say more than that.
// It leaves out the nodes of which that is not known.
func Lags(statuses []Status) map[ID]uint64 {
	var leader *Status
	for i := range statuses {
		if s := &statuses[i]; s.State == Leader && (leader == nil || s.Term > leader.Term) {
			leader = s
		}
	}
	lags := make(map[ID]uint64)
	if leader == nil || leader.NodeState == nil {
		return lags
	}
	lags[leader.NodeID] = 0
	for _, f := range leader.NodeState.Followers {
		lags[f.ID] = f.Lag
	}
	return lags
}

// Disk is how much room a node has, and whether it takes submits.
type Disk struct {
	Free    uint64 `json:"free_bytes" doc:"Of the file system that has least"`
	Total   uint64 `json:"total_bytes" doc:"Of that file system"`
	Limit   uint64 `json:"limit_bytes" doc:"Below which submits are refused; 0 for never"`
	Refuses bool   `json:"refuses" doc:"It would refuse a submit now: for this disk, for a voter's, or while the database takes no writes"`
}

// Database is how a node's RocksDB is, all of its column families together.
type Database struct {
	Memtables          uint64   `json:"memtable_bytes"`
	BlockCache         uint64   `json:"block_cache_bytes"`
	BlockCacheCapacity uint64   `json:"block_cache_capacity_bytes"`
	Tables             uint64   `json:"table_bytes" doc:"Of its table files"`
	LiveData           uint64   `json:"live_data_bytes" doc:"An estimate of what a full compaction would leave"`
	PendingCompaction  uint64   `json:"pending_compaction_bytes" doc:"An estimate of what is to be rewritten"`
	WAL                uint64   `json:"wal_bytes" doc:"Of the files of its own log"`
	Files              []uint64 `json:"files" doc:"Table files by level, from 0 on"`
	Compactions        uint64   `json:"compactions" doc:"Running"`
	Flushes            uint64   `json:"flushes" doc:"Running"`
	StalledUS          uint64   `json:"stalled_us" doc:"Writes were held up for so long since it was opened"`
	WriteStopped       bool     `json:"write_stopped" doc:"Writes wait now"`
	WriteRate          uint64   `json:"write_rate_bytes" doc:"A second, to which writes are slowed down now; 0 if they are not"`
}
