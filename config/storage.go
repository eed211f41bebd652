package config

import "time"

// Store tunes the database of one node.
type Store struct {
	WALSyncMode     int           `key:"wal_sync_mode" min:"0" max:"2" help:"0 leaves RocksDB's log to the operating system (Raft's log is the durable one), 1 syncs each batch, 2 syncs every wal_sync_interval"`
	WALSyncInterval time.Duration `key:"wal_sync_interval" min:"10ms" max:"1h" help:"used with wal_sync_mode 2"`
	MaxWAL          Size          `key:"max_wal" min:"16MiB" max:"1TiB" help:"size of RocksDB's log at which what pins it is flushed"`
	BlockCache      Size          `key:"block_cache" min:"8MiB" max:"1TiB" help:"memory for blocks, indexes and filters"`
	WriteBuffer     Size          `key:"write_buffer" min:"8MiB" max:"1TiB" help:"memory for what is not yet flushed to files"`
	RecordCache     Size          `key:"record_cache" min:"0" max:"64GiB" help:"memory for decoded records of waiting and running tasks"`
}

func defaultStore() Store {
	return Store{
		WALSyncInterval: time.Second,
		MaxWAL:          256 << 20,
		BlockCache:      256 << 20,
		WriteBuffer:     128 << 20,
		RecordCache:     32 << 20,
	}
}

// Limits bound what clients can make this node hold, and for how long.
type Limits struct {
	Connections     int  `key:"connections" min:"1" max:"100000" help:"client connections at once"`
	RaftConnections int  `key:"raft_connections" min:"1" max:"10000" help:"connections of other nodes at once"`
	Requests        int  `key:"requests" min:"1" max:"65536" help:"unanswered requests of one connection, waiting claims included"`
	ConnectionSize  Size `key:"connection_bytes" min:"16MiB" max:"1GiB" help:"bytes of one connection's unanswered requests"`
	TotalSize       Size `key:"total_bytes" min:"16MiB" max:"1TiB" help:"bytes of all unanswered requests and unsent replies; at least connection_bytes"`
	ReplySize       Size `key:"reply_bytes" min:"32MiB" max:"1GiB" help:"bytes of one connection's unsent replies; who leaves more unread is cut off"`

	HandshakeTimeout time.Duration `key:"handshake_timeout" min:"100ms" max:"1m" help:"from the connection to the end of its Hello"`
	FrameTimeout     time.Duration `key:"frame_timeout" min:"100ms" max:"10m" help:"from the first byte of a frame to its last"`
	IdleTimeout      time.Duration `key:"idle_timeout" min:"1s" max:"24h" help:"without a frame and without an unanswered request"`
	WriteTimeout     time.Duration `key:"write_timeout" min:"100ms" max:"10m" help:"for a client to take the next 256 KiB of its replies"`
	LeaderWait       time.Duration `key:"leader_wait" min:"10ms" max:"1m" help:"for a leader to be known and reachable before a request is refused"`
	DrainTimeout     time.Duration `key:"drain_timeout" min:"0s" max:"10m" help:"for requests in work when the node goes down"`
}

func defaultLimits() Limits {
	return Limits{
		Connections: 4096, RaftConnections: 256, Requests: 256,
		ConnectionSize: 32 << 20, TotalSize: 512 << 20, ReplySize: 64 << 20,
		HandshakeTimeout: 5 * time.Second, FrameTimeout: time.Minute, IdleTimeout: 5 * time.Minute,
		WriteTimeout: 30 * time.Second, LeaderWait: 3 * time.Second, DrainTimeout: 10 * time.Second,
	}
}
