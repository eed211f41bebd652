package config

// meanings says of each setting what it is for: in the flags' help, the sample and the reference.
var meanings = map[string]string{
	"data_dir":      "directory of everything this node keeps; made if missing",
	"listen":        "HOST:PORT that serves clients and the other nodes",
	"advertise":     "HOST:PORT under which others reach this node; empty means listen",
	"bootstrap":     "found a new cluster; nothing happens if the directory belongs to one",
	"join":          "HOST:PORT of nodes whose cluster to join; nothing happens if the directory belongs to it",
	"node_name":     "name shown to people; empty means the host's name",
	"insecure":      "allow a listen address that others can reach although nothing checks who connects",
	"dedup_window":  "a submit whose id was made longer ago is refused unless the task is there; the leader's counts",
	"session_grace": "how long a worker without connection may take to come back before its leases are released",

	"log.level":  "least important level that is logged",
	"log.format": "text for people, json for machines",

	"raft.heartbeat_timeout": "without word from the leader for this long, a follower stands for election",
	"raft.election_timeout":  "how long a candidate waits for votes; at least heartbeat_timeout",
	"raft.leader_lease_timeout": "a leader without contact to a majority for this long steps down; at " +
		"most heartbeat_timeout",
	"raft.trailing_logs":      "most log entries kept after a snapshot, for followers that lag",
	"raft.snapshot_threshold": "log entries after which the log is cut",
	"raft.snapshot_interval":  "how often the log's length is looked at",
	"raft.storage_timeout":    "a write to the disk that hangs for this long ends the process",

	"store.wal_sync_mode": "0 leaves RocksDB's log to the operating system (Raft's log is the " +
		"durable one), 1 syncs each batch, 2 syncs every wal_sync_interval",
	"store.wal_sync_interval": "used with wal_sync_mode 2",
	"store.max_wal":           "size of RocksDB's log at which what pins it is flushed",
	"store.block_cache":       "memory for blocks, indexes and filters",
	"store.write_buffer":      "memory for what is not yet flushed to files",
	"store.record_cache":      "memory for decoded records of waiting and running tasks",

	"limits.connections":       "client connections at once",
	"limits.raft_connections":  "connections of other nodes at once",
	"limits.requests":          "unanswered requests of one connection, waiting claims included",
	"limits.connection_bytes":  "bytes of one connection's unanswered requests",
	"limits.total_bytes":       "bytes of all unanswered requests and unsent replies; at least connection_bytes",
	"limits.reply_bytes":       "bytes of one connection's unsent replies; who leaves more unread is cut off",
	"limits.handshake_timeout": "from the connection to the end of its Hello",
	"limits.frame_timeout":     "from the first byte of a frame to its last",
	"limits.idle_timeout":      "without a frame and without an unanswered request",
	"limits.write_timeout":     "for a client to take the next 256 KiB of its replies",
	"limits.leader_wait":       "for a leader to be known and reachable before a request is refused",
	"limits.drain_timeout":     "for requests in work when the node goes down",
}
