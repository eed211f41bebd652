package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"syscall"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

const (
	walSegmentSize = 64 << 20
	// maxWALWrite bounds what one write gathers: raft-wal keeps a buffer as large as the largest for each segment.
	maxWALWrite = 1 << 20
)

// walLog is a log that raft-wal keeps: entries in segments, each write synced once, votes in a small file (walmeta.go). Other
// than raft-wal it answers damage with an error, never with a panic, and refuses at start what raft-wal would answer with
// an empty log.
type walLog struct {
	*wal.WAL // its methods for votes
	meta     *walMeta

	// Held for reading and appending, and alone for deleting: in raft-wal a reader may find a segment closed that goes
	// meanwhile, and an append may start a rotation that a deletion does not expect.
	using sync.RWMutex
}

// openWALLog opens or makes the log in a directory, and reads all of it: entries that cannot be read are found now, not
// when a follower wants them.
func openWALLog(dir string, log *slog.Logger) (logFiles, logExtent, error) {
	return openSegments(dir, walSegmentSize, log)
}

func openSegments(dir string, segmentSize int, log *slog.Logger) (_ logFiles, extent logExtent, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, extent, err
	}
	meta, err := openWALMeta(dir)
	if err != nil {
		return nil, extent, err
	}
	w := &walLog{meta: meta}
	defer func() {
		if err != nil && w.WAL != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	segments := newSegmentFiler(dir, meta)
	err = guarded(func() error {
		if err := segments.finishSeal(); err != nil {
			return err
		}
		w.WAL, err = wal.Open(dir, wal.WithMetaStore(meta), wal.WithSegmentFiler(segments), wal.WithSegmentSize(segmentSize),
			wal.WithLogger(newRaftLogger(log)))
		if err != nil {
			return err
		}
		extent, err = w.measure()
		return err
	})
	if err != nil {
		return nil, extent, damagedLog(dir, err)
	}
	return w, extent, nil
}

// damagedLog says of all errors but the operating system's that the log is damaged; a file that is missing is damage.
func damagedLog(dir string, err error) error {
	var system *fs.PathError
	var number syscall.Errno
	if (errors.As(err, &system) || errors.As(err, &number)) && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", dir, err)
	}
	return damaged(dir, "%w", err)
}

// measure reads every entry.
func (w *walLog) measure() (extent logExtent, err error) {
	first, err1 := w.FirstIndex()
	last, err2 := w.LastIndex()
	if err := errors.Join(err1, err2, w.mustReach(last)); err != nil || first == 0 {
		return extent, err
	}
	if last < first {
		return extent, fmt.Errorf("%w: it begins at entry %d and ends at %d", wal.ErrCorrupt, first, last)
	}
	for i := first; i <= last; i++ {
		var l raft.Log
		if err := w.WAL.GetLog(i, &l); err != nil {
			return extent, fmt.Errorf("read entry %d: %w", i, err)
		}
		if l.Index != i {
			return extent, fmt.Errorf("%w: entry %d is where entry %d should be", wal.ErrCorrupt, l.Index, i)
		}
		extent.push(i, entrySize(&l))
	}
	return extent, nil
}

// guarded runs an operation of raft-wal and makes an error of a panic, with which it answers bytes that make no sense.
func guarded(operation func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", wal.ErrCorrupt, p)
		}
	}()
	return operation()
}

// GetLog reads one entry.
func (w *walLog) GetLog(index uint64, l *raft.Log) error {
	w.using.RLock()
	defer w.using.RUnlock()
	return guarded(func() error { return w.WAL.GetLog(index, l) })
}

// StoreLogs appends entries, of which after a crash the first ones may be there alone.
func (w *walLog) StoreLogs(logs []*raft.Log) error {
	w.using.RLock()
	defer w.using.RUnlock()
	return guarded(func() error {
		for len(logs) > 0 {
			n, size := 1, entrySize(logs[0])
			for ; n < len(logs) && size+entrySize(logs[n]) <= maxWALWrite; n++ {
				size += entrySize(logs[n])
			}
			if err := w.WAL.StoreLogs(logs[:n]); err != nil {
				return err
			}
			logs = logs[n:]
		}
		return nil
	})
}

// DeleteRange deletes entries at the beginning or the end of the log, or all of them.
func (w *walLog) DeleteRange(lowest, highest uint64) error {
	w.using.Lock()
	defer w.using.Unlock()
	first, err1 := w.FirstIndex()
	last, err2 := w.LastIndex()
	if err := errors.Join(err1, err2); err != nil || first == 0 {
		return err
	}
	if highest >= last {
		end := lowest - 1
		if lowest <= first {
			end = 0 // nothing is left
		}
		if err := w.noteEnd(end); err != nil {
			return err
		}
	}
	return guarded(func() error { return w.WAL.DeleteRange(lowest, highest) })
}

// Close waits for what is being written, notes where the log ends, and closes the files. It is idempotent.
func (w *walLog) Close() error {
	w.using.Lock()
	defer w.using.Unlock()
	var problem error
	if last, err := w.LastIndex(); err == nil { // else it is closed already, or not usable
		problem = w.noteEnd(last)
	}
	return errors.Join(problem, w.WAL.Close())
}
