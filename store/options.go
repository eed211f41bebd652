package store

import (
	"fmt"
	"time"

	"github.com/linxGnu/grocksdb"
)

const (
	bloomBits      = 10
	memtableBloom  = 0.05 // share of a memtable given to its Bloom filter
	infoLogBytes   = 8 << 20
	infoLogFiles   = 4
	backgroundJobs = 2

	// A file with so many tombstones among so many neighbours is compacted soon.
	tombstoneWindow  = 1024
	tombstoneTrigger = 512
)

// settings are the options of one open database. RocksDB copies them when it opens.
type settings struct {
	objects  *objects
	db       *grocksdb.Options
	families [familyCount + 1]*grocksdb.Options // the last is RocksDB's "default", which stays empty
	tables   []*grocksdb.BlockBasedTableOptions
}

func newSettings(cfg *Config, cache *grocksdb.Cache, mode openMode, count *objects) (*settings, error) {
	s := &settings{objects: count, db: counted(count, objOptions, grocksdb.NewDefaultOptions())}
	s.db.SetCreateIfMissing(mode == openCreating)
	s.db.SetCreateIfMissingColumnFamilies(mode == openCreating)
	s.db.SetParanoidChecks(true)
	s.db.SetMaxTotalWalSize(cfg.MaxWALBytes)
	s.db.SetDbWriteBufferSize(cfg.WriteBufferBytes)
	s.db.SetMaxOpenFiles(cfg.MaxOpenFiles)
	s.db.SetMaxBackgroundJobs(backgroundJobs)
	s.db.SetWALRecoveryMode(grocksdb.PointInTimeRecovery)
	s.db.SetMaxLogFileSize(infoLogBytes)
	s.db.SetKeepLogFileNum(infoLogFiles)
	s.db.SetBytesPerSync(1 << 20)
	s.db.SetWALBytesPerSync(1 << 20)
	for f := range s.families {
		o, err := s.familyOptions(family(f), cfg, cache)
		if err != nil {
			s.destroy()
			return nil, err
		}
		o.SetDisableAutoCompactions(mode == openUncompacted)
		s.families[f] = o
	}
	return s, nil
}

func (s *settings) familyOptions(f family, cfg *Config, cache *grocksdb.Cache) (*grocksdb.Options, error) {
	table := counted(s.objects, objTableOptions, grocksdb.NewDefaultBlockBasedTableOptions())
	table.SetBlockCache(cache)
	table.SetCacheIndexAndFilterBlocks(true)
	table.SetCacheIndexAndFilterBlocksWithHighPriority(true)
	table.SetPinL0FilterAndIndexBlocksInCache(true)
	table.SetFormatVersion(5)
	s.tables = append(s.tables, table)

	o := counted(s.objects, objOptions, grocksdb.NewDefaultOptions())
	defer s.objects.free(objOptions, o)
	o.SetParanoidChecks(true)
	compressed, _ := compression(cfg.Compression)
	o.SetCompression(compressed)
	if cfg.CompactionStyle == "universal" {
		o.SetCompactionStyle(grocksdb.UniversalCompactionStyle)
	}
	o.SetWriteBufferSize(min(cfg.MemtableBytes, cfg.WriteBufferBytes))
	o.SetMaxWriteBufferNumber(cfg.MaxMemtables)
	o.SetLevel0FileNumCompactionTrigger(cfg.Level0Trigger)
	o.SetLevelCompactionDynamicLevelBytes(true)
	switch f {
	case famPending, famInProgress, famCompleted, famFailed, famDeadLetter, famCancelled, famBlobs, famID, famUnique:
		table.SetFilterPolicy(grocksdb.NewBloomFilterFull(bloomBits)) // read by whole key
		o.SetMemtableWholeKeyFiltering(true)
		o.SetMemTablePrefixBloomSizeRatio(memtableBloom)
	case famDependents:
		// Read by parent: most parents have no children, which the filter tells without a search.
		table.SetFilterPolicy(grocksdb.NewBloomFilterFull(bloomBits))
		table.SetWholeKeyFiltering(false)
		o.SetMemTablePrefixBloomSizeRatio(memtableBloom)
	}
	switch f {
	case famMeta: // few keys
	default:
		o.AddCompactOnDeletionCollectorFactory(tombstoneWindow, tombstoneTrigger) // keys come and go
	}
	o.SetBlockBasedTableFactory(table)
	// As text, because the binding lacks the first two setters and frees an extractor of the third twice. The hint makes
	// a memtable begin its search where the last key with the same first byte went.
	text := fmt.Sprintf("periodic_compaction_seconds=%d;memtable_insert_with_hint_prefix_extractor=fixed:1",
		cfg.PeriodicCompaction/time.Second)
	if f == famDependents {
		text += ";prefix_extractor=fixed:16"
	}
	parsed, err := grocksdb.GetOptionsFromString(o, text)
	if err == nil {
		s.objects.add(objOptions, 1)
	}
	return parsed, err
}

// compression is RocksDB's number of a name. One that the library was built without is refused when a database opens.
func compression(name string) (_ grocksdb.CompressionType, known bool) {
	switch name {
	case "none":
		return grocksdb.NoCompression, true
	case "snappy":
		return grocksdb.SnappyCompression, true
	case "lz4":
		return grocksdb.LZ4Compression, true
	case "zlib":
		return grocksdb.ZLibCompression, true
	case "zstd":
		return grocksdb.ZSTDCompression, true
	}
	return 0, false
}

func (s *settings) destroy() {
	for _, o := range s.families {
		if o != nil {
			s.objects.free(objOptions, o)
		}
	}
	for _, t := range s.tables {
		s.objects.free(objTableOptions, t)
	}
	s.objects.free(objOptions, s.db)
}
