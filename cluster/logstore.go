package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/hashicorp/raft"
)

const (
	logCacheBytes   = 32 << 20
	minTrailingLogs = 64
	maxTrailingSize = 1 << 30 // bytes of log kept for followers that lag
)

var (
	errLogGap    = errors.New("entries do not follow the last one")
	errEntryGone = errors.New("the entry is no longer part of the log")
)

// logFiles is where a log store keeps entries and votes, durably with each write: one bbolt file or the
// directory of raft-wal. Entries are appended and deleted at either end alone.
type logFiles interface {
	raft.LogStore
	raft.StableStore
	Close() error
}

// logStore keeps Raft's log and votes in files of the kind that is configured, and the newest entries in memory. It
// fits raft.LogStore, raft.StableStore and raft.MonotonicLogStore; all methods may be called concurrently. Raft goes on
// after an error of its storage, so each is reported to onFatal too, which has to end the process.
//
// The entry at the index of the newest local snapshot is the anchor: it is kept however short the log is cut, because
// Raft looks there, not at the snapshot, for the term of the entry before those it is sent (hashicorp/raft#697).
type logStore struct {
	files   logFiles
	onFatal func(error)
	writing *bracket // entries
	voting  *bracket
	watch   *watchdog
	written logCounts

	mu      sync.RWMutex
	cache   logCache
	extent  logExtent
	behind  behind
	anchor  uint64 // 0 for none
	discard bool   // the snapshot that is being installed contradicts the log, which has to go
	closed  bool
	bounds  logBounds
}

// logBounds are how many bytes of log may come after a cut before the next one, and stay behind it.
type logBounds struct{ fresh, trail int64 }

var (
	_ raft.LogStore          = (*logStore)(nil)
	_ raft.StableStore       = (*logStore)(nil)
	_ raft.MonotonicLogStore = (*logStore)(nil)
)

// openLogStore opens or makes the log of a kind in a directory.
func openLogStore(cfg logConfig) (*logStore, error) {
	files, extent, err := openLogFiles(cfg.Dir, cfg.Kind, cfg.Logger)
	if err != nil {
		return nil, err
	}
	w := cfg.Watchdog
	return &logStore{
		files: timed(files, cfg.OnSynced), onFatal: cfg.OnFatal,
		writing: w.bracket("writing Raft's log"), voting: w.bracket("writing a vote"),
		watch: w, cache: logCache{limit: cmp.Or(cfg.CacheBytes, logCacheBytes)}, extent: extent,
		behind: behind{durable: extent.last(), changed: make(chan struct{})},
		bounds: logBounds{maxNewLogBytes, maxTrailingSize},
	}, nil
}

// openLogFiles opens or makes the files of a log.
func openLogFiles(dir string, kind LogKind, log *slog.Logger) (files logFiles, extent logExtent, err error) {
	switch path := filepath.Join(dir, kind.fileName()); kind {
	case LogBolt:
		files, extent, err = openBoltLog(path)
	case LogWAL:
		files, extent, err = openWALLog(path, log)
	default:
		err = fmt.Errorf("there is no kind %q", kind)
	}
	if err != nil {
		return nil, extent, fmt.Errorf("open raft log: %w", err)
	}
	return files, extent, nil
}

// Close waits for what is being written and closes the files. It is idempotent.
func (s *logStore) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	if again {
		return nil
	}
	s.behind.work.Wait()
	s.writing.leave()
	s.voting.leave()
	return s.files.Close()
}

// failed passes an error on to Raft and, if it is one of storage, to onFatal.
func (s *logStore) failed(operation string, err error) error {
	if err == nil || errors.Is(err, raft.ErrLogNotFound) || errors.Is(err, errKeyNotFound) {
		return err // Raft compares these two, the second by its text
	}
	err = fmt.Errorf("raft log: %s: %w", operation, err)
	s.mu.RLock()
	closed := s.closed
	s.mu.RUnlock()
	if !closed {
		s.onFatal(err)
	}
	return err
}

// FirstIndex is the index of the oldest entry; 0 if there is none.
func (s *logStore) FirstIndex() (uint64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.extent.oldest(), nil
}

// LastIndex is the index of the newest entry; 0 if there is none.
func (s *logStore) LastIndex() (uint64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.extent.last(), nil
}

// GetLog reads one entry. One that was deleted is not found, even where the files still have it.
func (s *logStore) GetLog(index uint64, l *raft.Log) error {
	s.mu.RLock()
	held := s.cache.get(index, l)
	known := s.extent.has(index)
	s.mu.RUnlock()
	switch {
	case held:
		return nil
	case !known:
		return raft.ErrLogNotFound
	}
	return s.failed("read entry", s.files.GetLog(index, l))
}

// StoreLog appends one entry.
func (s *logStore) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// StoreLogs appends entries, each of which has to follow the one before; an empty log may begin anywhere. They are on the
// disk when it returns, unless this node leads others: then awaitDurable tells.
func (s *logStore) StoreLogs(logs []*raft.Log) error {
	s.mu.RLock()
	last := s.extent.last()
	s.mu.RUnlock()
	for _, l := range logs {
		if last != 0 && l.Index != last+1 {
			return s.failed("store entries", fmt.Errorf("%w: %d after %d", errLogGap, l.Index, last))
		}
		last = l.Index
	}
	if s.takesBehind(logs) {
		return s.storeBehind(logs)
	}
	if err := s.settled(); err != nil {
		return err
	}
	if err := s.write(logs); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold(logs) // with the next line, for a cut at the same time takes the smaller of both
	s.behind.durable = s.extent.last()
	s.wake()
	return nil
}

// write gives entries to the files.
func (s *logStore) write(logs []*raft.Log) error {
	if err := s.writing.run(func() error { return s.files.StoreLogs(logs) }); err != nil {
		return s.failed("store entries", err)
	}
	s.written.add(logs)
	return nil
}

// hold keeps entries in memory. The lock is held.
func (s *logStore) hold(logs []*raft.Log) {
	for _, l := range logs {
		s.cache.put(l)
		s.extent.push(l.Index, entrySize(l))
	}
}

// DeleteRange deletes entries at the beginning or the end of the log, and leaves the anchor where it is.
func (s *logStore) DeleteRange(lowest, highest uint64) error {
	s.mu.RLock()
	if !s.discard && lowest <= s.anchor && s.anchor <= highest {
		highest = s.anchor - 1
	}
	s.mu.RUnlock()
	if highest < lowest {
		return nil
	}
	s.mu.RLock()
	last := min(highest, s.extent.last())
	s.mu.RUnlock()
	if err := s.awaitDurable(context.Background(), last); err != nil {
		return err
	}
	cutting := s.watch.bracket("cutting Raft's log") // its own: the main loop and the snapshot loop may cut at once
	defer cutting.leave()
	if err := cutting.run(func() error { return s.files.DeleteRange(lowest, highest) }); err != nil {
		return s.failed("delete entries", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cache.drop(lowest, highest)
	s.extent.cut(lowest, highest)
	s.behind.durable = min(s.behind.durable, s.extent.last())
	s.wake()
	if s.extent.last() == 0 {
		s.anchor, s.discard = 0, false
	}
	return nil
}

// Set stores a value, after all entries: a leader that is deposed takes part in a later term once it has them on its disk,
// for its new leader counts on what it sees there.
func (s *logStore) Set(key, value []byte) error {
	return s.store("store vote", func() error { return s.files.Set(key, value) })
}

// SetUint64 stores a number, as Set does.
func (s *logStore) SetUint64(key []byte, value uint64) error {
	return s.store("store term", func() error { return s.files.SetUint64(key, value) })
}

// store does what Set and SetUint64 are for. Where Raft runs, an error ends the goroutine, which is Raft's main loop:
// given it, Raft panics. It was reported before, and the process is about to end for it; to go on with a term or vote that
// is not on the disk is what must not be.
func (s *logStore) store(operation string, set func() error) error {
	err := s.settled()
	if err == nil {
		err = s.failed(operation, s.voting.run(set))
	}
	s.mu.RLock()
	runs := s.behind.may != nil
	s.mu.RUnlock()
	if err != nil && runs {
		runtime.Goexit()
	}
	return err
}

// Get reads a value.
func (s *logStore) Get(key []byte) ([]byte, error) {
	value, err := s.files.Get(key)
	return value, s.failed("read vote", err)
}

// GetUint64 reads a number.
func (s *logStore) GetUint64(key []byte) (uint64, error) {
	value, err := s.files.GetUint64(key)
	return value, s.failed("read term", err)
}

// bytes is about how much the log holds.
func (s *logStore) bytes() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.extent.bytes
}

// ends are the indexes of the oldest and the newest entry; 0 for none.
func (s *logStore) ends() (first, last uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.extent.oldest(), s.extent.last()
}

// bytesAfter is about how much of the log stands after an index.
func (s *logStore) bytesAfter(index uint64) int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.extent.after(index)
}

// trailing is how many entries to keep behind a snapshot for followers that lag: at most most, and no more of the
// newest than have room in the bytes allowed.
func (s *logStore) trailing(most uint64) uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.extent.bytes <= s.bounds.trail {
		return most
	}
	kept, room := uint64(0), s.bounds.trail
	for i := len(s.extent.sizes) - 1; i >= 0 && room >= int64(s.extent.sizes[i]); i-- {
		room -= int64(s.extent.sizes[i])
		kept++
	}
	return min(most, max(minTrailingLogs, kept))
}

// overdue reports whether more bytes stand after an index than may come between two cuts.
func (s *logStore) overdue(cut uint64) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.extent.after(cut) >= s.bounds.fresh
}
