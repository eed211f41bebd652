package config

import "time"

// Store tunes the database of one node.
type Store struct {
	WALSyncMode     int           `key:"wal_sync_mode" min:"0" max:"2"`
	WALSyncInterval time.Duration `key:"wal_sync_interval" min:"10ms" max:"1h"`
	MaxWAL          Size          `key:"max_wal" min:"16MiB" max:"1TiB"`
	BlockCache      Size          `key:"block_cache" min:"8MiB" max:"1TiB"`
	WriteBuffer     Size          `key:"write_buffer" min:"8MiB" max:"1TiB"`
	RecordCache     Size          `key:"record_cache" min:"0" max:"64GiB"`
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
	Connections     int  `key:"connections" min:"1" max:"100000"`
	RaftConnections int  `key:"raft_connections" min:"1" max:"10000"`
	Requests        int  `key:"requests" min:"1" max:"65536"`
	ConnectionSize  Size `key:"connection_bytes" min:"16MiB" max:"1GiB"`
	TotalSize       Size `key:"total_bytes" min:"16MiB" max:"1TiB"`
	ReplySize       Size `key:"reply_bytes" min:"32MiB" max:"1GiB"`

	HandshakeTimeout time.Duration `key:"handshake_timeout" min:"100ms" max:"1m"`
	FrameTimeout     time.Duration `key:"frame_timeout" min:"100ms" max:"10m"`
	IdleTimeout      time.Duration `key:"idle_timeout" min:"1s" max:"24h"`
	WriteTimeout     time.Duration `key:"write_timeout" min:"100ms" max:"10m"`
	LeaderWait       time.Duration `key:"leader_wait" min:"10ms" max:"1m"`
	DrainTimeout     time.Duration `key:"drain_timeout" min:"0s" max:"10m"`
}

func defaultLimits() Limits {
	return Limits{
		Connections: 4096, RaftConnections: 256, Requests: 256,
		ConnectionSize: 32 << 20, TotalSize: 512 << 20, ReplySize: 64 << 20,
		HandshakeTimeout: 5 * time.Second, FrameTimeout: time.Minute, IdleTimeout: 5 * time.Minute,
		WriteTimeout: 30 * time.Second, LeaderWait: 3 * time.Second, DrainTimeout: 10 * time.Second,
	}
}
