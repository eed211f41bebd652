package cluster

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	walfs "github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

const smallSegment = 4 << 10

// openSmall opens a log of small segments and checks that it holds the entries from first to last.
func openSmall(t *testing.T, dir string, first, last uint64) logFiles {
	t.Helper()
	files, extent, err := openSegments(dir, smallSegment, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	if extent.oldest() != first || extent.last() != last {
		t.Fatalf("it holds %d to %d, want %d to %d", extent.oldest(), extent.last(), first, last)
	}
	for i := first; i <= last && i > 0; i++ {
		var l raft.Log
		if err := files.GetLog(i, &l); err != nil || !bytes.HasPrefix(l.Data, entries(i, i, l.Term)[0].Data) {
			t.Fatalf("entry %d is %+v: %v", i, l, err)
		}
	}
	return files
}

// fillSmall makes a log of three segments or more with the entries from 1 to 300, the last of which is not full.
func fillSmall(t *testing.T, dir string) { fillPadded(t, dir, 0) }

// fillPadded does so with entries that are longer by so many bytes.
func fillPadded(t *testing.T, dir string, padding int) {
	t.Helper()
	files := openSmall(t, dir, 0, 0)
	for i := uint64(1); i <= 300; i += 10 {
		if err := files.StoreLogs(padded(i, i+9, 1, padding)); err != nil {
			t.Fatal(err)
		}
	}
	if err := files.(*walLog).WAL.Close(); err != nil { // as a crash would: a segment that is full may not be followed yet
		t.Fatal(err)
	}
	if state := segmentsOf(t, dir); len(state) < 3 {
		t.Fatalf("%d segments", len(state))
	}
}

func padded(first, last, term uint64, padding int) []*raft.Log {
	logs := entries(first, last, term)
	for _, l := range logs {
		l.Data = append(l.Data, bytes.Repeat([]byte{'x'}, padding)...)
	}
	return logs
}

// segmentsOf lists the segments of a log that is closed.
func segmentsOf(t *testing.T, dir string) []types.SegmentInfo {
	t.Helper()
	meta, err := openWALMeta(dir)
	if err != nil {
		t.Fatal(err)
	}
	state, err := meta.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return state.Segments
}

// overwrite replaces a part of a file, or all from begin on if there is no end.
func overwrite(t *testing.T, path string, with byte, begin, end int64) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if end == 0 {
		if end, err = file.Seek(0, 2); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := file.WriteAt(bytes.Repeat([]byte{with}, int(end-begin)), begin); err != nil {
		t.Fatal(err)
	}
}

func TestWALIsCutAcrossSegments(t *testing.T) {
	dir := t.TempDir()
	fillSmall(t, dir)
	files := openSmall(t, dir, 1, 300)
	if err := errors.Join(files.DeleteRange(1, 150), files.DeleteRange(251, 300), files.StoreLogs(entries(251, 260, 2)), files.Close()); err != nil {
		t.Fatal(err)
	}
	files = openSmall(t, dir, 151, 260)
	if err := errors.Join(files.DeleteRange(151, 260), files.DeleteRange(1, 1000), files.Close()); err != nil {
		t.Fatal(err)
	}
	files = openSmall(t, dir, 0, 0)
	if err := errors.Join(files.StoreLogs(entries(5000, 5009, 3)), files.Close()); err != nil {
		t.Fatal(err)
	}
	openSmall(t, dir, 5000, 5009)
}

// TestWALGoesOnAfterAnUnfinishedSeal: a process that ends after a segment was sealed in its file, and before the list of
// segments says so, has lost nothing, whatever the size of entries is. raft-wal by itself cannot append to such a log
// again. If the segment is full already, the seal is part of the last write, which was acknowledged: then nothing of it
// may be torn.
func TestWALGoesOnAfterAnUnfinishedSeal(t *testing.T) {
	sealed := 0
	for padding := range 64 {
		for _, torn := range []bool{false, true} {
			dir := t.TempDir()
			fillPadded(t, dir, padding)
			before, index := sealTail(t, dir)
			if before {
				sealed++
			} else if torn { // the index in parts and its commit are not on disk
				overwrite(t, index.path, 0, index.at+4, 0)
			}
			if padding == 0 {
				mustNotAppend(t, dir)
			}
			files := openSmall(t, dir, 1, 300)
			if err := errors.Join(files.StoreLogs(padded(301, 400, 2, padding)), files.Close()); err != nil {
				t.Fatal(err)
			}
			if err := openSmall(t, dir, 1, 400).Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if sealed == 0 || sealed == 128 {
		t.Errorf("%d of 128 segments were sealed by their last write", sealed)
	}
}

// byteAt is a place in a file.
type byteAt struct {
	path string
	at   int64
}

// sealTail seals the last segment in its file alone, and says where its index is and whether it was sealed before.
func sealTail(t *testing.T, dir string) (before bool, index byteAt) {
	t.Helper()
	unfollow(t, dir)
	segments := segmentsOf(t, dir)
	tail := segments[len(segments)-1]
	w, err := segment.NewFiler(dir, walfs.New()).RecoverTail(tail)
	if err != nil {
		t.Fatal(err)
	}
	before, _, err = w.Sealed()
	at, err1 := w.ForceSeal()
	if err := errors.Join(err, err1, w.Close()); err != nil {
		t.Fatal(err)
	}
	return before, byteAt{filepath.Join(dir, segment.FileName(tail)), int64(at)}
}

// unfollow takes the last segment away if it has no entries, so that the one before, which is full, is sealed in its file
// alone: raft-wal makes the next segment some time after a write.
func unfollow(t *testing.T, dir string) {
	t.Helper()
	meta, err := openWALMeta(dir)
	if err != nil {
		t.Fatal(err)
	}
	state, err := meta.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	last := len(state.Segments) - 1
	if state.Segments[last].BaseIndex <= 300 {
		return
	}
	if err := os.Remove(filepath.Join(dir, segment.FileName(state.Segments[last]))); err != nil {
		t.Fatal(err)
	}
	state.Segments, state.NextSegmentID = state.Segments[:last], state.Segments[last].ID
	tail := &state.Segments[last-1]
	tail.SealTime, tail.MaxIndex, tail.IndexStart = time.Time{}, 0, 0
	made := binary.BigEndian.AppendUint64(nil, tail.ID)
	if err := errors.Join(meta.CommitState(state), meta.SetStable(keyMadeSegment, made)); err != nil {
		t.Fatal(err)
	}
}

// mustNotAppend wants raft-wal alone to refuse entries for a copy of a log.
func mustNotAppend(t *testing.T, dir string) {
	t.Helper()
	dir = copyOf(t, dir)
	meta, err := openWALMeta(dir)
	if err != nil {
		t.Fatal(err)
	}
	stock, err := wal.Open(dir, wal.WithMetaStore(meta), wal.WithLogger(newRaftLogger(quiet())))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(stock.StoreLogs(entries(301, 301, 1)), stock.Close()); !errors.Is(err, wal.ErrSealed) {
		t.Errorf("raft-wal can append by itself now: %v", err)
	}
}

// TestWALIsClosedWhileItRotates: a log that is closed right after each write loses nothing, wherever a segment ends.
func TestWALIsClosedWhileItRotates(t *testing.T) {
	dir := t.TempDir()
	for i := uint64(0); i < 400; i += 40 {
		files := openSmall(t, dir, min(i, 1), i)
		if err := errors.Join(files.StoreLogs(entries(i+1, i+40, 1)), files.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWALTakesLargeEntries: one request to a follower can have 16 entries of 10 MiB, more than a segment.
func TestWALTakesLargeEntries(t *testing.T) {
	s := openLog(t, t.TempDir(), LogWAL)
	appendEntries(t, s, 1, 5, 1)
	logs := entries(6, 21, 1)
	for i := range logs {
		logs[i].Data = bytes.Repeat([]byte{byte(i)}, largePayload)
	}
	if err := s.StoreLogs(logs); err != nil {
		t.Fatal(err)
	}
	appendEntries(t, s, 22, 30, 1)
	holds(t, s, 1, 30)
	if err := s.DeleteRange(1, 19); err != nil {
		t.Fatal(err)
	}
	holds(t, s, 20, 30)
}

// TestDamagedWALIsRefused: a log with missing or overwritten files is an error, not a panic and not a shorter log.
func TestDamagedWALIsRefused(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, dir string, segments []string){
		"votes overwritten":             func(t *testing.T, dir string, _ []string) { overwrite(t, filepath.Join(dir, walMetaName), 0xa5, 0, 0) },
		"first segment missing":         func(t *testing.T, _ string, s []string) { os.Remove(s[0]) },
		"last segment missing":          func(t *testing.T, _ string, s []string) { os.Remove(s[len(s)-1]) },
		"first segment overwritten":     func(t *testing.T, _ string, s []string) { overwrite(t, s[0], 0xa5, 0, 0) },
		"last segment overwritten":      func(t *testing.T, _ string, s []string) { overwrite(t, s[len(s)-1], 0xa5, 0, 0) },
		"entries overwritten":           func(t *testing.T, _ string, s []string) { overwrite(t, s[0], 0xff, 32, 600) },
		"begin of last segment":         func(t *testing.T, _ string, s []string) { overwrite(t, s[len(s)-1], 0xa5, 0, 32) },
		"first segment cut short":       func(t *testing.T, _ string, s []string) { os.Truncate(s[0], 200) },
		"a foreign file that seems one": func(t *testing.T, dir string, _ []string) { os.WriteFile(filepath.Join(dir, "x.wal"), nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			fillSmall(t, dir)
			names, err := filepath.Glob(filepath.Join(dir, "*.wal"))
			if err != nil || len(names) < 3 {
				t.Fatalf("%q: %v", names, err)
			}
			slices.Sort(names)
			damage(t, dir, names)
			files, _, err := openSegments(dir, smallSegment, quiet())
			if err == nil {
				files.Close()
			}
			if !errors.Is(err, ErrDirDamaged) || !strings.Contains(err.Error(), "haikud reset") {
				t.Errorf("opened: %v", err)
			}
		})
	}
}

// TestDamagedLastWriteIsFound: the last write of a log that was closed cannot be one that a crash interrupted.
func TestDamagedLastWriteIsFound(t *testing.T) {
	dir := t.TempDir()
	files := openSmall(t, dir, 0, 0)
	for _, write := range [][]*raft.Log{entries(1, 20, 1), entries(21, 25, 1)} {
		if err := files.StoreLogs(write); err != nil {
			t.Fatal(err)
		}
	}
	files.Close()
	path := filepath.Join(dir, segment.FileName(segmentsOf(t, dir)[0]))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damage := bytes.Clone(whole)
	damage[bytes.LastIndex(whole, []byte("25/1"))] ^= 1
	if err := os.WriteFile(path, damage, 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err = openSegments(dir, smallSegment, quiet())
	if !errors.Is(err, ErrDirDamaged) || !strings.Contains(err.Error(), "ended at entry 25") {
		t.Errorf("with the last entry damaged: %v", err)
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	files = openSmall(t, dir, 1, 25)
	if err := files.DeleteRange(22, 25); err != nil {
		t.Fatal(err)
	}
	files.Close()
	openSmall(t, dir, 1, 21)
}

// TestWALCrashesAfterItWasEmptied: a snapshot that contradicts a log deletes all of it.
func TestWALCrashesAfterItWasEmptied(t *testing.T) {
	dir := t.TempDir()
	fillSmall(t, dir)
	files := openSmall(t, dir, 1, 300)
	if err := files.DeleteRange(1, 50); err != nil {
		t.Fatal(err)
	}
	if err := files.DeleteRange(51, 300); err != nil {
		t.Fatal(err)
	}
	if err := files.(*walLog).WAL.Close(); err != nil { // as a crash would
		t.Fatal(err)
	}
	files = openSmall(t, dir, 0, 0)
	if err := files.StoreLogs(entries(401, 405, 2)); err != nil {
		t.Fatal(err)
	}
	if err := files.(*walLog).WAL.Close(); err != nil {
		t.Fatal(err)
	}
	openSmall(t, dir, 401, 405)
}
