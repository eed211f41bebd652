package store

import "fmt"

// Usage is what RocksDB holds in memory and has still to do, all families together.
type Usage struct {
	BlockCache   uint64 // bytes; shared by all
	Memtables    uint64 // bytes, those being flushed included
	TableReaders uint64 // bytes of indexes and filters outside of the block cache
	Compacting   bool   // a flush or compaction is under way or waits
}

// Usage asks RocksDB.
func (s *Store) Usage() (Usage, error) {
	var u Usage
	d, err := s.acquire()
	if err != nil {
		return u, err
	}
	defer d.users.Done()
	for f := range familyCount {
		for _, p := range [...]struct {
			name string
			take func(n uint64)
		}{
			{"rocksdb.block-cache-usage", func(n uint64) { u.BlockCache = n }},
			{"rocksdb.cur-size-all-mem-tables", func(n uint64) { u.Memtables += n }},
			{"rocksdb.estimate-table-readers-mem", func(n uint64) { u.TableReaders += n }},
			{"rocksdb.mem-table-flush-pending", func(n uint64) { u.Compacting = u.Compacting || n > 0 }},
			{"rocksdb.compaction-pending", func(n uint64) { u.Compacting = u.Compacting || n > 0 }},
			{"rocksdb.num-running-compactions", func(n uint64) { u.Compacting = u.Compacting || n > 0 }},
			{"rocksdb.num-running-flushes", func(n uint64) { u.Compacting = u.Compacting || n > 0 }},
		} {
			n, ok := d.db.GetIntPropertyCF(p.name, d.handles[f])
			if !ok {
				return u, fmt.Errorf("%w: RocksDB does not tell %s of %s", errCorrupt, p.name, f)
			}
			p.take(n)
		}
	}
	return u, nil
}
