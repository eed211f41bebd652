package cluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/snapshot"
	"github.com/haiku-queue/haiku/store"
)

// Create begins a snapshot. Which kind it is shows later: Witness makes it a local one, the first Write one from the
// leader.
func (s *snapshotStore) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration,
	configurationIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	if version != raft.SnapshotVersionMax {
		return nil, fmt.Errorf("snapshot version %d is not known", version)
	}
	s.installing.Lock()
	defer s.installing.Unlock()
	return &snapshotSink{s: s, generation: s.generation, meta: raft.SnapshotMeta{
		Version: version, ID: liveID, Index: index, Term: term, Configuration: configuration, ConfigurationIndex: configurationIndex,
	}}, nil
}

// snapshotSink takes a snapshot in. It belongs to one goroutine.
type snapshotSink struct {
	s          *snapshotStore
	meta       raft.SnapshotMeta
	generation uint64
	witnessed  bool
	begun      time.Time // when the first bytes came from the leader
	file       *os.File  // not nil: from the leader
	watch      *bracket
	closed     bool
}

// ID names the snapshot for Open.
func (k *snapshotSink) ID() string { return k.meta.ID }

// Witness is what taking a local snapshot comes to: the database learns how far Raft's log is, which it may not have
// seen itself where no command came, and all of it becomes durable. After that Raft may cut its log.
func (k *snapshotSink) Witness() error {
	s := k.s
	s.installing.Lock()
	defer s.installing.Unlock()
	if k.file != nil || k.generation != s.generation {
		return errSuperseded
	}
	applied := store.Applied{Index: k.meta.Index, Term: k.meta.Term}
	if k.meta.ConfigurationIndex > 0 {
		applied.Configuration, applied.ConfigurationIndex = raft.EncodeConfiguration(k.meta.Configuration), k.meta.ConfigurationIndex
	}
	err := s.cfg.Store.Witness(applied)
	if err == nil {
		err = s.cfg.Store.Sync()
	}
	if err != nil {
		err = fmt.Errorf("make the database durable: %w", err)
		s.cfg.OnFatal(err)
		return err
	}
	s.cfg.Logs.keepFrom(k.meta.Index)
	k.witnessed = true
	s.note(member.Snapshot{Index: k.meta.Index})
	return nil
}

// Write takes bytes from the leader.
func (k *snapshotSink) Write(b []byte) (int, error) {
	if k.file == nil {
		if err := k.receive(); err != nil {
			return 0, fmt.Errorf("receive snapshot: %w", err)
		}
	}
	k.watch.tick()
	return k.file.Write(b)
}

// receive begins a file for what comes. A snapshot from before what this node has applied is of no use: it is late on
// its way, or its sender has yet to apply what it leads.
func (k *snapshotSink) receive() error {
	s := k.s
	s.cfg.OnInstall()
	if applied := s.cfg.Store.Applied().Index; k.meta.Index < applied {
		return fmt.Errorf("it is of index %d, this node is at %d", k.meta.Index, applied)
	}
	if k.witnessed {
		return errors.New("it has begun as a local one")
	}
	s.mu.Lock()
	s.install = nil
	s.mu.Unlock()
	if err := s.emptyDir(); err != nil {
		return err
	}
	s.names++
	k.meta.ID = fmt.Sprintf("install-%d-%d-%d", k.meta.Term, k.meta.Index, s.names)
	f, err := os.OpenFile(filepath.Join(s.cfg.Dir, k.meta.ID), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	k.file, k.begun = f, time.Now()
	k.watch = s.cfg.Watchdog.stream("receiving a snapshot", stallAfter, func(error) { s.cfg.OnStall() })
	s.cfg.Logger.Info("snapshot is coming", "index", k.meta.Index, "term", k.meta.Term)
	return nil
}

// Close ends the snapshot. One from the leader is read again in full and checked, so that a damaged one is asked for
// anew instead of ending this process in the middle of the restore.
func (k *snapshotSink) Close() error {
	if k.closed {
		return nil
	}
	k.closed = true
	if k.file == nil {
		if !k.witnessed {
			return errors.New("snapshot without content")
		}
		return nil
	}
	k.watch.leave()
	err := k.check()
	if err = errors.Join(err, k.file.Close()); err == nil {
		err = k.announce()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("receive snapshot: %w", err), os.Remove(k.file.Name()))
	}
	return nil
}

// check reads the received file and compares it with what Raft was told.
func (k *snapshotSink) check() (err error) {
	if k.meta.Size, err = k.file.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	if _, err := k.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	watch := k.s.cfg.Watchdog.stream("checking a snapshot", stallAfter, k.s.cfg.OnFatal)
	defer watch.leave()
	applied, err := snapshot.Check(ticking{k.file, watch})
	if err != nil {
		return err
	}
	if applied.Index != k.meta.Index || applied.Term != k.meta.Term || applied.ConfigurationIndex != k.meta.ConfigurationIndex {
		return fmt.Errorf("it holds index %d, term %d, configuration %d; announced were %d, %d and %d", applied.Index, applied.Term,
			applied.ConfigurationIndex, k.meta.Index, k.meta.Term, k.meta.ConfigurationIndex)
	}
	return nil
}

// announce makes the received snapshot the one that Open gives, and settles what becomes of the log.
func (k *snapshotSink) announce() error {
	s := k.s
	s.cfg.OnInstall()
	s.installing.Lock()
	defer s.installing.Unlock()
	stale, err := s.cfg.Logs.expectInstall(k.meta.Index, k.meta.Term, s.cfg.Store.Applied())
	if err != nil {
		return err
	}
	s.generation++
	s.mu.Lock()
	defer s.mu.Unlock()
	s.install = &install{meta: k.meta, path: k.file.Name(), stale: stale, begun: k.begun}
	return nil
}

// Cancel ends the snapshot without effect.
func (k *snapshotSink) Cancel() error {
	if k.closed {
		return nil
	}
	k.closed = true
	if k.file == nil {
		return nil
	}
	k.watch.leave()
	return errors.Join(k.file.Close(), os.Remove(k.file.Name()))
}

// openInstall opens a received snapshot for FSM.Restore.
func (s *snapshotStore) openInstall(in *install) (io.ReadCloser, error) {
	f, err := os.Open(in.path)
	if err != nil {
		return nil, fmt.Errorf("open received snapshot: %w", err)
	}
	watch := s.cfg.Watchdog.stream("restoring a snapshot", stallAfter, s.cfg.OnFatal)
	return &installReader{ticking: ticking{f, watch}, s: s, in: in, file: f}, nil
}

// installReader reads a received snapshot once.
type installReader struct {
	ticking
	s    *snapshotStore
	in   *install
	file *os.File
}

// Close is called by Raft once the restore has ended, well or not. The file is no longer needed.
func (r *installReader) Close() error {
	s := r.s
	s.mu.Lock()
	mine := s.install == r.in
	if mine {
		s.install = nil
	}
	s.mu.Unlock()
	r.watch.leave()
	came := member.Snapshot{Index: r.in.meta.Index, Received: true}
	if info, err := r.file.Stat(); err == nil {
		came.Bytes = uint64(info.Size())
	}
	err := r.file.Close()
	if !mine {
		return err
	}
	s.done(SnapshotReceive, r.in.begun)
	if s.cfg.Store.Applied().Index >= r.in.meta.Index {
		s.note(came)
	}
	if r.in.stale && s.cfg.Store.Applied().Index >= r.in.meta.Index {
		s.cfg.OnStale(fmt.Errorf("the leader's snapshot of entry %d contradicts entries of this node's log", r.in.meta.Index))
	}
	return errors.Join(err, os.Remove(r.in.path))
}

// ticking tells the watchdog of each read.
type ticking struct {
	from  io.Reader
	watch *bracket
}

func (t ticking) Read(p []byte) (int, error) {
	t.watch.tick()
	return t.from.Read(p)
}
