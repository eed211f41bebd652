package cluster

import "github.com/hashicorp/raft"

// logCache holds the newest entries of the log, as many as fit its bytes, so that replication reads no disk. Raft's own
// cache counts entries, of which one may have 10 MiB. It is guarded by its owner's lock.
type logCache struct {
	limit, bytes int64
	first        uint64 // index of entries[0]
	entries      []raft.Log
}

func (c *logCache) get(index uint64, l *raft.Log) bool {
	if index < c.first || index-c.first >= uint64(len(c.entries)) {
		return false
	}
	*l = c.entries[index-c.first]
	return true
}

// put appends an entry. One that does not follow the last starts the cache afresh.
func (c *logCache) put(l *raft.Log) {
	if len(c.entries) > 0 && l.Index != c.first+uint64(len(c.entries)) {
		*c = logCache{limit: c.limit}
	}
	if len(c.entries) == 0 {
		c.first = l.Index
	}
	c.entries = append(c.entries, *l)
	c.bytes += entrySize(l)
	for c.bytes > c.limit {
		c.dropFirst()
	}
}

// drop forgets the entries from lowest to highest, which are at the beginning or the end of the log.
func (c *logCache) drop(lowest, highest uint64) {
	for len(c.entries) > 0 && lowest <= c.first && c.first <= highest {
		c.dropFirst()
	}
	for n := len(c.entries); n > 0; n = len(c.entries) {
		if last := c.first + uint64(n) - 1; last < lowest || last > highest {
			return
		}
		c.bytes -= entrySize(&c.entries[n-1])
		c.entries[n-1] = raft.Log{}
		c.entries = c.entries[:n-1]
	}
}

func (c *logCache) dropFirst() {
	c.bytes -= entrySize(&c.entries[0])
	c.entries[0] = raft.Log{}
	c.entries = c.entries[1:]
	c.first++
}

// entryOverhead is about what an entry takes on disk and in memory beside its data.
const entryOverhead = 96

func entrySize(l *raft.Log) int64 { return int64(len(l.Data)+len(l.Extensions)) + entryOverhead }

// logExtent says which entries the log holds and how many bytes each has. It is guarded by its owner's lock.
type logExtent struct {
	first uint64 // index of sizes[0]
	sizes []uint32
	bytes int64
}

// last is the index of the newest entry; 0 if there is none.
func (e *logExtent) last() uint64 {
	if len(e.sizes) == 0 {
		return 0
	}
	return e.first + uint64(len(e.sizes)) - 1
}

// oldest is the index of the first entry; 0 if there is none.
func (e *logExtent) oldest() uint64 {
	if len(e.sizes) == 0 {
		return 0
	}
	return e.first
}

// has reports whether there is an entry at an index.
func (e *logExtent) has(index uint64) bool {
	return e.oldest() <= index && index <= e.last() && index != 0
}

func (e *logExtent) push(index uint64, size int64) {
	if len(e.sizes) == 0 {
		e.first = index
	}
	e.sizes = append(e.sizes, uint32(size))
	e.bytes += size
}

// cut takes out the entries from lowest to highest, which are at the beginning or the end.
func (e *logExtent) cut(lowest, highest uint64) {
	if len(e.sizes) == 0 || highest < e.first || lowest > e.last() {
		return
	}
	from, to := max(lowest, e.first)-e.first, min(highest, e.last())-e.first+1
	for _, size := range e.sizes[from:to] {
		e.bytes -= int64(size)
	}
	if from == 0 {
		e.sizes, e.first = e.sizes[to:], e.first+to
		return
	}
	e.sizes = e.sizes[:from]
}

// after is how many bytes stand after an index.
func (e *logExtent) after(index uint64) int64 {
	if index < e.first {
		return e.bytes
	}
	skip := index - e.first + 1
	if skip >= uint64(len(e.sizes)) {
		return 0
	}
	var n int64
	for _, size := range e.sizes[skip:] {
		n += int64(size)
	}
	return n
}
