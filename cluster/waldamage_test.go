package cluster

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/internal/damage"
)

// readSegments reads everything, and writes one entry more.
func readSegments(dir string) (c logContent, err error) {
	files, extent, err := openSegments(dir, smallSegment, quiet())
	if err != nil {
		return c, err
	}
	defer files.Close()
	for i := extent.oldest(); i <= extent.last() && i > 0 && err == nil; i++ {
		var l raft.Log
		err = files.GetLog(i, &l)
		c.entries = append(c.entries, l)
	}
	for _, key := range voteKeys {
		v, err1 := files.Get(key)
		err = errors.Join(err, err1)
		c.votes = append(c.votes, v)
	}
	return c, errors.Join(err, files.StoreLogs(entries(extent.last()+1, extent.last()+1, 9)))
}

// TestDamagedSegments spoils a file of raft-wal's log at random: it is refused by its name, or reads as it was written.
// After a crash, what only looks like the end of a torn last write may lose that write, and no other.
func TestDamagedSegments(t *testing.T) {
	r := damage.Rand(t)
	crash := func(files logFiles) error { return files.(*walLog).WAL.Close() }
	t.Run("crashed", func(t *testing.T) { damagedSegments(t, r, crash) })
	t.Run("closed", func(t *testing.T) {
		if shorter := damagedSegments(t, r, logFiles.Close); shorter > 0 {
			t.Errorf("%d times the last write was lost, unnoticed", shorter)
		}
	})
}

func damagedSegments(t *testing.T, r *rand.Rand, closeLog func(logFiles) error) (shorter int) {
	whole := t.TempDir()
	fillPadded(t, whole, 6)
	files := openSmall(t, whole, 1, 300)
	for i, key := range voteKeys {
		if err := files.SetUint64(key, uint64(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(files.DeleteRange(1, 35), files.StoreLogs(entries(301, 340, 1)), files.StoreLogs(entries(341, 345, 1)), closeLog(files)); err != nil {
		t.Fatal(err)
	}
	want, err := readSegments(copyOf(t, whole))
	if err != nil || len(want.entries) != 310 {
		t.Fatalf("%d entries: %v", len(want.entries), err)
	}
	refused := 0
	for range damage.Rounds(60, 1500) {
		dir := copyOf(t, whole)
		names, err := filepath.Glob(filepath.Join(dir, "*.wal"))
		if err != nil || len(names) < 3 {
			t.Fatal(names, err)
		}
		path := names[r.IntN(len(names))]
		kinds := []damage.Kind{damage.Flip, damage.Flip, damage.Truncate, damage.Cut, damage.Remove, damage.Replace}
		what, err := damage.File(r, kinds[r.IntN(len(kinds))], path, filepath.Join(whole, filepath.Base(names[r.IntN(len(names))])))
		if err != nil {
			t.Fatal(err)
		}
		got, err := readSegments(dir)
		switch {
		case err != nil:
			refused++
			if !errors.Is(err, ErrDirDamaged) || !strings.Contains(err.Error(), filepath.Base(path)) || !strings.Contains(err.Error(), "haikud reset") {
				t.Fatalf("%s: %v", what, err)
			}
		case len(got.entries) == len(want.entries)-5 && path == names[len(names)-1]:
			shorter++
			got.entries = append(got.entries, want.entries[len(got.entries):]...)
			fallthrough
		default:
			if !cmp.Equal(want, got, cmp.AllowUnexported(logContent{})) {
				t.Fatalf("%s: it reads otherwise, unnoticed, with %d entries", what, len(got.entries))
			}
		}
	}
	t.Logf("refused %d, without the last write %d", refused, shorter)
	if refused == 0 {
		t.Error("no damage was ever noticed")
	}
	return shorter
}

// TestWALKeepsWhatFollowsDamage: bytes in the middle of the last segment that are no frame are not the log's end.
func TestWALKeepsWhatFollowsDamage(t *testing.T) {
	dir := t.TempDir()
	files := openSmall(t, dir, 0, 0)
	for i := uint64(1); i <= 30; i += 3 {
		if err := files.StoreLogs(entries(i, i+2, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.wal"))
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	b, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	_, first, whole := wholeWrite(b, 0)
	if !whole {
		t.Fatal("no first write")
	}
	overwrite(t, names[0], 0xff, int64(first), int64(first)+1)
	if _, _, err := openSegments(dir, smallSegment, quiet()); !errors.Is(err, ErrDirDamaged) {
		t.Errorf("27 entries were lost: %v", err)
	}
}
