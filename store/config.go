package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// Config says where a store is and how much it may use. Default gives all but Dir and Create.
type Config struct {
	Dir    string // the store's own directory; made if Create
	Create bool   // only for a node known to be new: without it a directory without database is an error

	ReadOnly bool // changes nothing on disk, and refuses to
	Repair   bool // for Verify: opens although counters cannot be read

	// OnFatal is told once when something could not be read, written or synced. Nothing is written after it, and the
	// process has to end: what could not be read must not pass for what is not there. It must not block; nil for nobody.
	OnFatal func(error)

	EnableWAL       bool          // has to be set; see Validate
	WALSyncMode     int           // 0: the operating system writes when it likes; 1: fsync each commit; 2: every WALSyncInterval
	WALSyncInterval time.Duration // with mode 2
	MaxWALBytes     uint64        // all WAL files together, before families that pin them are flushed

	BlockCacheBytes  uint64 // RocksDB's cache of blocks, indexes and filters
	WriteBufferBytes uint64 // all memtables together
	MaxOpenFiles     int    // table files kept open
	RecordCacheBytes int    // decoded records of waiting and running tasks
	HeadEntries      int    // ready tasks kept in memory for one (queue, type)
	HeadsTotal       int    // for all of them together

	Compression        string        // of new files: none, snappy, lz4, zlib or zstd
	CompactionStyle    string        // level or universal
	MemtableBytes      uint64        // of one family, before it is flushed; no more than WriteBufferBytes counts
	MaxMemtables       int           // of one family, the ones being flushed included; writes wait for the flush of more
	Level0Trigger      int           // files of a family in level 0, or sorted runs with universal, that are compacted
	PeriodicCompaction time.Duration // a file older than this is compacted even if nothing else asks for it; 0: never
}

// Default is the configuration of a node that nobody tuned.
func Default() Config {
	return Config{
		EnableWAL:        true,
		WALSyncInterval:  time.Second,
		MaxWALBytes:      256 << 20,
		BlockCacheBytes:  256 << 20,
		WriteBufferBytes: 128 << 20,
		MaxOpenFiles:     1024,
		RecordCacheBytes: 32 << 20,
		HeadEntries:      1024,
		HeadsTotal:       128 << 10,

		Compression:        "lz4",
		CompactionStyle:    "level",
		MemtableBytes:      32 << 20,
		MaxMemtables:       2,
		Level0Trigger:      4,
		PeriodicCompaction: 24 * time.Hour,
	}
}

// Validate reports every field out of range. The error wraps ErrInvalid.
//
// A store without WAL cannot be made safe with this RocksDB: its atomic flush of all families loses data when the WAL
// is off, and a plain flush takes one family at a time. Raft's log does not help, for it begins where the database
// durably ends, which would be a different place for each family.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: store "+format, append([]any{task.ErrInvalid}, args...)...))
	}
	if c.Dir == "" {
		bad("directory is empty")
	}
	if !c.EnableWAL {
		bad("enable_wal false is refused: without the log a crash may take the newest writes of one column family and " +
			"leave another's, so records and indexes would contradict each other")
	}
	if c.WALSyncMode < 0 || c.WALSyncMode > 2 {
		bad("wal_sync_mode %d is not 0, 1 or 2", c.WALSyncMode)
	}
	if c.WALSyncMode == 2 && (c.WALSyncInterval < time.Millisecond || c.WALSyncInterval > time.Hour) {
		bad("wal_sync_interval %s is not within 1ms and 1h", c.WALSyncInterval)
	}
	for _, size := range []struct {
		name string
		n    uint64
	}{
		{"max_wal_bytes", c.MaxWALBytes}, {"block_cache_bytes", c.BlockCacheBytes},
		{"write_buffer_bytes", c.WriteBufferBytes}, {"memtable_bytes", c.MemtableBytes},
	} {
		if size.n < 1<<20 || size.n > 1<<40 {
			bad("%s %d is not within 1 MiB and 1 TiB", size.name, size.n)
		}
	}
	if c.RecordCacheBytes < 0 {
		bad("record_cache_bytes %d is negative", c.RecordCacheBytes)
	}
	if c.HeadEntries < 1 || c.HeadsTotal < c.HeadEntries {
		bad("head_entries %d is not within 1 and heads_total %d", c.HeadEntries, c.HeadsTotal)
	}
	return errors.Join(append(errs, c.validateFiles())...)
}

// validateFiles checks what shapes the database's files.
func (c *Config) validateFiles() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: store "+format, append([]any{task.ErrInvalid}, args...)...))
	}
	if _, ok := compression(c.Compression); !ok {
		bad("compression %q is not none, snappy, lz4, zlib or zstd", c.Compression)
	}
	switch c.CompactionStyle {
	case "level", "universal":
	case "fifo":
		bad("compaction_style fifo is refused: it deletes the oldest files with all that is in them")
	default:
		bad("compaction_style %q is not level or universal", c.CompactionStyle)
	}
	if c.MaxMemtables < 2 || c.MaxMemtables > 64 {
		bad("max_memtables %d is not within 2 and 64", c.MaxMemtables)
	}
	if c.Level0Trigger < 2 || c.Level0Trigger > 20 {
		bad("level0_trigger %d is not within 2 and 20", c.Level0Trigger)
	}
	if p := c.PeriodicCompaction; p != 0 && (p < time.Minute || p > 365*24*time.Hour) {
		bad("periodic_compaction %s is not 0 and not within 1m and 8760h", p)
	}
	if c.MaxOpenFiles < 64 || c.MaxOpenFiles > 1_000_000 {
		bad("max_open_files %d is not within 64 and 1000000", c.MaxOpenFiles)
	}
	return errors.Join(errs...)
}
