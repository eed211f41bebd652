package config

import (
	"fmt"
	"strings"
)

// What a node needs beside the parts that are settings, with room for tasks of the largest size; the memory test of
// internal/outage holds it.
const (
	// nativeReserve is for what RocksDB takes beside its cache and write buffers: batches, memtables and files that are
	// being written, tables that are open, what the allocator holds back; and for the pages of the program's file.
	nativeReserve = 128 << 20
	// goReserve is for what Go holds beside its caches and clients' requests: the fronts of the queues, the log's entries
	// on their way to the disk and into the database, of which there are at most two of 16 MiB in several forms, and the
	// program's own.
	goReserve = 160 << 20
	// goMargin is what is allocated while garbage is being collected because Go's limit is reached.
	goMargin = 48 << 20
)

// memoryPart is a share of the memory that a node may use.
type memoryPart struct {
	name  string
	bytes Size
}

// nativeParts are outside of Go's heap, goParts in it.
func (c *Config) nativeParts() []memoryPart {
	return []memoryPart{
		{"store.block_cache", c.Store.BlockCache}, {"store.write_buffer_total", c.Store.WriteBufferTotal},
		{"RocksDB's work", nativeReserve},
	}
}

func (c *Config) goParts() []memoryPart {
	return []memoryPart{
		{"store.record_cache", c.Store.RecordCache}, {"raft.log_cache", c.Raft.LogCache},
		{"2 x limits.total_bytes", 2 * c.Limits.TotalSize}, // requests and replies
		{"entries under way and the program", goReserve}, {"garbage", goMargin},
	}
}

func sum(parts []memoryPart) (total Size) {
	for _, p := range parts {
		total += p.bytes
	}
	return total
}

// Memory is what the node may use: MemoryLimit, or the sum of the parts if that is 0.
func (c *Config) Memory() Size {
	if c.MemoryLimit != 0 {
		return c.MemoryLimit
	}
	return sum(c.nativeParts()) + sum(c.goParts())
}

// GoMemory is the memory at which Go collects its garbage more often: what RocksDB leaves of Memory, but for a margin.
func (c *Config) GoMemory() Size { return c.Memory() - sum(c.nativeParts()) - goMargin }

// checkMemory wants the parts to fit.
func (c *Config) checkMemory() []error {
	parts := append(c.nativeParts(), c.goParts()...)
	if sum(parts) <= c.Memory() {
		return nil
	}
	var words []string
	for _, p := range parts {
		words = append(words, fmt.Sprintf("%s %v", p.name, p.bytes))
	}
	return []error{fmt.Errorf("memory_limit: %v is less than the %v that its parts take: %s "+
		"(allowed: 0 for their sum, or at least that)", c.MemoryLimit, sum(parts), strings.Join(words, ", "))}
}
