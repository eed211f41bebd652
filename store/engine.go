package store

import (
	"errors"
	"fmt"

	"github.com/linxGnu/grocksdb"
)

// engine is one open RocksDB, with the count of what was made of it.
type engine struct {
	path     string
	db       *grocksdb.DB
	handles  [familyCount + 1]*grocksdb.ColumnFamilyHandle
	settings *settings
	objects  *objects
}

// openMode says what openEngine may do.
type openMode int

const (
	openExisting openMode = iota
	openCreating          // make the database if there is none
	openReadOnly
	openUncompacted // no file is compacted
)

func (s *Store) openEngine(path string, mode openMode) (*engine, error) {
	e := &engine{path: path, objects: &objects{}}
	var err error
	if e.settings, err = newSettings(&s.cfg, s.cache, mode, e.objects); err != nil {
		return nil, errors.Join(fmt.Errorf("store options: %w", err), e.objects.none())
	}
	names := append(familyNames[:], "default")
	var handles grocksdb.ColumnFamilyHandles
	if mode == openReadOnly {
		e.db, handles, err = grocksdb.OpenDbForReadOnlyColumnFamilies(e.settings.db, path, names, e.settings.families[:], false)
	} else {
		e.db, handles, err = grocksdb.OpenDbColumnFamilies(e.settings.db, path, names, e.settings.families[:])
	}
	if err != nil {
		e.settings.destroy()
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), e.objects.none())
	}
	e.objects.add(objDatabase, 1)
	e.objects.add(objFamily, len(handles))
	copy(e.handles[:], handles)
	return e, nil
}

// close ends the engine after everything that was made of it, and says what of it is left.
func (e *engine) close() error {
	for _, h := range e.handles {
		e.objects.free(objFamily, h)
	}
	e.db.Close()
	e.objects.add(objDatabase, -1)
	e.settings.destroy()
	return e.objects.none()
}

// readOptions makes options of reads, which the caller frees.
func (e *engine) readOptions() *grocksdb.ReadOptions {
	return counted(e.objects, objReadOptions, grocksdb.NewDefaultReadOptions())
}

// iterator makes an iterator, which the caller gives back with closeIterator.
func (e *engine) iterator(f family, opts *grocksdb.ReadOptions) *grocksdb.Iterator {
	return counted(e.objects, objIterator, e.db.NewIteratorCF(opts, e.handles[f]))
}

func (e *engine) closeIterator(it *grocksdb.Iterator) {
	it.Close()
	e.objects.add(objIterator, -1)
}

// snapshot takes hold of the present state, until the caller gives it back with releaseSnapshot.
func (e *engine) snapshot() *grocksdb.Snapshot {
	return counted(e.objects, objSnapshot, e.db.NewSnapshot())
}

func (e *engine) releaseSnapshot(at *grocksdb.Snapshot) {
	e.db.ReleaseSnapshot(at)
	e.objects.add(objSnapshot, -1)
}

// link makes a checkpoint of the database in dir, which must not exist.
func (e *engine) link(dir string) error {
	c, err := e.db.NewCheckpoint()
	if err != nil {
		return err
	}
	e.objects.add(objCheckpoint, 1)
	defer e.objects.free(objCheckpoint, c)
	return c.CreateCheckpoint(dir, 0)
}
