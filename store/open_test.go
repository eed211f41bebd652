package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/haiku-queue/haiku/task"
)

// base is the leader time at which tests begin.
var base = time.UnixMicro(1_700_000_000_000_000).UTC()

func testConfig(t testing.TB) Config {
	cfg := Default()
	cfg.Dir, cfg.Create = t.TempDir(), true
	cfg.BlockCacheBytes, cfg.WriteBufferBytes = 8<<20, 8<<20
	return cfg
}

func mustOpen(t testing.TB, cfg Config) *Store {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if d := s.d; t.Failed() && d != nil && d.batchOpen.Load() {
			return // Close would wait for the batch that the failed test left open
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func openTest(t testing.TB) *Store { return mustOpen(t, testConfig(t)) }

// testID makes the n-th task id: ids sort by n.
func testID(n int) task.ID {
	id := task.ID{0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x00, 0x70, 0, 0x80}
	id[12], id[13], id[14], id[15] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	return id
}

// newTask makes the n-th task, pending since base.
func newTask(n int, change func(*task.Spec)) *task.Task {
	spec := task.Spec{ID: testID(n), Type: "email"}
	if change != nil {
		change(&spec)
	}
	return task.New(&spec, base, uint64(n), spec.ContentHash())
}

// submit puts tasks in a batch of their own.
func submit(t testing.TB, s *Store, tasks ...*task.Task) []Claimable {
	t.Helper()
	b := s.Begin()
	for _, x := range tasks {
		b.Put(x)
		for b.Seq() < x.Seq {
			b.NextSeq()
		}
	}
	return commit(t, s, b)
}

// commit commits at the next index.
func commit(t testing.TB, s *Store, b *Batch) []Claimable {
	t.Helper()
	index := s.Applied().Index + 1
	claimable, err := b.Commit(Applied{Index: index, Term: 1}, [32]byte{byte(index)})
	if err != nil {
		t.Fatal(err)
	}
	return claimable
}

func mustCheck(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
}

func mustHash(t testing.TB, s *Store) [32]byte {
	t.Helper()
	h, err := s.StateHash()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestOpenRefusesMissingDatabase(t *testing.T) {
	cfg := testConfig(t)
	cfg.Create = false
	if _, err := Open(cfg); !errors.Is(err, errMissing) {
		t.Fatalf("empty directory without Create: %v", err)
	}
	cfg.Create = true
	s := mustOpen(t, cfg)
	submit(t, s, newTask(1, nil))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(cfg.Dir, firstDB)
	refused := func(what string) {
		t.Helper()
		for _, create := range []bool{false, true} {
			cfg.Create = create
			if s, err := Open(cfg); err == nil {
				s.Close()
				t.Fatalf("%s, create %v: opened an empty database", what, create)
			}
		}
	}
	rename := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	current := filepath.Join(db, "CURRENT")
	rename(current, current+".away")
	refused("no CURRENT")
	rename(current+".away", current)
	rename(db, db+".away")
	refused("no database")
	os.RemoveAll(db)
	if err := os.Rename(db+".away", db); err != nil {
		t.Fatal(err)
	}
	if s := mustOpen(t, cfg); s.Stats().Total.Ready != 1 {
		t.Fatal("the task is gone")
	}
}

func TestOpenRefusesDatabaseWithoutMarker(t *testing.T) {
	cfg := testConfig(t)
	s := mustOpen(t, cfg)
	submit(t, s, newTask(1, nil))
	s.Close()
	if err := os.Remove(filepath.Join(cfg.Dir, currentFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg); !errors.Is(err, errCorrupt) {
		t.Fatalf("a database with data and no marker: %v", err)
	}
	if err := os.WriteFile(filepath.Join(cfg.Dir, currentFile), []byte("../elsewhere\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg); !errors.Is(err, errCorrupt) {
		t.Fatalf("a marker that leads elsewhere: %v", err)
	}
}

func TestOpenFinishesCreation(t *testing.T) {
	cfg := testConfig(t)
	s := mustOpen(t, cfg)
	s.Close()
	if err := os.Remove(filepath.Join(cfg.Dir, currentFile)); err != nil { // as if it had stopped just before the marker
		t.Fatal(err)
	}
	s = mustOpen(t, cfg)
	submit(t, s, newTask(1, nil))
}

func TestOpenRemovesOrphansAndIsExclusive(t *testing.T) {
	cfg := testConfig(t)
	s := mustOpen(t, cfg)
	if s2, err := Open(cfg); err == nil {
		s2.Close()
		t.Fatal("two stores opened one directory")
	}
	s.Close()
	orphan := filepath.Join(cfg.Dir, "db-000002")
	if err := os.Mkdir(orphan, 0o700); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, cfg)
	if _, err := os.Stat(orphan); !os.IsNotExist(err) {
		t.Fatalf("the orphan is still there: %v", err)
	}
}

func TestCrashLosesNothingWritten(t *testing.T) {
	cfg := testConfig(t)
	s := mustOpen(t, cfg)
	for n := 1; n <= 50; n++ {
		submit(t, s, newTask(n, nil))
	}
	want := mustHash(t, s)
	crashed := cfg
	crashed.Dir, crashed.Create = t.TempDir(), false
	// What the files hold while the store is open: no Close, no flush. A crash takes all of them at one moment.
	for before := ""; before != listing(t, cfg.Dir); {
		before = listing(t, cfg.Dir)
		if err := os.RemoveAll(crashed.Dir); err != nil {
			t.Fatal(err)
		}
		copyDir(t, cfg.Dir, crashed.Dir)
	}
	s2 := mustOpen(t, crashed)
	if got := mustHash(t, s2); got != want {
		t.Fatalf("state hash %x, want %x", got, want)
	}
	if a := s2.Applied(); a.Index != 50 || s2.Stats().Total.Ready != 50 || !s2.HasReady([]string{"default"}, nil) {
		t.Fatalf("applied %d, stats %+v", a.Index, s2.Stats().Total)
	}
	mustCheck(t, s2)
}

// listing names the files below a directory with their sizes.
func listing(t testing.TB, dir string) (out string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), "LOG") {
			return err
		}
		info, err := e.Info()
		if err == nil {
			out += fmt.Sprintln(path, info.Size())
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return out
}

func copyDir(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		if e.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		b, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		return os.WriteFile(target, b, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAdoptSwitchesDatabase(t *testing.T) {
	cfg := testConfig(t)
	s := mustOpen(t, cfg)
	submit(t, s, newTask(1, nil))
	snap := s.Snapshot()
	defer snap.Release()
	name, err := nextDB(firstDB)
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.openDB(filepath.Join(cfg.Dir, name), openCreating)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.adopt(d); err != nil {
		t.Fatal(err)
	}
	if s.Stats().Total.Ready != 0 || s.Applied().Index != 0 {
		t.Fatal("the old state is still served")
	}
	if _, err := snap.StateHash(); !errors.Is(err, errClosed) {
		t.Fatalf("snapshot of the old database: %v", err)
	}
	submit(t, s, newTask(2, nil), newTask(3, nil))
	s.Close()
	if s := mustOpen(t, cfg); s.Stats().Total.Ready != 2 {
		t.Fatalf("after reopening: %+v", s.Stats().Total)
	}
	if _, err := os.Stat(filepath.Join(cfg.Dir, firstDB)); !os.IsNotExist(err) {
		t.Fatalf("the old database is still there: %v", err)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	defer goleak.VerifyNone(t)
	cfg := testConfig(t)
	cfg.WALSyncMode, cfg.WALSyncInterval = 2, time.Millisecond
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	submit(t, s, newTask(1, nil))
	snap := s.Snapshot()
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	snap.Release()
	snap.Release()
	if _, err := snap.StateHash(); !errors.Is(err, task.ErrShutdown) {
		t.Fatalf("snapshot after close: %v", err)
	}
	b := s.Begin()
	b.Put(newTask(2, nil))
	if _, err := b.Commit(Applied{Index: 9}, [32]byte{}); !errors.Is(err, task.ErrShutdown) {
		t.Fatalf("commit after close: %v", err)
	}
	b.Discard()
	if _, err := s.Task(testID(1), true); !errors.Is(err, task.ErrShutdown) {
		t.Fatalf("read after close: %v", err)
	}
	if err := s.EachInProgress(nil); !errors.Is(err, task.ErrShutdown) {
		t.Fatalf("scan after close: %v", err)
	}
}

func TestCloseBesideReaders(t *testing.T) {
	defer goleak.VerifyNone(t)
	cfg := testConfig(t)
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var tasks []*task.Task
	for n := 1; n <= 2000; n++ {
		tasks = append(tasks, newTask(n, nil))
	}
	submit(t, s, tasks...)
	started, ended := make(chan struct{}, 4), make(chan error, 4)
	for range 4 {
		go func() {
			for i := 0; ; i++ {
				_, err := s.StateHash()
				if err == nil {
					_, err = s.List(task.Filter{})
				}
				if err != nil {
					ended <- err
					return
				}
				if i == 0 {
					started <- struct{}{}
				}
			}
		}()
	}
	for range 4 {
		<-started
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if err := <-ended; !errors.Is(err, task.ErrShutdown) {
			t.Fatal(err)
		}
	}
}

func TestWitnessRaisesOnly(t *testing.T) {
	cfg := testConfig(t)
	s := mustOpen(t, cfg)
	b := s.Begin()
	if _, err := b.Commit(Applied{Index: 10, Term: 3, Configuration: []byte("c8"), ConfigurationIndex: 8}, [32]byte{}); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ give, want Applied }{
		{Applied{Index: 9, Term: 9, Configuration: []byte("c7"), ConfigurationIndex: 7}, Applied{10, 3, []byte("c8"), 8}},
		{Applied{Index: 12, Term: 4, Configuration: []byte("c7"), ConfigurationIndex: 7}, Applied{12, 4, []byte("c8"), 8}},
		{Applied{Index: 11, Term: 4, Configuration: []byte("c11"), ConfigurationIndex: 11}, Applied{12, 4, []byte("c11"), 11}},
	} {
		if err := s.Witness(step.give); err != nil {
			t.Fatal(err)
		}
		if got := s.Applied(); got.Index != step.want.Index || got.Term != step.want.Term ||
			string(got.Configuration) != string(step.want.Configuration) || got.ConfigurationIndex != step.want.ConfigurationIndex {
			t.Fatalf("after witness %+v: %+v, want %+v", step.give, got, step.want)
		}
	}
	b = s.Begin()
	if _, err := b.Commit(Applied{Index: 11, Term: 4}, [32]byte{}); err == nil {
		t.Fatal("a commit lowered the applied index")
	}
	s.Close()
	if got := mustOpen(t, cfg).Applied(); got.Index != 12 || string(got.Configuration) != "c11" {
		t.Fatalf("after reopening: %+v", got)
	}
}

func TestConfigValidate(t *testing.T) {
	cfg := Config{WALSyncMode: 3, RecordCacheBytes: -1, PeriodicCompaction: time.Second, CompactionStyle: "fifo"}
	err := cfg.Validate()
	if !errors.Is(err, task.ErrInvalid) {
		t.Fatal(err)
	}
	for _, word := range []string{"directory", "wal_sync_mode", "max_wal_bytes", "block_cache_bytes", "write_buffer_bytes", "record_cache_bytes", "head_entries",
		"enable_wal", "memtable_bytes", "max_memtables", "level0_trigger", "periodic_compaction", "max_open_files", "compression", "compaction_style"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%v does not name %s", err, word)
		}
	}
	good := Default()
	good.Dir = "x"
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
}
