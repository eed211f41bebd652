package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/linxGnu/grocksdb"
)

// Store is an open store. Its methods may be called by many goroutines.
type Store struct {
	cfg     Config
	cache   *grocksdb.Cache // of blocks; outlives every database
	objects objects         // the cache; each database counts its own

	written written

	stop chan struct{} // ends the periodic fsync
	done sync.WaitGroup

	mu sync.RWMutex
	d  *database // nil once closed

	closeOnce sync.Once
}

// Open opens the store in cfg.Dir, or makes it if there is none and cfg.Create is set. A directory whose marker names a
// database that is missing is refused, never filled anew.
func Open(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := newStore(cfg)
	d, err := s.openCurrent()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), s.dropCache())
	}
	s.start(d)
	return s, nil
}

// newStore makes a store without a database.
func newStore(cfg Config) *Store {
	s := &Store{cfg: cfg, stop: make(chan struct{})}
	s.cache = counted(&s.objects, objCache, grocksdb.NewLRUCache(cfg.BlockCacheBytes))
	return s
}

func (s *Store) dropCache() error {
	s.objects.free(objCache, s.cache)
	return s.objects.none()
}

// start serves from a database that was just opened.
func (s *Store) start(d *database) {
	s.d = d
	if s.cfg.WALSyncMode == 2 && !s.cfg.ReadOnly {
		s.done.Add(1)
		go s.syncPeriodically()
	}
}

// openCurrent opens the database that the marker names, or makes the first one.
func (s *Store) openCurrent() (*database, error) {
	name, err := readCurrent(s.cfg.Dir)
	switch {
	case err == nil:
		return s.openNamed(name)
	case !errors.Is(err, os.ErrNotExist):
		return nil, err
	case !s.cfg.Create || s.cfg.ReadOnly:
		return nil, fmt.Errorf("%w: no file %s", errMissing, filepath.Join(s.cfg.Dir, currentFile))
	}
	if err := os.MkdirAll(s.cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	d, err := s.openDB(filepath.Join(s.cfg.Dir, firstDB), openCreating)
	if err != nil {
		return nil, err
	}
	if d.applied.Index != 0 {
		return nil, errors.Join(fmt.Errorf("%w: %s holds a database applied up to %d, but file %s is missing", errCorrupt, s.cfg.Dir,
			d.applied.Index, currentFile), d.close())
	}
	if err := writeCurrent(s.cfg.Dir, firstDB); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// openNamed opens a database that was there before, after its files were checked. What else lies in the directory is
// removed once the right one is known to open.
func (s *Store) openNamed(name string) (*database, error) {
	path, mode := filepath.Join(s.cfg.Dir, name), openExisting
	if s.cfg.ReadOnly {
		mode = openReadOnly
	}
	if err := checkFiles(path); err != nil {
		return nil, err
	}
	d, err := s.openDB(path, mode)
	if err != nil || s.cfg.ReadOnly {
		return d, err
	}
	if err := removeOrphans(s.cfg.Dir, name); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// Close waits for calls under way and for an open batch to end, and closes the database. A second call does nothing.
func (s *Store) Close() error {
	var err error
	s.closeOnce.Do(func() {
		close(s.stop)
		s.done.Wait()
		s.mu.Lock()
		d := s.d
		s.d = nil
		s.mu.Unlock()
		d.closing.Store(true)
		d.users.Wait()
		if !s.cfg.ReadOnly {
			err = d.sync()
		}
		err = errors.Join(err, d.close(), s.dropCache())
	})
	return err
}

// acquire returns the database with a reference that the caller gives back with users.Done.
func (s *Store) acquire() (*database, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.d == nil {
		return nil, errClosed
	}
	s.d.users.Add(1)
	return s.d, nil
}

// adopt makes d, whose directory lies in the store's and is durable, the store's database: the marker is switched
// first, and from then on every call sees d. The old database is closed when nobody uses it any more, and removed.
// Unless d was adopted, after an error the old one serves on and d is still the caller's to close.
func (s *Store) adopt(d *database) (adopted bool, err error) {
	s.mu.Lock()
	old := s.d
	if old == nil {
		s.mu.Unlock()
		return false, errClosed
	}
	if err := writeCurrent(s.cfg.Dir, filepath.Base(d.path)); err != nil {
		s.mu.Unlock()
		return false, err
	}
	s.d = d
	s.mu.Unlock()
	err = old.close()
	_ = os.RemoveAll(old.path) // what stays is an orphan, which the next Open removes
	return true, err
}

// Applied returns how far Raft's log is committed in the store. The caller must not change the configuration.
func (s *Store) Applied() Applied {
	d, err := s.acquire()
	if err != nil {
		return Applied{}
	}
	defer d.users.Done()
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.applied
}

// Time returns the last replicated leader time; 1970 before the first.
func (s *Store) Time() (time.Time, error) {
	d, err := s.acquire()
	if err != nil {
		return time.Time{}, err
	}
	defer d.users.Done()
	d.mu.RLock()
	defer d.mu.RUnlock()
	return time.UnixMicro(d.time).UTC(), nil
}

// Witness raises the stored index, term and configuration to those of a, where a is newer: Raft's log may go on with
// entries that no command carries. It never lowers them. It is node-local and may be called beside an open batch.
func (s *Store) Witness(a Applied) error {
	d, err := s.acquire()
	if err != nil {
		return err
	}
	defer d.users.Done()
	d.writing.Lock()
	defer d.writing.Unlock()
	applied := d.applied
	applied.raise(&a)
	w := writer{ids: &d.familyIDs}
	w.reset()
	w.putVersioned(famMeta, []byte(keyApplied), applied.encode())
	if err := d.put(&w); err != nil {
		return fmt.Errorf("witness %d: %w", a.Index, err)
	}
	d.mu.Lock()
	d.applied = applied
	d.mu.Unlock()
	return nil
}

// Sync makes durable all that was committed before.
func (s *Store) Sync() error {
	d, err := s.acquire()
	if err != nil {
		return err
	}
	defer d.users.Done()
	return d.sync()
}

// syncPeriodically makes commits durable every WALSyncInterval. A failure fails the next commit.
func (s *Store) syncPeriodically() {
	defer s.done.Done()
	tick := time.NewTicker(s.cfg.WALSyncInterval)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		d, err := s.acquire()
		if err != nil {
			return
		}
		_ = d.sync() // it keeps its error
		d.users.Done()
	}
}
