package store

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Levels is how many levels a family of tables has at most.
const Levels = 7

// Vitals is how RocksDB is doing. Bytes unless something else is said.
type Vitals struct {
	BlockCache         uint64
	BlockCacheCapacity uint64
	WAL                uint64        // of the files of its own log
	Stalled            time.Duration // writes were held up since the database was opened; a restore begins anew
	WriteStopped       bool          // writes wait now
	WriteRate          uint64        // bytes a second to which writes are slowed down now; 0 if they are not
	Compactions        uint64        // running
	Flushes            uint64        // running
	Families           []FamilyVitals
}

// FamilyVitals is Vitals of one column family.
type FamilyVitals struct {
	Name              string
	Memtables         uint64 // those being flushed included
	Immutable         uint64 // memtables that are full and not yet flushed
	TableReaders      uint64 // indexes and filters outside of the block cache
	Tables            uint64 // files that make up the family
	LiveData          uint64 // an estimate of what a full compaction would leave
	PendingCompaction uint64 // an estimate of what is to be rewritten before levels have their sizes
	CompactionPending bool
	FlushPending      bool
	Files             [Levels]uint64 // by level
}

// Vitals asks RocksDB. It reads memory, but for the sizes of the log's files.
func (s *Store) Vitals() (Vitals, error) {
	var v Vitals
	d, err := s.acquire()
	if err != nil {
		return v, err
	}
	defer d.users.Done()
	r := properties{d: d}
	r.of(0)
	v.BlockCache, v.BlockCacheCapacity = r.number("rocksdb.block-cache-usage"), r.number("rocksdb.block-cache-capacity")
	v.WriteStopped, v.WriteRate = r.number("rocksdb.is-write-stopped") > 0, r.number("rocksdb.actual-delayed-write-rate")
	v.Compactions, v.Flushes = r.number("rocksdb.num-running-compactions"), r.number("rocksdb.num-running-flushes")
	v.Stalled = r.stalled()
	for f := range familyCount {
		r.of(f)
		one := FamilyVitals{
			Name: f.String(), Memtables: r.number("rocksdb.cur-size-all-mem-tables"),
			Immutable: r.number("rocksdb.num-immutable-mem-table"), TableReaders: r.number("rocksdb.estimate-table-readers-mem"),
			Tables: r.number("rocksdb.live-sst-files-size"), LiveData: r.number("rocksdb.estimate-live-data-size"),
			PendingCompaction: r.number("rocksdb.estimate-pending-compaction-bytes"),
			CompactionPending: r.number("rocksdb.compaction-pending") > 0, FlushPending: r.number("rocksdb.mem-table-flush-pending") > 0,
		}
		for level := range one.Files {
			one.Files[level] = r.text(fmt.Sprintf("rocksdb.num-files-at-level%d", level))
		}
		v.Families = append(v.Families, one)
	}
	if r.err == nil {
		v.WAL, r.err = walBytes(d.path)
	}
	return v, r.err
}

// properties reads what RocksDB tells of one family after the other. The first that it does not tell is the error.
type properties struct {
	d   *database
	f   family
	err error
}

func (r *properties) of(f family) { r.f = f }

func (r *properties) number(name string) uint64 {
	n, ok := r.d.db.GetIntPropertyCF(name, r.d.handles[r.f])
	if !ok {
		r.missing(name)
	}
	return n
}

// text is number for those that RocksDB tells as text alone.
func (r *properties) text(name string) uint64 {
	n, err := strconv.ParseUint(r.d.db.GetPropertyCF(name, r.d.handles[r.f]), 10, 64)
	if err != nil {
		r.missing(name)
	}
	return n
}

// stalled reads the line "Cumulative stall: 00:00:0.000 H:M:S, 0.0 percent".
func (r *properties) stalled() time.Duration {
	const name = "rocksdb.dbstats"
	_, after, _ := strings.Cut(r.d.db.GetPropertyCF(name, r.d.handles[r.f]), "Cumulative stall: ")
	var h, m int
	var s float64
	if _, err := fmt.Sscanf(after, "%d:%d:%f", &h, &m, &s); err != nil {
		r.missing(name)
	}
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s*float64(time.Second))
}

func (r *properties) missing(name string) {
	if r.err == nil {
		r.err = fmt.Errorf("RocksDB does not tell %s of %s", name, r.f)
	}
}

// walBytes adds up the files of RocksDB's own log.
func walBytes(dir string) (total uint64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".log") {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return 0, err
		}
		total += uint64(info.Size())
	}
	return total, nil
}
