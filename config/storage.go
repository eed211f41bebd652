package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Store tunes the database of one node.
type Store struct {
	DBPath          string        `key:"db_path"`
	EnableWAL       bool          `key:"enable_wal"`
	WALSyncMode     int           `key:"wal_sync_mode" min:"0" max:"2"`
	WALSyncInterval time.Duration `key:"wal_sync_interval" min:"10ms" max:"1h"`
	MaxWAL          Size          `key:"max_wal" min:"16MiB" max:"1TiB"`

	CompressionType           string `key:"compression_type" oneof:"none snappy lz4 zlib zstd"`
	CompactionStyle           string `key:"compaction_style" oneof:"level universal"`
	WriteBufferSize           Size   `key:"write_buffer_size" min:"1MiB" max:"4GiB"`
	MaxWriteBufferNumber      int    `key:"max_write_buffer_number" min:"2" max:"64"`
	Level0Trigger             int    `key:"level0_file_num_compaction_trigger" min:"2" max:"20"`
	PeriodicCompactionSeconds int    `key:"periodic_compaction_seconds" min:"0" max:"31536000"`
	MaxOpenFiles              int    `key:"max_open_files" min:"64" max:"1000000"`

	BlockCache       Size `key:"block_cache" min:"8MiB" max:"1TiB"`
	WriteBufferTotal Size `key:"write_buffer_total" min:"8MiB" max:"1TiB"`
	RecordCache      Size `key:"record_cache" min:"0" max:"64GiB"`
}

// DefaultDBPath is where the database of a node lies below its data directory, unless it is told otherwise.
const DefaultDBPath = "groups/0/store"

func defaultStore() Store {
	return Store{
		DBPath:          DefaultDBPath,
		EnableWAL:       true,
		WALSyncInterval: time.Second,
		MaxWAL:          256 << 20,

		CompressionType:           "lz4",
		CompactionStyle:           "level",
		WriteBufferSize:           32 << 20,
		MaxWriteBufferNumber:      2,
		Level0Trigger:             4,
		PeriodicCompactionSeconds: 24 * 3600,
		MaxOpenFiles:              1024,

		BlockCache:       256 << 20,
		WriteBufferTotal: 128 << 20,
		RecordCache:      32 << 20,
	}
}

// refusals say why values that one would expect to be allowed are not, by KEY=VALUE.
var refusals = map[string]string{
	"store.enable_wal=false": "without its log, a crash may take the newest writes of one column family and leave " +
		"another's, and replay of Raft's log begins where the database ends; wal_sync_mode 0 is the fast way that is safe",
	"store.compaction_style=fifo": "it deletes the oldest files with all that is in them",
}

// checkStore holds the settings of the database against each other.
func (c *Config) checkStore() []error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf("store."+format, args...)) }
	s := &c.Store
	if s.WriteBufferSize > s.WriteBufferTotal {
		add("write_buffer_size: %v is more than store.write_buffer_total, %v (allowed: at most that)",
			s.WriteBufferSize, s.WriteBufferTotal)
	}
	if n := s.PeriodicCompactionSeconds; 0 < n && n < 60 {
		add("periodic_compaction_seconds: %d would write every file anew all the time (allowed: 0 for never, or at least 60)", n)
	}
	if !filepath.IsAbs(s.DBPath) && s.DBPath != DefaultDBPath {
		first, _, _ := strings.Cut(filepath.ToSlash(filepath.Clean(s.DBPath)), "/")
		if !filepath.IsLocal(s.DBPath) || slices.Contains(ownNames[:], first) {
			add("db_path: %q would not lie in a place of its own below data_dir (allowed: %s, a path below data_dir that does "+
				"not begin with %s, or the absolute path of a directory that exists)",
				s.DBPath, DefaultDBPath, strings.Join(ownNames[:], ", "))
		}
	}
	return problems
}

// ownNames are what a data directory holds beside the database.
var ownNames = [...]string{".", "groups", "node.json", "node.json.tmp", "LOCK", "lost+found"}

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
