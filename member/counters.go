package member

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
