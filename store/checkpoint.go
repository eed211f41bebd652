package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/haiku-queue/haiku/snapshot"
	"github.com/haiku-queue/haiku/task"
)

// checkpointPrefix begins the names of directories in the store's that hold checkpoints. One that is there when the
// store opens is left over.
const checkpointPrefix = "checkpoint-"

// Checkpoint is the committed state of one moment in files of its own, most of them hard links, so that it costs little
// and does not hold up commits. Its methods may be called concurrently. It does not end with the store.
type Checkpoint struct {
	store  *Store
	dir    string // of ours
	files  string // the database, within dir
	header snapshot.Header
	size   int64

	mu   sync.Mutex
	refs int // the owner and each reader; the files go with the last
	once sync.Once
}

// Checkpoint takes a checkpoint of what is committed now, and reads from the checkpoint itself how far that is.
// Release it.
func (s *Store) Checkpoint() (_ *Checkpoint, err error) {
	d, err := s.acquire()
	if err != nil {
		return nil, err
	}
	defer d.users.Done()
	dir, err := os.MkdirTemp(s.cfg.Dir, checkpointPrefix)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	c := &Checkpoint{store: s, dir: dir, files: filepath.Join(dir, "db"), refs: 1}
	if err = d.link(c.files); err == nil {
		err = c.describe()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("checkpoint: %w", err), os.RemoveAll(dir))
	}
	return c, nil
}

// describe opens the checkpoint read-only and writes down what is in it.
func (c *Checkpoint) describe() error {
	// Listed before it is opened: what opening adds is not part of it.
	entries, err := os.ReadDir(c.files)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !snapshot.Travels(e.Name()) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		c.header.Files = append(c.header.Files, snapshot.File{Name: e.Name(), Size: info.Size()})
	}
	d, err := c.store.openDB(c.files, openReadOnly)
	if err != nil {
		return err
	}
	d.describe(&c.header)
	c.size = c.header.StreamSize()
	return d.close()
}

// describe fills in what a stream says of a database.
func (d *database) describe(h *snapshot.Header) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	h.Index, h.Term, h.LogHash = d.applied.Index, d.applied.Term, d.logHash
	h.ConfigurationIndex, h.Configuration = d.applied.ConfigurationIndex, d.applied.Configuration
	var all counts
	for _, p := range d.pairs.byPair {
		all.add(&p.counts)
	}
	copy(h.Counts[:], all[:slotCount])
}

// Applied is how far Raft's log is in the checkpoint. The caller must not change the configuration.
func (c *Checkpoint) Applied() Applied {
	h := &c.header
	return Applied{Index: h.Index, Term: h.Term, Configuration: h.Configuration, ConfigurationIndex: h.ConfigurationIndex}
}

// Tasks counts all tasks in the checkpoint.
func (c *Checkpoint) Tasks() task.QueueCounts {
	var all counts
	copy(all[:], c.header.Counts[:])
	return all.queueCounts(Pair{})
}

// StateHash is the hash of the state in the checkpoint; see (*Snapshot).StateHash. It reads all of it, until ctx ends.
// The caller must have a reader open, or not have released the checkpoint.
func (c *Checkpoint) StateHash(ctx context.Context) (sum [32]byte, err error) {
	d, err := c.reopen()
	if err != nil {
		return [32]byte{}, fmt.Errorf("hash checkpoint: %w", err)
	}
	defer func() { err = errors.Join(err, d.close()) }()
	stop := context.AfterFunc(ctx, func() { d.closing.Store(true) })
	defer stop()
	if ctx.Err() != nil {
		return [32]byte{}, fmt.Errorf("hash checkpoint: %w", ctx.Err())
	}
	return d.stateHash(nil)
}

// reopen opens the checkpoint read-only, while the store is open.
func (c *Checkpoint) reopen() (*database, error) {
	live, err := c.store.acquire()
	if err != nil {
		return nil, err
	}
	defer live.users.Done() // not for as long as the checkpoint is read: a restore waits for it
	return c.store.openDB(c.files, openReadOnly)
}

// Size is the length in bytes of the stream that each Reader gives.
func (c *Checkpoint) Size() int64 { return c.size }

// Release gives the checkpoint up. Its files go when no reader is open any more. A second call does nothing.
func (c *Checkpoint) Release() { c.once.Do(c.drop) }

func (c *Checkpoint) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refs--; c.refs == 0 {
		_ = os.RemoveAll(c.dir) // what stays is an orphan, which the next Open removes
	}
}

// Reader opens the checkpoint's stream from its beginning. Close it; several may be open at once.
func (c *Checkpoint) Reader() (io.ReadCloser, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refs == 0 {
		return nil, errClosed
	}
	c.refs++
	r := &streamWriter{c: c, sum: sha256.New(), files: c.header.Files}
	r.give(c.header.Encode())
	return r, nil
}

// streamWriter produces a checkpoint's stream piece by piece.
type streamWriter struct {
	c      *Checkpoint
	sum    hash.Hash
	files  []snapshot.File // still to begin
	file   *os.File        // the one that is being read
	left   int64           // of file
	buffer []byte
	ready  []byte // to be given out
	ended  bool
	once   sync.Once
	err    error
}

func (r *streamWriter) give(b []byte) {
	r.sum.Write(b)
	r.ready = b
}

// Read gives the next bytes of the stream.
func (r *streamWriter) Read(p []byte) (int, error) {
	for len(r.ready) == 0 {
		if r.err == nil {
			r.err = r.next()
		}
		if r.err != nil {
			return 0, r.err
		}
	}
	n := copy(p, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

// next gets the next chunk ready, or the sum at the end.
func (r *streamWriter) next() error {
	for r.left == 0 {
		if err := r.closeFile(); err != nil {
			return err
		}
		if len(r.files) == 0 {
			if r.ended {
				return io.EOF
			}
			r.ended, r.ready = true, r.sum.Sum(nil)
			return nil
		}
		f, err := os.Open(filepath.Join(r.c.files, r.files[0].Name))
		if err != nil {
			return fmt.Errorf("read checkpoint: %w", err)
		}
		r.file, r.left, r.files = f, r.files[0].Size, r.files[1:]
	}
	if r.buffer == nil {
		r.buffer = make([]byte, snapshot.Chunk+4)
	}
	n := min(r.left, snapshot.Chunk)
	if _, err := io.ReadFull(r.file, r.buffer[:n]); err != nil {
		return fmt.Errorf("read checkpoint: %w", err)
	}
	r.left -= n
	r.give(snapshot.AppendCRC(r.buffer[:n], r.buffer[:n]))
	return nil
}

func (r *streamWriter) closeFile() error {
	if r.file == nil {
		return nil
	}
	f := r.file
	r.file = nil
	return f.Close()
}

// Close ends the reader. A second call does nothing.
func (r *streamWriter) Close() error {
	var err error
	r.once.Do(func() {
		err = r.closeFile()
		r.err = os.ErrClosed
		r.ready = nil
		r.c.drop()
	})
	return err
}
