package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// checkpointPrefix begins the names of directories in the store's that hold checkpoints. One that is there when the
// store opens is left over.
const checkpointPrefix = "checkpoint-"

// Checkpoint is the committed state of one moment in files of its own, most of them hard links, so that it costs little
// and does not hold up commits. Its methods may be called concurrently. It does not end with the store.
type Checkpoint struct {
	dir    string // of ours
	files  string // the database, within dir
	header streamHeader
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
	c := &Checkpoint{dir: dir, files: filepath.Join(dir, "db"), refs: 1}
	if err = d.link(c.files); err == nil {
		err = c.describe(s)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("checkpoint: %w", err), os.RemoveAll(dir))
	}
	return c, nil
}

// link makes a checkpoint of the database in dir, which must not exist.
func (d *database) link(dir string) error {
	c, err := d.db.NewCheckpoint()
	if err != nil {
		return err
	}
	defer c.Destroy()
	return c.CreateCheckpoint(dir, 0)
}

// describe opens the checkpoint read-only and writes down what is in it.
func (c *Checkpoint) describe(s *Store) error {
	// Listed before it is opened: what opening adds is not part of it.
	entries, err := os.ReadDir(c.files)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !streamFileName.MatchString(e.Name()) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		c.header.files = append(c.header.files, streamFile{e.Name(), info.Size()})
	}
	d, err := s.openDB(c.files, openReadOnly)
	if err != nil {
		return err
	}
	defer d.close()
	d.describe(&c.header)
	c.size = c.header.streamSize()
	return nil
}

// describe fills in what a stream says of a database.
func (d *database) describe(h *streamHeader) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	h.applied, h.logHash = d.applied, d.logHash
	for _, p := range d.pairs.byPair {
		h.counts.add(&p.counts)
	}
}

// Applied is how far Raft's log is in the checkpoint. The caller must not change the configuration.
func (c *Checkpoint) Applied() Applied { return c.header.applied }

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
	r := &streamWriter{c: c, sum: sha256.New(), files: c.header.files}
	r.give(c.header.encode())
	return r, nil
}

// streamWriter produces a checkpoint's stream piece by piece.
type streamWriter struct {
	c      *Checkpoint
	sum    hash.Hash
	files  []streamFile // still to begin
	file   *os.File     // the one that is being read
	left   int64        // of file
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
		f, err := os.Open(filepath.Join(r.c.files, r.files[0].name))
		if err != nil {
			return fmt.Errorf("read checkpoint: %w", err)
		}
		r.file, r.left, r.files = f, r.files[0].size, r.files[1:]
	}
	if r.buffer == nil {
		r.buffer = make([]byte, streamChunk+4)
	}
	n := min(r.left, streamChunk)
	if _, err := io.ReadFull(r.file, r.buffer[:n]); err != nil {
		return fmt.Errorf("read checkpoint: %w", err)
	}
	r.left -= n
	r.give(appendCRC(r.buffer[:n], r.buffer[:n]))
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

// equal compares what two headers say of their databases.
func (h *streamHeader) equal(o *streamHeader) bool {
	return h.applied.Index == o.applied.Index && h.applied.Term == o.applied.Term &&
		h.applied.ConfigurationIndex == o.applied.ConfigurationIndex &&
		bytes.Equal(h.applied.Configuration, o.applied.Configuration) && h.logHash == o.logHash && h.counts == o.counts
}
