package cluster

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// shelf is a snapshot store with its database and log, without Raft.
type shelf struct {
	*snapshotStore
	dir     string
	stale   []error
	stalled int
}

func openShelf(t *testing.T, dir string) *shelf {
	t.Helper()
	cfg := store.Default()
	cfg.Dir, cfg.Create = filepath.Join(dir, "store"), true
	cfg.BlockCacheBytes, cfg.WriteBufferBytes = 8<<20, 8<<20
	st, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{dir: dir}
	fatal := func(err error) { t.Errorf("fatal: %v", err) }
	s.snapshotStore, err = openSnapshotStore(snapshotConfig{
		Dir: filepath.Join(dir, "snapshots"), Store: st, Logs: openLog(t, dir, LogBolt), Watchdog: patient(t), Logger: quiet(),
		OnFatal: fatal, OnStale: func(err error) { s.stale = append(s.stale, err) }, OnInstall: func() {}, OnStall: func() { s.stalled++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close(t) })
	return s
}

func (s *shelf) close(t *testing.T) {
	t.Helper()
	if err := errors.Join(s.Close(), s.Close(), s.cfg.Logs.Close(), s.cfg.Store.Close()); err != nil {
		t.Error(err)
	}
}

var members = raft.Configuration{Servers: []raft.Server{{Suffrage: raft.Voter, ID: "a", Address: "127.0.0.1:1"}}}

// apply commits one task an entry up to an index, and puts the entries in the log.
func (s *shelf) apply(t *testing.T, index, term uint64) {
	t.Helper()
	for i := s.cfg.Store.Applied().Index + 1; i <= index; i++ {
		appendEntries(t, s.cfg.Logs, i, i, term)
		spec := task.Spec{ID: task.NewID(), Type: "t", Payload: bytes.Repeat([]byte{byte(i)}, 3000)}
		b := s.cfg.Store.Begin()
		b.Put(task.New(&spec, time.Unix(1_700_000_000, 0).UTC(), b.NextSeq(), spec.ContentHash()))
		_, err := b.Commit(store.Applied{Index: i, Term: term, Configuration: raft.EncodeConfiguration(members), ConfigurationIndex: 1}, [32]byte{byte(i)})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (s *shelf) hash(t *testing.T) [32]byte {
	t.Helper()
	h, err := s.cfg.Store.StateHash()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (s *shelf) create(t *testing.T, meta raft.SnapshotMeta) *snapshotSink {
	t.Helper()
	sink, err := s.Create(1, meta.Index, meta.Term, meta.Configuration, meta.ConfigurationIndex, nil)
	if err != nil {
		t.Fatal(err)
	}
	return sink.(*snapshotSink)
}

// stream opens the database and reads all of it.
func (s *shelf) stream(t *testing.T) (raft.SnapshotMeta, []byte) {
	t.Helper()
	meta, r, err := s.Open(liveID)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close(), r.Close()); err != nil || int64(len(b)) != meta.Size {
		t.Fatalf("announced %d bytes, read %d: %v", meta.Size, len(b), err)
	}
	return *meta, b
}

// receive is what Raft does with a snapshot from the leader up to Close.
func (s *shelf) receive(t *testing.T, meta raft.SnapshotMeta, b []byte) (*snapshotSink, error) {
	t.Helper()
	sink := s.create(t, meta)
	for part := range slices.Chunk(b, 10_000) {
		if _, err := sink.Write(part); err != nil {
			return sink, errors.Join(err, sink.Cancel())
		}
	}
	return sink, sink.Close()
}

// restore is what Raft and the state machine do after that.
func (s *shelf) restore(t *testing.T, id string) {
	t.Helper()
	_, r, err := s.Open(id)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.cfg.Store.Restore(r), r.Close()); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, dir string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func (s *shelf) checkpoints(t *testing.T) (n int) {
	for _, name := range names(t, filepath.Join(s.dir, "store")) {
		if strings.HasPrefix(name, "checkpoint-") {
			n++
		}
	}
	return n
}

func TestListReportsTheDatabase(t *testing.T) {
	s := openShelf(t, t.TempDir())
	if list, err := s.List(); err != nil || len(list) != 0 {
		t.Errorf("an empty database is listed as %v: %v", list, err)
	}
	if _, _, err := s.Open(liveID); !errors.Is(err, errNoSnapshot) || s.hold() || s.checkpoints(t) != 0 {
		t.Errorf("an empty database opens: %v; left %d checkpoints, hold %v", err, s.checkpoints(t), s.hold())
	}
	s.apply(t, 7, 2)
	list, err := s.List()
	if err != nil || len(list) != 1 {
		t.Fatalf("listed %v: %v", list, err)
	}
	if m := list[0]; m.Index != 7 || m.Term != 2 || m.ConfigurationIndex != 1 || len(m.Configuration.Servers) != 1 || m.Version != 1 {
		t.Errorf("listed %+v", m)
	}
	if _, _, err := s.Open("install-1-1-1"); !errors.Is(err, errNoSnapshot) {
		t.Errorf("opened what is not there: %v", err)
	}
}

func TestLocalSnapshotRaisesWhatTheDatabaseKnows(t *testing.T) {
	dir := t.TempDir()
	s := openShelf(t, dir)
	s.apply(t, 5, 1)
	appendEntries(t, s.cfg.Logs, 6, 9, 2) // no-ops and a barrier, which the state machine never sees
	two := raft.Configuration{Servers: append(slices.Clone(members.Servers), raft.Server{ID: "b", Address: "127.0.0.1:2"})}
	sink := s.create(t, raft.SnapshotMeta{Index: 8, Term: 2, Configuration: two, ConfigurationIndex: 6})
	if err := errors.Join(sink.Witness(), sink.Close(), sink.Close(), sink.Cancel()); err != nil {
		t.Fatal(err)
	}
	if last := s.lastOne(); last == nil || last.Index != 8 || last.Received || last.Bytes != 0 || last.At.IsZero() {
		t.Errorf("told of it is %+v", last)
	}
	if err := s.cfg.Logs.DeleteRange(1, 8); err != nil { // as Raft with no trailing logs
		t.Fatal(err)
	}
	holds(t, s.cfg.Logs, 8, 9)
	if sink.ID() != liveID || len(names(t, s.cfg.Dir)) != 0 {
		t.Errorf("a local snapshot is named %q and left %v", sink.ID(), names(t, s.cfg.Dir))
	}
	s.close(t)
	s = openShelf(t, dir)
	if list, err := s.List(); err != nil || list[0].Index != 8 || list[0].Term != 2 || len(list[0].Configuration.Servers) != 2 {
		t.Errorf("after a restart the list is %+v: %v", list, err)
	}
	sink = s.create(t, raft.SnapshotMeta{Index: 4, Term: 1})
	if err := errors.Join(sink.Witness(), sink.Close()); err != nil || s.cfg.Store.Applied().Index != 8 {
		t.Errorf("an older snapshot lowered the index to %d: %v", s.cfg.Store.Applied().Index, err)
	}
	if err := s.create(t, raft.SnapshotMeta{Index: 90, Term: 9}).Close(); err == nil || s.cfg.Store.Applied().Index != 8 {
		t.Errorf("an empty snapshot was taken: index %d, %v", s.cfg.Store.Applied().Index, err)
	}
}

func TestInstallOfALeadersSnapshot(t *testing.T) {
	from, to := openShelf(t, t.TempDir()), openShelf(t, t.TempDir())
	from.apply(t, 40, 3)
	to.apply(t, 10, 1)
	meta, stream := from.stream(t)
	local := to.create(t, raft.SnapshotMeta{Index: 12, Term: 1}) // begun before, ended after
	sink, err := to.receive(t, meta, stream)
	if err != nil {
		t.Fatal(err)
	}
	if err := local.Witness(); !errors.Is(err, errSuperseded) {
		t.Errorf("a local snapshot raised the index in the middle of an install: %v", err)
	}
	if !to.cfg.Logs.IsMonotonic() {
		t.Error("the log is of another past and would stay")
	}
	to.restore(t, sink.ID())
	if to.hash(t) != from.hash(t) || to.cfg.Store.Applied().Index != 40 || to.cfg.Store.Applied().Term != 3 {
		t.Errorf("restored up to %+v", to.cfg.Store.Applied())
	}
	if len(to.stale) != 0 || len(names(t, to.cfg.Dir)) != 0 {
		t.Errorf("stale %v, left %v", to.stale, names(t, to.cfg.Dir))
	}
	if last := to.lastOne(); last == nil || last.Index != 40 || !last.Received || last.Bytes == 0 || last.At.IsZero() {
		t.Errorf("told of it is %+v", last)
	}
	if last := from.lastOne(); last != nil {
		t.Errorf("what was sent is told as the sender's own: %+v", last)
	}
	if _, _, err := to.Open(sink.ID()); !errors.Is(err, errNoSnapshot) {
		t.Errorf("opened twice: %v", err)
	}
	if _, _, err := from.Open(sink.ID()); !errors.Is(err, errNoSnapshot) {
		t.Errorf("opened elsewhere: %v", err)
	}
}

func TestInstallThatContradictsTheLogAsksForAFreshStart(t *testing.T) {
	from := openShelf(t, t.TempDir())
	from.apply(t, 20, 3)
	meta, stream := from.stream(t)
	dir := t.TempDir()
	to := openShelf(t, dir)
	to.apply(t, 10, 1)
	appendEntries(t, to.cfg.Logs, 11, 30, 2) // never committed
	if err := to.cfg.Logs.SetUint64(keyCurrentTerm, 3); err != nil {
		t.Fatal(err)
	}
	sink, err := to.receive(t, meta, stream)
	if err != nil || len(to.stale) != 0 {
		t.Fatalf("stale %v before the restore: %v", to.stale, err)
	}
	to.restore(t, sink.ID())
	if len(to.stale) != 1 {
		t.Fatalf("stale: %v", to.stale)
	}
	to.close(t) // a crash before Raft has cleared the log
	to = openShelf(t, dir)
	if err := reconcile(to.cfg.Logs, to.cfg.Store.Applied()); err != nil {
		t.Fatal(err)
	}
	holds(t, to.cfg.Logs, 0, 0)
	if to.hash(t) != from.hash(t) {
		t.Error("another state")
	}
}

func TestBadInstallChangesNothing(t *testing.T) {
	from, to := openShelf(t, t.TempDir()), openShelf(t, t.TempDir())
	from.apply(t, 20, 2)
	to.apply(t, 5, 1)
	hash := to.hash(t)
	meta, stream := from.stream(t)
	damaged := bytes.Clone(stream)
	damaged[len(damaged)/2] ^= 1
	for name, c := range map[string]struct {
		change func(*raft.SnapshotMeta)
		stream []byte
	}{
		"damaged":               {func(*raft.SnapshotMeta) {}, damaged},
		"cut short":             {func(*raft.SnapshotMeta) {}, stream[:len(stream)-1]},
		"another index":         {func(m *raft.SnapshotMeta) { m.Index++ }, stream},
		"another term":          {func(m *raft.SnapshotMeta) { m.Term++ }, stream},
		"another configuration": {func(m *raft.SnapshotMeta) { m.ConfigurationIndex++ }, stream},
		"older than the node":   {func(m *raft.SnapshotMeta) { m.Index = 4 }, stream},
		"no bytes":              {func(*raft.SnapshotMeta) {}, nil},
	} {
		m := meta
		c.change(&m)
		sink, err := to.receive(t, m, c.stream)
		if err == nil {
			t.Errorf("%s: taken", name)
		}
		if _, _, err := to.Open(sink.ID()); sink.ID() != liveID && !errors.Is(err, errNoSnapshot) {
			t.Errorf("%s: can be opened: %v", name, err)
		}
		if to.hash(t) != hash || to.cfg.Store.Applied().Index != 5 || to.cfg.Logs.IsMonotonic() || len(names(t, to.cfg.Dir)) != 0 {
			t.Errorf("%s: changed something; left %v", name, names(t, to.cfg.Dir))
		}
	}
	sink := to.create(t, meta)
	if _, err := sink.Write(stream[:1000]); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sink.Cancel(), sink.Cancel()); err != nil || len(names(t, to.cfg.Dir)) != 0 {
		t.Errorf("cancelled: left %v, %v", names(t, to.cfg.Dir), err)
	}
	if err := sink.Witness(); err == nil {
		t.Error("a snapshot from the leader became a local one")
	}
	if _, err := to.receive(t, meta, stream); err != nil {
		t.Errorf("the right one: %v", err)
	}
}

func TestUnfinishedInstallGoesAtStart(t *testing.T) {
	dir := t.TempDir()
	from, to := openShelf(t, t.TempDir()), openShelf(t, dir)
	from.apply(t, 9, 1)
	meta, stream := from.stream(t)
	if _, err := to.receive(t, meta, stream); err != nil || len(names(t, to.cfg.Dir)) != 1 {
		t.Fatalf("received %v: %v", names(t, to.cfg.Dir), err)
	}
	to.close(t)
	to = openShelf(t, dir)
	if left := names(t, to.cfg.Dir); len(left) != 0 || to.cfg.Store.Applied().Index != 0 {
		t.Errorf("left %v at index %d", left, to.cfg.Store.Applied().Index)
	}
}

func TestStallOfAnIncomingSnapshotIsNoticed(t *testing.T) {
	from, to := openShelf(t, t.TempDir()), openShelf(t, t.TempDir())
	from.apply(t, 9, 1)
	meta, stream := from.stream(t)
	sink := to.create(t, meta)
	if _, err := sink.Write(stream[:1000]); err != nil {
		t.Fatal(err)
	}
	now := time.Duration(sink.watch.since.Load())
	if to.cfg.Watchdog.look(now + stallAfter - 1); to.stalled != 0 {
		t.Error("noticed too early")
	}
	if to.cfg.Watchdog.look(now + stallAfter); to.stalled != 1 {
		t.Error("not noticed")
	}
	if err := sink.Cancel(); err != nil {
		t.Error(err)
	}
}

func TestStreamsShareACheckpointAndHoldTheLog(t *testing.T) {
	s := openShelf(t, t.TempDir())
	s.apply(t, 10, 1)
	if s.hold() {
		t.Error("the log is held for nothing")
	}
	meta, first, err := s.Open(liveID)
	if err != nil {
		t.Fatal(err)
	}
	s.apply(t, 20, 1)
	again, second, err := s.Open(liveID)
	if err != nil || again.Index != meta.Index || s.checkpoints(t) != 1 {
		t.Errorf("a second stream is of %d, the first of %d, with %d checkpoints: %v", again.Index, meta.Index, s.checkpoints(t), err)
	}
	if err := s.cfg.Logs.DeleteRange(1, 15); err != nil { // as if the log had become too long to be held
		t.Fatal(err)
	}
	third, r, err := s.Open(liveID)
	if err != nil || third.Index != 20 || s.checkpoints(t) != 2 {
		t.Errorf("a stream after whose end the log is gone: of %d, with %d checkpoints: %v", third.Index, s.checkpoints(t), err)
	}
	streams := []io.ReadCloser{first, second, r}
	for i, size := range []int64{meta.Size, meta.Size, third.Size} {
		n, err := io.Copy(io.Discard, streams[i])
		if err != nil || n != size {
			t.Errorf("stream %d has %d bytes, want %d: %v", i, n, size, err)
		}
		if !s.hold() {
			t.Errorf("the log is not held for stream %d", i)
		}
		if err := streams[i].Close(); err != nil {
			t.Error(err)
		}
	}
	if s.hold() || s.checkpoints(t) != 0 {
		t.Errorf("after the last stream: hold %v, %d checkpoints", s.hold(), s.checkpoints(t))
	}
}

func TestLogIsHeldUntilTheFollowerHasIt(t *testing.T) {
	s := openShelf(t, t.TempDir())
	now := time.Now()
	s.now = func() time.Time { return now }
	s.apply(t, 10, 1)
	s.streamed("a", 10)
	s.streamed("b", 10)
	s.caughtUp("a")
	if !s.hold() {
		t.Error("not held for the second follower")
	}
	s.caughtUp("b")
	if s.hold() {
		t.Error("held after both have caught up")
	}
	s.streamed("a", 10)
	now = now.Add(catchUpTime - 1)
	if !s.hold() {
		t.Error("given up too early")
	}
	now = now.Add(1)
	if s.hold() || len(s.catching) != 0 {
		t.Error("held for ever")
	}
	s.streamed("a", 5)
	_, r, err := s.Open(liveID)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s.cfg.Logs.extent.push(11, 1<<31) // more than anyone should keep for a follower
	if s.hold() {
		t.Error("the log grows without bound")
	}
}

func TestPaceIsShared(t *testing.T) {
	p := newPace(1 << 20)
	now := time.Now()
	if d := p.reserve(1<<20, now); d != time.Second {
		t.Errorf("1 MiB at 1 MiB/s takes %s", d)
	}
	if d := p.reserve(1<<19, now.Add(time.Second/2)); d != time.Second {
		t.Errorf("half a MiB behind half a MiB takes %s", d)
	}
	if d := p.reserve(1<<20, now.Add(time.Hour)); d != time.Second {
		t.Errorf("after an idle hour 1 MiB takes %s", d)
	}
	stopped := make(chan error)
	go func() { stopped <- p.wait(1 << 30) }()
	p.stop()
	p.stop()
	if err := <-stopped; !errors.Is(err, net.ErrClosed) {
		t.Errorf("stopped with %v", err)
	}
	if err := newPace(0).wait(1 << 30); err != nil {
		t.Errorf("without a cap: %v", err)
	}
}

func TestCappedStreamIsWhole(t *testing.T) {
	s := openShelf(t, t.TempDir())
	s.apply(t, 10, 1)
	s.pace = newPace(64 << 20)
	begun := time.Now()
	meta, b := s.stream(t)
	if took, least := time.Since(begun), time.Duration(meta.Size)*time.Second/(64<<20); took < least {
		t.Errorf("%d bytes took %s, the cap allows them in %s", len(b), took, least)
	}
}
