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

	WALSyncMode     int           // 0: the operating system writes when it likes; 1: fsync each commit; 2: every WALSyncInterval
	WALSyncInterval time.Duration // with mode 2
	MaxWALBytes     uint64        // all WAL files together, before families that pin them are flushed

	BlockCacheBytes  uint64 // RocksDB's cache of blocks, indexes and filters
	WriteBufferBytes uint64 // all memtables together
	RecordCacheBytes int    // decoded records of waiting and running tasks
	HeadEntries      int    // ready tasks kept in memory for one (queue, type)
	HeadsTotal       int    // for all of them together
}

// Default is the configuration of a node that nobody tuned.
func Default() Config {
	return Config{
		WALSyncInterval:  time.Second,
		MaxWALBytes:      256 << 20,
		BlockCacheBytes:  256 << 20,
		WriteBufferBytes: 128 << 20,
		RecordCacheBytes: 32 << 20,
		HeadEntries:      1024,
		HeadsTotal:       128 << 10,
	}
}

// Validate reports every field out of range. The error wraps ErrInvalid.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: store "+format, append([]any{task.ErrInvalid}, args...)...))
	}
	if c.Dir == "" {
		bad("directory is empty")
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
	}{{"max_wal_bytes", c.MaxWALBytes}, {"block_cache_bytes", c.BlockCacheBytes}, {"write_buffer_bytes", c.WriteBufferBytes}} {
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
	return errors.Join(errs...)
}
