package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/store"
)

// patient is a watchdog that never complains; it ends with the test.
func patient(t *testing.T) *watchdog {
	t.Helper()
	w := newWatchdog(time.Hour, time.Hour, func(string) {}, func(error) {})
	t.Cleanup(w.Close)
	return w
}

// bothKinds runs a test with each kind of log.
func bothKinds(t *testing.T, test func(t *testing.T, kind LogKind)) {
	for _, kind := range []LogKind{LogBolt, LogWAL} {
		t.Run(string(kind), func(t *testing.T) { test(t, kind) })
	}
}

// logIn is the configuration of a log in a directory; any error of storage fails the test.
func logIn(t *testing.T, dir string, kind LogKind) logConfig {
	t.Helper()
	return logConfig{
		Dir: dir, Kind: kind, Watchdog: patient(t), Logger: quiet(), OnFatal: func(err error) { t.Errorf("fatal: %v", err) },
	}
}

func openLog(t *testing.T, dir string, kind LogKind) *logStore {
	t.Helper()
	s, err := openLogStore(logIn(t, dir, kind))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// entries makes log entries from first to last in one term.
func entries(first, last, term uint64) []*raft.Log {
	var logs []*raft.Log
	for i := first; i <= last; i++ {
		logs = append(logs, &raft.Log{Index: i, Term: term, Data: fmt.Appendf(nil, "%d/%d", i, term)})
	}
	return logs
}

func appendEntries(t *testing.T, s *logStore, first, last, term uint64) {
	t.Helper()
	if err := s.StoreLogs(entries(first, last, term)); err != nil {
		t.Fatal(err)
	}
}

// holds checks that the log has exactly the entries from first to last; 0, 0 for none.
func holds(t *testing.T, s *logStore, first, last uint64) {
	t.Helper()
	f, err1 := s.FirstIndex()
	l, err2 := s.LastIndex()
	bf, err3 := s.files.FirstIndex()
	bl, err4 := s.files.LastIndex()
	if err := errors.Join(err1, err2, err3, err4); err != nil || f != first || l != last || bf != first || bl != last {
		t.Fatalf("holds %d to %d, the files %d to %d, want %d to %d: %v", f, l, bf, bl, first, last, err)
	}
	for i := first; i <= last && i > 0; i++ {
		var e, disk raft.Log
		if err := errors.Join(s.GetLog(i, &e), s.files.GetLog(i, &disk)); err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
		if e.Index != i || disk.Index != i || e.Term != disk.Term || !bytes.Equal(e.Data, disk.Data) {
			t.Fatalf("entry %d is %+v, in the files %+v", i, e, disk)
		}
	}
	var e raft.Log
	if err := s.GetLog(last+1, &e); err != raft.ErrLogNotFound { // Raft compares so
		t.Fatalf("entry after the last: %v", err)
	}
}

func TestLogSurvivesReopening(t *testing.T) { bothKinds(t, logSurvivesReopening) }

func logSurvivesReopening(t *testing.T, kind LogKind) {
	dir := t.TempDir()
	s := openLog(t, dir, kind)
	holds(t, s, 0, 0)
	appendEntries(t, s, 1, 100, 1)
	if err := errors.Join(s.SetUint64(keyCurrentTerm, 7), s.Set([]byte("LastVoteCand"), []byte("b"))); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.DeleteRange(1, 40), s.DeleteRange(91, 100)); err != nil {
		t.Fatal(err)
	}
	holds(t, s, 41, 90)
	appendEntries(t, s, 91, 95, 2)
	held := s.bytes()
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	s = openLog(t, dir, kind)
	holds(t, s, 41, 95)
	if term, err := s.GetUint64(keyCurrentTerm); err != nil || term != 7 {
		t.Errorf("term %d: %v", term, err)
	}
	if now := s.bytes(); now < held/2 || now > held*2 {
		t.Errorf("the log held about %d bytes, after reopening %d", held, now)
	}
	if value, err := s.Get([]byte("nothing")); value != nil || err != nil && err.Error() != "not found" {
		t.Errorf("Raft wants nothing or the text %q, got %q, %v", "not found", value, err)
	}
}

func TestLogCacheIsBoundedByBytes(t *testing.T) { bothKinds(t, logCacheIsBoundedByBytes) }

func logCacheIsBoundedByBytes(t *testing.T, kind LogKind) {
	s := openLog(t, t.TempDir(), kind)
	s.cache.limit = 10_000
	for i := uint64(1); i <= 50; i++ {
		l := &raft.Log{Index: i, Term: 1, Data: bytes.Repeat([]byte{byte(i)}, 1000)}
		if i == 30 {
			l.Data = make([]byte, 20_000) // larger than the cache
		}
		if err := s.StoreLog(l); err != nil {
			t.Fatal(err)
		}
		var sum int64
		for j := range s.cache.entries {
			sum += entrySize(&s.cache.entries[j])
		}
		if sum != s.cache.bytes || sum > s.cache.limit {
			t.Fatalf("after entry %d the cache has %d bytes and counts %d", i, sum, s.cache.bytes)
		}
	}
	if len(s.cache.entries) != 9 {
		t.Errorf("the cache has %d entries, 9 would fit", len(s.cache.entries))
	}
	holds(t, s, 1, 50)
	if err := s.DeleteRange(45, 50); err != nil {
		t.Fatal(err)
	}
	appendEntries(t, s, 45, 46, 2)
	holds(t, s, 1, 46)
	if err := s.DeleteRange(1, 44); err != nil {
		t.Fatal(err)
	}
	holds(t, s, 45, 46)
	if err := s.DeleteRange(45, 46); err != nil || s.cache.bytes != 0 || s.bytes() != 0 {
		t.Errorf("an empty log has %d bytes in the cache and counts %d: %v", s.cache.bytes, s.bytes(), err)
	}
}

func TestLogCountsItsBytes(t *testing.T) { bothKinds(t, logCountsItsBytes) }

func logCountsItsBytes(t *testing.T, kind LogKind) {
	s := openLog(t, t.TempDir(), kind)
	if got := s.trailing(50_000); got != 50_000 {
		t.Errorf("an empty log keeps %d entries", got)
	}
	appendEntries(t, s, 5, 9, 1)
	one := s.bytes() / 5
	for index, want := range map[uint64]int64{0: 5 * one, 4: 5 * one, 5: 4 * one, 8: one, 9: 0, 100: 0} {
		if got := s.bytesAfter(index); got != want {
			t.Errorf("%d bytes after %d, want %d", got, index, want)
		}
	}
	for size, want := range map[int64]uint64{1: 50_000, 1 << 10: 50_000, 1 << 20: 1024, 10 << 20: 102, 1 << 28: 64} {
		s.extent = logExtent{}
		for i := range uint64(10_000) { // all small but for the last 2000
			if i < 8000 {
				s.extent.push(i+1, 100)
			} else {
				s.extent.push(i+1, size)
			}
		}
		if got := s.trailing(50_000); got != want {
			t.Errorf("of entries of %d bytes it keeps %d, want %d", size, got, want)
		}
	}
	if got := s.trailing(10); got != 10 {
		t.Errorf("told to keep at most 10, it keeps %d", got)
	}
}

func TestLogErrorsAreFatal(t *testing.T) { bothKinds(t, logErrorsAreFatal) }

func logErrorsAreFatal(t *testing.T, kind LogKind) {
	var fatal []error
	cfg := logIn(t, t.TempDir(), kind)
	cfg.OnFatal = func(err error) { fatal = append(fatal, err) }
	s, err := openLogStore(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	appendEntries(t, s, 1, 3, 1)
	if err := s.StoreLogs(entries(5, 5, 1)); !errors.Is(err, errLogGap) || len(fatal) != 1 || !errors.Is(fatal[0], errLogGap) {
		t.Errorf("a gap was answered by %v, reported as %v", err, fatal)
	}
	if err := s.files.Close(); err != nil { // as if the file had gone bad
		t.Fatal(err)
	}
	var l raft.Log
	s.cache = logCache{limit: 1}
	for name, operation := range map[string]func() error{
		"StoreLogs":   func() error { return s.StoreLogs(entries(4, 4, 1)) },
		"DeleteRange": func() error { return s.DeleteRange(1, 2) },
		"GetLog":      func() error { return s.GetLog(1, &l) },
		"Set":         func() error { return s.Set([]byte("k"), []byte("v")) },
		"SetUint64":   func() error { return s.SetUint64([]byte("k"), 1) },
		"GetUint64":   func() error { _, err := s.GetUint64([]byte("k")); return err },
	} {
		fatal = nil
		if err := operation(); err == nil || len(fatal) != 1 {
			t.Errorf("%s: error %v, reported %v", name, err, fatal)
		}
	}
	fatal = nil
	s.Close()
	if err := s.StoreLogs(entries(4, 4, 1)); err == nil || len(fatal) != 0 {
		t.Errorf("after Close: error %v, reported %v", err, fatal)
	}
}

func TestLogKeepsItsAnchor(t *testing.T) { bothKinds(t, logKeepsItsAnchor) }

func logKeepsItsAnchor(t *testing.T, kind LogKind) {
	s := openLog(t, t.TempDir(), kind)
	appendEntries(t, s, 1, 10, 1)
	s.keepFrom(6)
	if err := s.DeleteRange(1, 6); err != nil { // as Raft does with no trailing logs
		t.Fatal(err)
	}
	holds(t, s, 6, 10)
	if err := errors.Join(s.DeleteRange(6, 6), s.DeleteRange(8, 10)); err != nil {
		t.Fatal(err)
	}
	holds(t, s, 6, 7)
}

func TestReconcile(t *testing.T) { bothKinds(t, reconcileLogs) }

func reconcileLogs(t *testing.T, kind LogKind) {
	for name, c := range map[string]struct {
		first, last, term uint64 // of the log
		voted             uint64 // Raft's current term
		applied           store.Applied
		wantFirst         uint64
		wantLast          uint64
		want              error
	}{
		"new node":                            {0, 0, 0, 0, store.Applied{}, 0, 0, nil},
		"database lags":                       {1, 9, 2, 2, store.Applied{Index: 4, Term: 2}, 1, 9, nil},
		"nothing applied yet":                 {1, 9, 2, 2, store.Applied{}, 1, 9, nil},
		"log is cut up to the database":       {5, 9, 2, 2, store.Applied{Index: 4, Term: 2}, 5, 9, nil},
		"a part of the log is missing":        {6, 9, 2, 2, store.Applied{Index: 4, Term: 2}, 0, 0, errLostLog},
		"the database is missing":             {6, 9, 2, 2, store.Applied{}, 0, 0, errLostLog},
		"the log is missing":                  {0, 0, 0, 0, store.Applied{Index: 4, Term: 2}, 0, 0, errLostLog},
		"the log is older than the database":  {1, 9, 1, 1, store.Applied{Index: 12, Term: 2}, 0, 0, errLostLog},
		"crash after an install cleared it":   {0, 0, 0, 2, store.Applied{Index: 4, Term: 2}, 0, 0, nil},
		"crash within an install beyond it":   {1, 9, 1, 2, store.Applied{Index: 12, Term: 2}, 0, 0, nil},
		"crash within an install against it":  {1, 9, 1, 3, store.Applied{Index: 6, Term: 2}, 0, 0, nil},
		"crash within an install it contains": {1, 9, 2, 3, store.Applied{Index: 6, Term: 2}, 1, 9, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := openLog(t, t.TempDir(), kind)
			if c.last > 0 {
				appendEntries(t, s, c.first, c.last, c.term)
			}
			if c.voted > 0 {
				if err := s.SetUint64(keyCurrentTerm, c.voted); err != nil {
					t.Fatal(err)
				}
			}
			err := reconcile(s, c.applied)
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err != nil {
				if !strings.Contains(err.Error(), "haikud reset") {
					t.Errorf("the error says nothing of what to do: %v", err)
				}
				return
			}
			holds(t, s, c.wantFirst, c.wantLast)
		})
	}
}

func TestInstallKeepsOrClearsTheLog(t *testing.T) { bothKinds(t, installKeepsOrClearsTheLog) }

func installKeepsOrClearsTheLog(t *testing.T, kind LogKind) {
	for name, c := range map[string]struct {
		index, term  uint64
		clear, stale bool
	}{
		"contained":           {6, 1, false, false},
		"its last entry":      {10, 1, false, false},
		"the database itself": {4, 1, false, false},
		"contradicted":        {6, 2, true, true},
		"last contradicted":   {10, 2, true, true},
		"beyond":              {11, 2, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := openLog(t, t.TempDir(), kind)
			appendEntries(t, s, 5, 10, 1)
			stale, err := s.expectInstall(c.index, c.term, store.Applied{Index: 4, Term: 1})
			if err != nil || stale != c.stale || s.IsMonotonic() != c.clear {
				t.Fatalf("clear %v, stale %v: %v", s.IsMonotonic(), stale, err)
			}
			if !c.clear { // Raft cuts as after a snapshot of its own
				if err := s.DeleteRange(5, c.index); err != nil {
					t.Fatal(err)
				}
				holds(t, s, max(5, c.index), 10)
				return
			}
			if err := s.DeleteRange(5, 10); err != nil || s.IsMonotonic() {
				t.Fatalf("still to be cleared: %v, %v", s.IsMonotonic(), err)
			}
			holds(t, s, 0, 0)
			appendEntries(t, s, c.index+1, c.index+2, 3)
			holds(t, s, c.index+1, c.index+2)
		})
	}
}

// TestDamagedLogIsRefused: a log file whose pages are overwritten is an error, not a panic.
func TestDamagedLogIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, LogBolt.fileName())
	s := openLog(t, dir, LogBolt)
	appendEntries(t, s, 1, 50, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	begin := 2 * int64(os.Getpagesize()) // behind the two pages that bbolt begins with
	if _, err := file.WriteAt(bytes.Repeat([]byte{0xa5}, int(info.Size()-begin)), begin); err != nil {
		t.Fatal(err)
	}
	if s, err := openLogStore(logIn(t, dir, LogBolt)); !errors.Is(err, ErrDirDamaged) {
		if err == nil {
			s.Close()
		}
		t.Errorf("opened a damaged log: %v", err)
	}
}
