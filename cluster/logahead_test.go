package cluster

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"

	"github.com/haiku-queue/haiku/task"
)

// block keeps a log in bbolt from writing until the returned function is called.
func block(t testing.TB, s *logStore) (release func()) {
	t.Helper()
	files := s.files
	if timed, ok := files.(timedFiles); ok {
		files = timed.logFiles
	}
	tx, err := files.(*boltLog).db.Begin(true)
	if err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(release)
	return release
}

// leadingLog is an empty log whose node leads others.
func leadingLog(t *testing.T, dir string) *logStore {
	t.Helper()
	s := openLog(t, dir, LogBolt)
	s.writeBehind(func() bool { return true })
	return s
}

// ended is a context that has ended.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func TestLeaderGoesOnWhileItsLogIsWritten(t *testing.T) {
	dir := t.TempDir()
	s := leadingLog(t, dir)
	appendEntries(t, s, 1, 3, 1)
	if err := s.awaitDurable(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	release := block(t, s)
	appendEntries(t, s, 4, 6, 1)
	appendEntries(t, s, 7, 7, 1)
	for i := uint64(4); i <= 7; i++ {
		var l raft.Log
		if err := s.GetLog(i, &l); err != nil || l.Index != i {
			t.Errorf("entry %d, for replication, is %+v, %v", i, l, err)
		}
	}
	if err := s.awaitDurable(ended(), 4); !errors.Is(err, context.Canceled) {
		t.Errorf("entry 4 cannot be on the disk: %v", err)
	}
	if err := s.awaitDurable(ended(), 3); err != nil {
		t.Errorf("entry 3 is on the disk: %v", err)
	}
	configured := make(chan error)
	go func() {
		configured <- s.StoreLog(&raft.Log{Index: 8, Term: 1, Type: raft.LogConfiguration})
	}()
	release()
	if err := <-configured; err != nil {
		t.Fatal(err)
	}
	if err := s.awaitDurable(ended(), 8); err != nil {
		t.Errorf("a configuration is stored before it is on the disk: %v", err)
	}
	appendEntries(t, s, 9, 10, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	holds(t, openLog(t, dir, LogBolt), 1, 10)
}

func TestDeposedLeaderDropsWhatItIsWriting(t *testing.T) {
	dir := t.TempDir()
	s := leadingLog(t, dir)
	appendEntries(t, s, 1, 3, 1)
	release := block(t, s)
	appendEntries(t, s, 4, 6, 1)
	s.writeBehind(func() bool { return false })
	stored := make(chan error)
	go func() {
		err := s.DeleteRange(5, 6)
		stored <- errors.Join(err, s.StoreLogs(entries(5, 5, 2)))
	}()
	release()
	if err := <-stored; err != nil {
		t.Fatal(err)
	}
	if err := s.awaitDurable(ended(), 5); err != nil {
		t.Errorf("what a follower stored is not on the disk: %v", err)
	}
	if err := s.awaitDurable(t.Context(), 6); !errors.Is(err, errEntryGone) {
		t.Errorf("entry 6 is gone, and said to be on the disk: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	holds(t, openLog(t, dir, LogBolt), 1, 5)
}

// gatedFiles are files that hold entries back and say whether a term is stored before them.
type gatedFiles struct {
	logFiles
	entered, release chan struct{}
	stored           atomic.Bool
	early            atomic.Bool
}

func (f *gatedFiles) StoreLogs(logs []*raft.Log) error {
	close(f.entered)
	<-f.release
	defer f.stored.Store(true)
	return f.logFiles.StoreLogs(logs)
}

func (f *gatedFiles) SetUint64(key []byte, n uint64) error {
	f.early.Store(!f.stored.Load())
	return f.logFiles.SetUint64(key, n)
}

// TestDeposedLeaderWritesItsEntriesBeforeALaterTerm: its successor may have the same entries, and counts them as stored
// here when it is answered, which takes the later term.
func TestDeposedLeaderWritesItsEntriesBeforeALaterTerm(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind LogKind) {
		s := openLog(t, t.TempDir(), kind)
		files := &gatedFiles{logFiles: s.files, entered: make(chan struct{}), release: make(chan struct{})}
		s.files = files
		s.writeBehind(func() bool { return true })
		appendEntries(t, s, 1, 3, 1)
		<-files.entered
		began, stored := make(chan struct{}), make(chan error)
		go func() {
			close(began)
			stored <- s.SetUint64(keyCurrentTerm, 2)
		}()
		<-began
		for range 1000 {
			runtime.Gosched()
		}
		close(files.release)
		if err := <-stored; err != nil {
			t.Fatal(err)
		}
		if files.early.Load() {
			t.Error("the term was stored while entries of the last one were not")
		}
	})
}

func TestFailedWriteBehindIsFatal(t *testing.T) {
	cfg := logIn(t, t.TempDir(), LogBolt)
	fatal := make(chan error, 2)
	cfg.OnFatal = func(err error) { fatal <- err }
	s, err := openLogStore(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.writeBehind(func() bool { return true })
	appendEntries(t, s, 1, 3, 1)
	if err := s.settled(); err != nil {
		t.Fatal(err)
	}
	if err := s.files.Close(); err != nil { // as if the file had gone bad
		t.Fatal(err)
	}
	appendEntries(t, s, 4, 4, 1)
	if err := s.awaitDurable(t.Context(), 4); !errors.Is(err, bbolt.ErrDatabaseNotOpen) {
		t.Errorf("an entry that could not be written: %v", err)
	}
	if err := <-fatal; !errors.Is(err, bbolt.ErrDatabaseNotOpen) {
		t.Errorf("reported as %v", err)
	}
	if err := s.StoreLogs(entries(5, 5, 1)); !errors.Is(err, bbolt.ErrDatabaseNotOpen) {
		t.Errorf("the next entry: %v", err)
	}
}

// TestNothingIsCommittedBeforeTheLeadersDisk: both followers have an entry that the leader has not.
func TestNothingIsCommittedBeforeTheLeadersDisk(t *testing.T) {
	c := startCluster(t, 3, func(cfg *Config) { // a write that takes long is no reason to give leadership away
		cfg.LogStore = LogBolt
		cfg.HeartbeatTimeout, cfg.ElectionTimeout, cfg.LeaderLeaseTimeout = 20*time.Second, 20*time.Second, 15*time.Second
	})
	c.submit(3)
	leader := c.leader()
	before := leader.raft.LastIndex()
	if err := leader.logs.awaitDurable(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	release := block(t, leader.logs)
	receipts := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_, err := leader.Submit(ctx, []task.Spec{{ID: task.NewID(), Type: "t"}}, false)
		receipts <- err
	}()
	for _, n := range c.followers() {
		eventually(t, n.name+" has the entry on its disk", func() bool {
			return n.raft.LastIndex() > before && n.logs.awaitDurable(ended(), n.raft.LastIndex()) == nil
		})
	}
	c.leader() // has since been answered by a majority
	select {
	case err := <-receipts:
		t.Fatalf("the submit was answered, with error %v, before the leader wrote it", err)
	default:
	}
	if got := leader.raft.CommitIndex(); got > before {
		t.Errorf("entry %d is committed, of which the leader has written %d", got, before)
	}
	release()
	if err := <-receipts; err != nil {
		t.Fatal(err)
	}
}
