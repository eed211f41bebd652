package store

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSyncModes sees what each mode makes durable and when, by a log whose sync fails from some moment on: mode 0
// never notices, mode 1 with the next commit, mode 2 by itself, whereupon the next commit fails.
func TestSyncModes(t *testing.T) {
	for mode, interval := range []time.Duration{0, time.Hour, 5 * time.Millisecond} {
		t.Run(strconv.Itoa(mode), func(t *testing.T) {
			cfg := testConfig(t)
			cfg.WriteBufferBytes = 64 << 20 // nothing is flushed, which would sync the log
			cfg.WALSyncMode, cfg.WALSyncInterval = mode, max(interval, time.Millisecond)
			s, err := Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.Close(); err == nil {
					t.Error("the store was closed in good order although its log failed")
				}
			}()
			submit(t, s, newTask(1, nil))
			syncs := walSyncs(t, s)
			submit(t, s, newTask(2, nil))
			if got := walSyncs(t, s) - syncs; got > 0 != (mode == 1) {
				t.Errorf("a commit synced the log %d times", got)
			}
			breakSync(t, s)
			next := func(n int) error {
				b := s.Begin()
				b.Put(newTask(n, nil))
				_, err := b.Commit(Applied{Index: uint64(n), Term: 1}, [32]byte{})
				return err
			}
			switch mode {
			case 0:
				for n := 3; n < 100; n++ {
					if err := next(n); err != nil {
						t.Fatal(err)
					}
				}
			case 1:
				if next(3) == nil {
					t.Error("the commit was not synced")
				}
			case 2:
				if err := next(3); err != nil && s.d.failure() == nil {
					t.Fatal(err)
				}
				tick := time.NewTicker(cfg.WALSyncInterval)
				defer tick.Stop()
				for deadline := time.Now().Add(10 * time.Second); s.d.failure() == nil; <-tick.C {
					if time.Now().After(deadline) {
						t.Fatal("nothing was synced")
					}
				}
				if next(4) == nil {
					t.Error("a commit is accepted although the log cannot be synced")
				}
			}
		})
	}
}

// walSyncs counts the syncs of the log that commits have asked for.
func walSyncs(t *testing.T, s *Store) int {
	t.Helper()
	stats := s.d.db.GetProperty("rocksdb.dbstats")
	found := regexp.MustCompile(`Cumulative WAL: \S+ writes, (\d+) syncs`).FindStringSubmatch(stats)
	if found == nil {
		t.Fatalf("no syncs in %s", stats)
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// breakSync puts a file under RocksDB's log that takes every write and refuses to be synced.
func breakSync(t *testing.T, s *Store) {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range open {
		to, err := os.Readlink(filepath.Join("/proc/self/fd", fd.Name()))
		if err != nil || filepath.Dir(to) != s.d.path || filepath.Ext(to) != ".log" {
			continue
		}
		n, err := strconv.Atoi(fd.Name())
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Dup3(int(null.Fd()), n, unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatal("the log is not open")
}
