package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/linxGnu/grocksdb"

	"github.com/haiku-queue/haiku/snapshot"
	"github.com/haiku-queue/haiku/task"
)

// Restore replaces the whole database by the one in a checkpoint stream. The stream is written to a new directory,
// checked in full, made durable and opened there before CURRENT-DB is switched to it, which is one atomic step; until
// then, and after any error, the old database stays and serves. No batch may be open. Values that are the node's own
// are those of the stream for how far Raft's log is applied; the sender's others are dropped.
func (s *Store) Restore(r io.Reader) error {
	name, err := s.nextName()
	if err != nil {
		return err
	}
	path := filepath.Join(s.cfg.Dir, name)
	d, err := s.unpack(r, path)
	if err != nil {
		return errors.Join(fmt.Errorf("restore: %w", err), os.RemoveAll(path))
	}
	adopted, err := s.adopt(d)
	if err != nil && !adopted {
		err = errors.Join(err, d.close()) // the next Open keeps whichever directory CURRENT-DB names by then
	}
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return nil
}

// Unpack makes a store of its own from a checkpoint stream, in cfg.Dir, which must not be a store yet, and opens it. It is
// checked as by Restore. After an error the directory is not a store.
func Unpack(cfg Config, r io.Reader) (_ *Store, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if _, err := readCurrent(cfg.Dir); !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("unpack: %w: %s is a store already (%w)", task.ErrConflict, cfg.Dir, err)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	s := newStore(cfg)
	d, err := s.unpack(r, filepath.Join(cfg.Dir, firstDB))
	if err == nil {
		if err = writeCurrent(cfg.Dir, firstDB); err != nil {
			err = errors.Join(err, d.close())
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("unpack: %w", err), s.dropCache())
	}
	s.start(d)
	return s, nil
}

// nextName is the name that follows the current database's.
func (s *Store) nextName() (string, error) {
	d, err := s.acquire()
	if err != nil {
		return "", err
	}
	defer d.users.Done()
	return nextDB(filepath.Base(d.path))
}

// unpack makes the database of a stream in path, durable and open, and compares it with what the stream says of it.
func (s *Store) unpack(r io.Reader, path string) (_ *database, err error) {
	if err := os.RemoveAll(path); err != nil { // of a restore that failed
		return nil, err
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		return nil, err
	}
	want, err := writeFiles(r, path)
	if err != nil {
		return nil, err
	}
	d, err := s.openDB(path, openExisting)
	if err != nil {
		return nil, err
	}
	got := &snapshot.Header{}
	d.describe(got)
	if !got.Equal(want) {
		err = fmt.Errorf("%w: holds index %d, term %d and tasks %v, announced were %d, %d and %v", snapshot.ErrDamaged,
			got.Index, got.Term, got.Counts, want.Index, want.Term, want.Counts)
	}
	if err = errors.Join(err, d.dropForeign(), d.sync(), syncDir(path)); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// writeFiles writes the files of a stream into dir, each fsynced, and no file anywhere else.
func writeFiles(r io.Reader, dir string) (*snapshot.Header, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	h, err := snapshot.Read(r, func(f snapshot.File) (io.WriteCloser, error) {
		file, err := root.OpenFile(f.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		return syncedFile{file}, err
	})
	if err != nil {
		return nil, err
	}
	if err := checkPointer(root, h); err != nil {
		return nil, err
	}
	return h, syncDir(dir)
}

// checkPointer makes sure that RocksDB's own pointer file leads to a file of the stream, not elsewhere.
func checkPointer(root *os.Root, h *snapshot.Header) error {
	to, err := root.ReadFile("CURRENT")
	if err != nil {
		return fmt.Errorf("%w: no CURRENT", snapshot.ErrDamaged)
	}
	for _, f := range h.Files {
		if strings.HasPrefix(f.Name, "MANIFEST-") && string(to) == f.Name+"\n" {
			return nil
		}
	}
	return fmt.Errorf("%w: CURRENT names %q", snapshot.ErrDamaged, to)
}

// syncedFile is fsynced when it is closed.
type syncedFile struct{ *os.File }

func (f syncedFile) Close() error { return errors.Join(f.Sync(), f.File.Close()) }

// dropForeign deletes the values that belong to the node the database came from.
func (d *database) dropForeign() error {
	batch := counted(d.objects, objBatch, grocksdb.NewWriteBatch())
	defer d.objects.free(objBatch, batch)
	err := d.each(famMeta, []byte(prefixLocal), nil, func(key, _ []byte) error {
		if k := string(key); k != keyApplied && k != keyFormat {
			batch.DeleteCF(d.handles[famMeta], key)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return d.db.Write(d.write, batch)
}
