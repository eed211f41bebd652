package config

import "time"

// Store tunes the database of one node.
type Store struct {
	WALSyncMode        int           `key:"wal_sync_mode" min:"0" max:"2" help:"0 leaves RocksDB's log unsynced (Raft's log is the durable one), 1 syncs each batch, 2 syncs every wal_sync_interval"`
	WALSyncInterval    time.Duration `key:"wal_sync_interval" min:"10ms" max:"10m" help:"with wal_sync_mode 2"`
	MaxTotalWAL        Size          `key:"max_total_wal_size" min:"16MiB" max:"16GiB" help:"size of RocksDB's log at which the oldest families are flushed"`
	BlockCache         Size          `key:"block_cache" min:"8MiB" max:"1TiB" help:"cache of blocks, indexes and filters, shared by all column families"`
	WriteBuffer        Size          `key:"write_buffer" min:"1MiB" max:"4GiB" help:"size of one memtable of one column family"`
	MaxWriteBuffers    int           `key:"max_write_buffers" min:"2" max:"64" help:"memtables of one column family before writes wait"`
	Level0Trigger      int           `key:"level0_file_num_compaction_trigger" min:"1" max:"100" help:"files in level 0 that start a compaction"`
	PeriodicCompaction time.Duration `key:"periodic_compaction" min:"0s" max:"8760h" help:"files older than this are compacted; 0s for never"`
	Compression        string        `key:"compression" oneof:"lz4 zstd snappy none" help:"how blocks are compressed"`
	CompactionStyle    string        `key:"compaction_style" oneof:"level universal" help:"how files are merged"`
}

func defaultStore() Store {
	return Store{
		WALSyncInterval:    time.Second,
		MaxTotalWAL:        256 << 20,
		BlockCache:         256 << 20,
		WriteBuffer:        64 << 20,
		MaxWriteBuffers:    3,
		Level0Trigger:      4,
		PeriodicCompaction: time.Hour,
		Compression:        "lz4",
		CompactionStyle:    "level",
	}
}

// Limits bound what clients can take of one node.
type Limits struct {
	Connections    int  `key:"connections" min:"1" max:"100000" help:"client connections at once"`
	InFlight       int  `key:"in_flight" min:"1" max:"100000" help:"unanswered requests of one connection"`
	ConnectionSize Size `key:"connection_bytes" min:"16MiB" max:"1TiB" help:"bytes of unanswered requests of one connection"`
	TotalSize      Size `key:"total_bytes" min:"16MiB" max:"1TiB" help:"bytes of unanswered requests of all connections"`
}

func defaultLimits() Limits {
	return Limits{Connections: 10_000, InFlight: 1024, ConnectionSize: 64 << 20, TotalSize: 1 << 30}
}
