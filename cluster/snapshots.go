package cluster

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/store"
)

const (
	// liveID names the snapshot that is the database itself, as it is when the snapshot is opened.
	liveID = "database"

	catchUpTime  = 10 * time.Minute
	maxHeldBytes = 1 << 30 // of log after a stream's index; then the stream has been too slow to be of use
)

var (
	errNoSnapshot = errors.New("no such snapshot")
	errSuperseded = errors.New("superseded by a snapshot from the leader")
)

// snapshotConfig is what a snapshotStore needs.
type snapshotConfig struct {
	Dir       string // its own; emptied when it opens
	Store     *store.Store
	Logs      *logStore
	Watchdog  *watchdog
	Bandwidth int64       // bytes a second for all outgoing streams together; 0 for no cap
	OnFatal   func(error) // storage failed: the process has to end
	OnStale   func(error) // a snapshot was installed over entries that Raft still believes in: it has to be started again
	OnInstall func()      // a snapshot comes: what is committed has to be applied, to be compared with it
	OnStall   func()      // an incoming snapshot does not come on: its connection has to be closed
	Logger    *slog.Logger
	OnDone    func(operation string, took time.Duration) // of a snapshot; nil for nobody
}

// snapshotStore is Raft's view of the database as its one snapshot. Nothing is copied to take one: List reports how far
// the database is, Open streams a checkpoint made at that moment, and a local snapshot only makes sure that what Raft is
// about to drop from its log is durable in the database. Only a snapshot that comes from the leader is a file, until it
// is restored. It fits raft.SnapshotStore; all methods may be called concurrently.
//
// How Raft v1.7.3 uses it. Local: FSM.Snapshot, Create, Persist (which calls Witness), Close, then the log is cut.
// Install: Create, Write until the announced size, Close, Open(sink.ID()), FSM.Restore, Close of what Open gave, then
// the log is cut or cleared. A crash before FSM.Restore has switched to the new database leaves the old one and the log
// as they were, and a file that the next start removes. A crash after it leaves a log that reconcile makes fit.
type snapshotStore struct {
	cfg   snapshotConfig
	pace  *pace
	now   func() time.Time
	names int // of installs; Raft installs one at a time

	installing sync.Mutex // held while the applied index is raised or an install is announced
	generation uint64     // installs so far

	opening sync.Mutex // held while a checkpoint is made

	mu       sync.Mutex
	shared   *store.Checkpoint // what the open streams read; nil if there are none
	streams  map[*liveStream]struct{}
	saves    map[*saved]struct{}
	catching map[raft.ServerID]catching
	install  *install // received and not yet restored
	last     *member.Snapshot
}

// catching is a follower that has restored a snapshot and needs the log after it.
type catching struct {
	index uint64
	until time.Time
}

// install is a snapshot from the leader, in a file.
type install struct {
	meta  raft.SnapshotMeta
	path  string
	stale bool
	begun time.Time
}

func openSnapshotStore(cfg snapshotConfig) (*snapshotStore, error) {
	if err := os.RemoveAll(cfg.Dir); err != nil {
		return nil, fmt.Errorf("remove old snapshots: %w", err)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("snapshot directory: %w", err)
	}
	return &snapshotStore{
		cfg: cfg, pace: newPace(cfg.Bandwidth), now: time.Now,
		streams: make(map[*liveStream]struct{}), saves: make(map[*saved]struct{}), catching: make(map[raft.ServerID]catching),
	}, nil
}

// Close ends the streams that are still open. It is idempotent.
func (s *snapshotStore) Close() error {
	s.pace.stop()
	s.mu.Lock()
	var open []io.Closer
	for save := range s.saves {
		open = append(open, save) // before their streams
	}
	for stream := range s.streams {
		open = append(open, stream)
	}
	s.mu.Unlock()
	var errs []error
	for _, stream := range open {
		errs = append(errs, stream.Close())
	}
	return errors.Join(errs...)
}

// List reports the database as the only snapshot; none before anything was applied, for Raft refuses to bootstrap over
// one. Its size is only known once it is opened.
func (s *snapshotStore) List() ([]*raft.SnapshotMeta, error) {
	applied := s.cfg.Store.Applied()
	if applied.Index == 0 {
		return nil, nil
	}
	meta := metaOf(applied)
	return []*raft.SnapshotMeta{&meta}, nil
}

func metaOf(a store.Applied) raft.SnapshotMeta {
	meta := raft.SnapshotMeta{Version: raft.SnapshotVersionMax, ID: liveID, Index: a.Index, Term: a.Term, ConfigurationIndex: a.ConfigurationIndex}
	if len(a.Configuration) > 0 {
		meta.Configuration = raft.DecodeConfiguration(a.Configuration)
	}
	return meta
}

// Open opens the database as it is now, or the snapshot that was just received.
func (s *snapshotStore) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	if id == liveID {
		return s.openLive()
	}
	s.mu.Lock()
	in := s.install
	s.mu.Unlock()
	if in == nil || in.meta.ID != id {
		return nil, nil, fmt.Errorf("%w: %q", errNoSnapshot, id)
	}
	r, err := s.openInstall(in)
	if err != nil {
		s.cfg.OnFatal(err) // Raft would go on without what it was sent
		return nil, nil, err
	}
	meta := in.meta
	return &meta, r, nil
}

// openLive opens a stream of the database for a follower, which goes on from its end with the log.
func (s *snapshotStore) openLive() (*raft.SnapshotMeta, io.ReadCloser, error) {
	stream, c, err := s.openStream(&liveStream{s: s, begun: time.Now()}, func() (uint64, error) {
		first, err := s.cfg.Logs.FirstIndex()
		return max(first, 1) - 1, err
	})
	if err != nil {
		return nil, nil, err
	}
	meta := metaOf(c.Applied())
	meta.Size = c.Size()
	return &meta, stream, nil
}

// openStream opens a stream of a checkpoint that holds the log up to an index, which is asked for when the log is no
// longer cut.
func (s *snapshotStore) openStream(stream *liveStream, least func() (uint64, error)) (*liveStream, *store.Checkpoint, error) {
	s.opening.Lock()
	defer s.opening.Unlock()
	s.mu.Lock()
	s.streams[stream] = struct{}{} // from here on the log is not cut
	s.mu.Unlock()
	index, err := least()
	var c *store.Checkpoint
	if err == nil {
		c, err = s.checkpoint(index)
	}
	if err == nil {
		stream.reader, err = c.Reader()
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open snapshot: %w", err), stream.Close())
	}
	s.mu.Lock()
	stream.index = c.Applied().Index
	s.mu.Unlock()
	s.cfg.Logger.Info("snapshot opened", "index", c.Applied().Index, "bytes", c.Size())
	return stream, c, nil
}

// checkpoint returns the checkpoint that other streams read, if it holds the log up to an index, or makes one.
func (s *snapshotStore) checkpoint(least uint64) (*store.Checkpoint, error) {
	s.mu.Lock()
	shared := s.shared
	s.mu.Unlock()
	if shared != nil && shared.Applied().Index >= least {
		return shared, nil
	}
	fresh, err := s.cfg.Store.Checkpoint()
	if err != nil {
		return nil, err
	}
	if fresh.Applied().Index == 0 {
		fresh.Release()
		return nil, fmt.Errorf("%w: nothing is applied yet", errNoSnapshot)
	}
	s.mu.Lock()
	s.shared = fresh
	s.mu.Unlock()
	if shared != nil {
		shared.Release() // its readers go on
	}
	return fresh, nil
}

// hold reports whether the log must not be cut now: a stream is open, or a follower still needs what comes after one,
// unless that has grown too long or has taken too long.
func (s *snapshotStore) hold() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for stream := range s.streams {
		if stream.saving {
			continue
		}
		if stream.index == 0 || s.cfg.Logs.bytesAfter(stream.index) <= maxHeldBytes {
			return true
		}
	}
	for id, c := range s.catching {
		if s.now().Before(c.until) && s.cfg.Logs.bytesAfter(c.index) <= maxHeldBytes {
			return true
		}
		delete(s.catching, id)
	}
	return false
}

// streamed notes that a follower has restored a snapshot of an index.
func (s *snapshotStore) streamed(id raft.ServerID, index uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.catching[id] = catching{index: index, until: s.now().Add(catchUpTime)}
}

// caughtUp notes that a follower has the log up to about its end.
func (s *snapshotStore) caughtUp(id raft.ServerID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.catching, id)
}

// liveStream is one open stream of the database, at the pace that all share.
type liveStream struct {
	s      *snapshotStore
	begun  time.Time
	saving bool          // for a file: nobody goes on from its end, so the log may be cut
	reader io.ReadCloser // nil if it never opened
	index  uint64        // guarded by s.mu; 0 until known

	reading sync.Mutex
	once    sync.Once
	err     error
}

// Read gives the next bytes of the stream when it is time for them.
func (l *liveStream) Read(p []byte) (int, error) {
	l.reading.Lock()
	defer l.reading.Unlock()
	n, err := l.reader.Read(p)
	if n > 0 {
		if err := l.s.pace.wait(n); err != nil {
			return 0, err
		}
	}
	return n, err
}

// Close ends the stream. The checkpoint goes with the last. It is idempotent.
func (l *liveStream) Close() error {
	l.once.Do(func() {
		l.reading.Lock()
		defer l.reading.Unlock()
		if l.reader != nil {
			l.err = l.reader.Close()
			l.s.done(l.operation(), l.begun)
		}
		l.s.mu.Lock()
		defer l.s.mu.Unlock()
		delete(l.s.streams, l)
		if len(l.s.streams) == 0 && l.s.shared != nil {
			l.s.shared.Release()
			l.s.shared = nil
		}
	})
	return l.err
}

func (l *liveStream) operation() string {
	if l.saving {
		return SnapshotSave
	}
	return SnapshotSend
}

// note remembers the snapshot that the log now goes on from.
func (s *snapshotStore) note(last member.Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last.At = s.now().UTC().Truncate(time.Microsecond)
	s.last = &last
}

// lastOne is the last snapshot since the node started; nil for none.
func (s *snapshotStore) lastOne() *member.Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// done tells how long an operation took.
func (s *snapshotStore) done(operation string, begun time.Time) {
	if s.cfg.OnDone != nil {
		s.cfg.OnDone(operation, time.Since(begun))
	}
}

// emptyDir removes received snapshots that were never restored.
func (s *snapshotStore) emptyDir() error {
	entries, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.Remove(filepath.Join(s.cfg.Dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
