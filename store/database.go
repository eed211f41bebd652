package store

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/linxGnu/grocksdb"
)

// database is one open RocksDB directory together with all that memory holds of it, so that a restore replaces both at
// once. Whoever uses it holds a reference from Store.acquire.
type database struct {
	*engine
	written     *written // of the store
	familyIDs   [familyCount]uint32
	read        *grocksdb.ReadOptions
	write       *grocksdb.WriteOptions
	users       sync.WaitGroup // references
	closing     atomic.Bool    // long readers give up when it is set
	batchOpen   atomic.Bool
	failed      atomic.Pointer[error] // of the first read, write or sync that did
	onFatal     func(error)           // Config.OnFatal
	headEntries int                   // in all heads
	headLimit   int                   // Config.HeadEntries
	headsTotal  int                   // Config.HeadsTotal
	tolerant    bool                  // Config.Repair
	batches     uint64                // ended so far

	// The open batch's, or with no batch open nobody's.
	cache  recordCache
	recent recentIDs
	writer writer
	floors [scheduleKinds]int64 // by ScheduleKind: no committed key of that kind lies before; guarded by mu
	space  *batchSpace

	writing sync.Mutex // held while a commit or witness is written and taken over into memory

	mu         sync.RWMutex // guards what follows; the open batch, its only writer under writing, reads without
	pairs      pairTable
	applied    Applied
	time       int64
	seq        uint64
	logHash    [32]byte
	dependents bool // there is a key in index_dependents, or was one
	snapshots  map[*Snapshot]struct{}
}

// openDB opens the database in path and reads what memory holds of it. Who gets it hands it to adopt or closes it.
func (s *Store) openDB(path string, mode openMode) (_ *database, err error) {
	if mode == openExisting {
		if err := s.checkTables(path); err != nil {
			return nil, fmt.Errorf("open database %s: %w", path, err)
		}
	}
	e, err := s.openEngine(path, mode)
	if err != nil {
		return nil, err
	}
	d := &database{engine: e, written: &s.written, pairs: newPairTable(), snapshots: make(map[*Snapshot]struct{})}
	d.headLimit, d.headsTotal = s.cfg.HeadEntries, s.cfg.HeadsTotal
	d.tolerant, d.onFatal = s.cfg.Repair, s.cfg.OnFatal
	d.cache = newRecordCache(s.cfg.RecordCacheBytes)
	d.writer.ids = &d.familyIDs
	for f := range d.familyIDs {
		d.familyIDs[f] = d.handles[f].ID()
	}
	d.read = d.readOptions()
	d.write = counted(d.objects, objWriteOptions, grocksdb.NewDefaultWriteOptions())
	d.write.SetSync(s.cfg.WALSyncMode == 1)
	if err := d.load(mode); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), d.close())
	}
	return d, nil
}

// close ends the database after its last reference is gone; nobody may take one any more.
func (d *database) close() error {
	d.closing.Store(true)
	d.users.Wait()
	d.mu.Lock()
	for s := range d.snapshots {
		s.drop()
	}
	d.mu.Unlock()
	d.objects.free(objReadOptions, d.read)
	d.objects.free(objWriteOptions, d.write)
	return d.engine.close()
}

// put writes a writer's batch and counts it.
func (d *database) put(w *writer) error {
	if err := d.fail(w.writeTo(d.engine, d.write)); err != nil {
		return err
	}
	d.written.add(w)
	return nil
}

// get copies a committed value; nil if there is none.
func (d *database) get(f family, key []byte) (value []byte, err error) {
	_, err = d.view(d.read, f, key, func(v []byte) error {
		value = append(make([]byte, 0, len(v)), v...)
		return nil
	})
	return value, err
}

// view hands a value to use, which must not keep it; found is false if there is none. opts is d.read for what is
// committed now, or a frozen's.
func (d *database) view(opts *grocksdb.ReadOptions, f family, key []byte, use func(value []byte) error) (found bool, err error) {
	s, err := d.db.GetCF(opts, d.handles[f], key)
	if err != nil {
		return false, d.fail(fmt.Errorf("read %s: %w", f, err))
	}
	if !s.Exists() {
		return false, nil
	}
	d.objects.add(objValue, 1)
	defer func() {
		s.Free()
		d.objects.add(objValue, -1)
	}()
	return true, use(s.Data())
}

// frozen is the committed state of one moment, for reads that belong together.
type frozen struct {
	d    *database
	at   *grocksdb.Snapshot
	opts *grocksdb.ReadOptions
}

func (d *database) freeze() *frozen { return d.frozenAt(d.snapshot()) }

func (d *database) frozenAt(at *grocksdb.Snapshot) *frozen {
	f := &frozen{d: d, at: at, opts: d.readOptions()}
	f.opts.SetSnapshot(at)
	return f
}

func (f *frozen) release() {
	f.d.objects.free(objReadOptions, f.opts)
	f.d.releaseSnapshot(f.at)
}

// scan goes over the keys of a family from one key on, up to and without another; a nil bound is none.
type scan struct {
	d    *database
	f    family
	it   *grocksdb.Iterator
	opts *grocksdb.ReadOptions
	back bool // from the last to the first
}

func (d *database) scan(f family, from, to []byte, at *grocksdb.Snapshot) *scan {
	s := &scan{d: d, f: f, opts: d.readOptions()}
	if f != famDependents || len(from) < 16 {
		s.opts.SetTotalOrderSeek(true)
	}
	if to != nil {
		s.opts.SetIterateUpperBound(to)
	}
	if at != nil {
		s.opts.SetSnapshot(at)
	}
	s.it = d.iterator(f, s.opts)
	s.it.Seek(from)
	return s
}

// scanBack goes over the keys from one on to another, which is left out, from the last to the first; to may be nil.
func (d *database) scanBack(f family, from, to []byte, at *grocksdb.Snapshot) *scan {
	s := &scan{d: d, f: f, opts: d.readOptions(), back: true}
	s.opts.SetTotalOrderSeek(true)
	if len(from) > 0 {
		s.opts.SetIterateLowerBound(from)
	}
	if to != nil {
		s.opts.SetIterateUpperBound(to)
	}
	s.opts.SetSnapshot(at)
	s.it = d.iterator(f, s.opts)
	s.it.SeekToLast()
	return s
}

func (s *scan) valid() bool { return s.it.Valid() }

func (s *scan) next() {
	if s.back {
		s.it.Prev()
	} else {
		s.it.Next()
	}
}

// key and value are C memory and good until the next move.
func (s *scan) key() []byte   { return s.it.Key().Data() }
func (s *scan) value() []byte { return s.it.Value().Data() }

// err is to be asked whenever valid turned false.
func (s *scan) err() error {
	if err := s.it.Err(); err != nil {
		return s.d.fail(fmt.Errorf("scan %s: %w", s.f, err))
	}
	return nil
}

func (s *scan) close() {
	s.d.closeIterator(s.it)
	s.d.objects.free(objReadOptions, s.opts) // after the iterator, which refers to its bounds
}

// each calls fn for every key of f that begins with prefix, until fn or the iterator fails or the store closes.
func (d *database) each(f family, prefix []byte, at *grocksdb.Snapshot, fn func(key, value []byte) error) error {
	s := d.scan(f, prefix, prefixEnd(prefix), at)
	defer s.close()
	for ; s.valid(); s.next() {
		if d.closing.Load() {
			return errClosed
		}
		if err := fn(s.key(), s.value()); err != nil {
			return err
		}
	}
	return s.err()
}

// prefixEnd returns the first key after all that begin with prefix; nil if there is none.
func prefixEnd(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			end := append([]byte(nil), prefix[:i+1]...)
			end[i]++
			return end
		}
	}
	return nil
}

// sync makes the log durable. After a failure of the log it touches it no more: RocksDB ends the process when it is
// asked to write or sync a file again that has failed.
func (d *database) sync() error {
	if err := d.failure(); err != nil {
		return err
	}
	if err := d.fail(d.db.FlushWAL(true)); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return nil
}

// fail notes that a read, a write or a sync failed, if it did: from then on nothing is written any more.
func (d *database) fail(err error) error {
	if err == nil {
		return nil
	}
	if d.failed.CompareAndSwap(nil, &err) && d.onFatal != nil {
		d.onFatal(err)
	}
	return err
}

func (d *database) failure() error {
	if err := d.failed.Load(); err != nil {
		return *err
	}
	return nil
}

var errStop = errors.New("stop") // ends each early, without being an error
