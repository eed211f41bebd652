package config

// meanings says of each setting what it is for: in the flags' help, the sample and the reference.
var meanings = map[string]string{
	"data_dir":  "directory of everything this node keeps; made if missing",
	"listen":    "HOST:PORT that serves clients and the other nodes",
	"advertise": "HOST:PORT under which others reach this node; empty means listen",
	"bootstrap": "found a new cluster; nothing happens if the directory belongs to one",
	"join":      "HOST:PORT of nodes whose cluster to join; nothing happens if the directory belongs to it",
	"node_name": "name shown to people; empty means the host's name",
	"insecure":  "serve everybody at an address that others can reach as long as the cluster has no token",
	"bootstrap_token_file": "file with the first admin's token, mode 0600: the node makes it when it leads and no admin has a " +
		"valid one, and serves nobody before; `haiku token generate` writes such a text",
	"token_file":    "file with an admin's token of the cluster to join, mode 0600; needed until the node is a member",
	"token":         "the token itself, for the variable HAIKU_TOKEN; token_file goes before it",
	"dedup_window":  "a submit whose id was made longer ago is refused unless the task is there; the leader's counts",
	"session_grace": "how long a worker without connection may take to come back before its leases are released",

	"memory_limit": "memory that the node may use, so that its caches, buffers and requests have to fit; 0 is the sum of " +
		"what they may take",

	"http.listen": "HOST:PORT that serves HTTP; off for none; empty means " + soloHTTP + " for a node that founds a cluster " +
		"of its own on listen's default, and off for any other",
	"http.base_path":    "path below which everything is served, such as /haiku behind a proxy; empty for none",
	"http.cors_origins": "origins such as https://ops.example.com whose pages may call the API; none by default",
	"http.connections":  "HTTP connections at once",
	"http.requests":     "HTTP requests in work at once, but for event streams and what waits for tasks",
	"http.body_timeout": "for the whole body of a request to arrive",

	"metrics.queues": "queues with series of their own at /metrics, those seen first; all others are counted as _other",

	"disk.refuse_below": "submits are refused while less is free on the file system of data_dir or db_path, of the " +
		"leader or of a voter that says so of itself; 0 for never",

	"log.level":  "least important level that is logged",
	"log.format": "text for people, json for machines",

	"trace.otlp_endpoint": "http or https URL of a collector that takes OTLP over HTTP, such as " +
		"http://127.0.0.1:4318; the path is /v1/traces if it names none; empty sends nothing",
	"trace.sample_ratio": "share of the traces sampled by clients to which this node adds its spans",

	"raft.log_store": "what keeps Raft's log: wal (segments, by raft-wal), or boltdb, which syncs twice a write instead of " +
		"once; fixed when the node first starts",
	"raft.heartbeat_timeout": "a follower stands for election without word from the leader for this long, or without a connection of it for a fifth of this",
	"raft.election_timeout":  "how long a candidate waits for votes; at least heartbeat_timeout",
	"raft.leader_lease_timeout": "a leader without contact to a majority for this long steps down; at " +
		"most heartbeat_timeout",
	"raft.trailing_logs":      "most log entries kept after a snapshot, for followers that lag",
	"raft.snapshot_threshold": "log entries after which the log is cut",
	"raft.snapshot_interval":  "how often the log's length is looked at",
	"raft.storage_timeout":    "a write to the disk that hangs for this long ends the process",

	"raft.log_cache": "memory for the newest entries of the log, from which followers are served",

	"store.db_path": "directory of the database: below data_dir, or absolute and existing, for a disk of its own; there " +
		"it gets a directory named after the node",
	"store.enable_wal": "RocksDB's own log; has to stay on",
	"store.wal_sync_mode": "0 leaves RocksDB's log to the operating system (Raft's log is the " +
		"durable one), 1 syncs each batch, 2 syncs every wal_sync_interval",
	"store.wal_sync_interval": "used with wal_sync_mode 2",
	"store.max_wal":           "size of RocksDB's log at which what pins it is flushed",
	"store.compression_type":  "of files written from now on; those that exist keep theirs",
	"store.compaction_style": "level reads and keeps less, universal writes less and may need twice the space for a " +
		"while; can be changed at any start",
	"store.write_buffer_size":       "memory of one column family at which it is flushed; at most write_buffer_total",
	"store.max_write_buffer_number": "of one column family; while so many are full or being flushed, writes wait",
	"store.level0_file_num_compaction_trigger": "files of one column family that are compacted into the next level; more " +
		"mean fewer writes and slower reads",
	"store.periodic_compaction_seconds": "a file older than this is compacted even if nothing else asks for it, so that " +
		"deleted data leaves the disk; each file is then rewritten that often; 0 is never, else at least 60",
	"store.max_open_files":     "table files kept open; others are opened when they are read",
	"store.block_cache":        "memory for blocks, indexes and filters",
	"store.write_buffer_total": "memory for what is not yet flushed to files, of all column families",
	"store.record_cache":       "memory for decoded records of waiting and running tasks",

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
