package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/raft-wal/types"
)

// TestDamagedWALMetaIsRefused cuts the file of votes and segments at every length, and changes each of its bytes: with
// raft-wal's own keeper the first could end the process without a word, and the second was another vote.
func TestDamagedWALMetaIsRefused(t *testing.T) {
	dir := t.TempDir()
	files := openSmall(t, dir, 0, 0)
	err := errors.Join(files.StoreLogs(entries(1, 50, 1)), files.SetUint64(voteKeys[0], 7), files.Close())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, walMetaName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, at int, content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		files, _, err := openSegments(dir, smallSegment, quiet())
		if err == nil {
			files.Close()
		}
		if !errors.Is(err, ErrDirDamaged) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), resetHint) {
			t.Fatalf("%s at %d of %d bytes: %v", what, at, len(whole), err)
		}
	}
	for n := range whole {
		refused("cut", n, whole[:n])
		changed := append([]byte(nil), whole...)
		changed[n] ^= 1 << (n % 8)
		refused("a bit changed", n, changed)
	}
	refused("longer", len(whole), append(whole[:len(whole):len(whole)], '\n'))
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	openSmall(t, dir, 1, 50)
}

// TestWALMetaSurvivesACrash: what was kept is there again, and a file half-way written beside it changes nothing.
func TestWALMetaSurvivesACrash(t *testing.T) {
	dir := t.TempDir()
	m, err := openWALMeta(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := types.PersistentState{NextSegmentID: 3, Segments: []types.SegmentInfo{{ID: 1, BaseIndex: 1}, {ID: 2, BaseIndex: 9}}}
	err = errors.Join(m.SetStable([]byte("a"), []byte("1")), m.SetStable([]byte("b"), []byte("2")), m.CommitState(want),
		m.SetStable([]byte("a"), nil), os.WriteFile(filepath.Join(dir, walMetaTemp), []byte("half"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	if m, err = openWALMeta(dir); err != nil {
		t.Fatal(err)
	}
	got, err := m.Load(dir)
	if err != nil || got.NextSegmentID != 3 || len(got.Segments) != 2 || got.Segments[1].BaseIndex != 9 {
		t.Errorf("segments %+v: %v", got, err)
	}
	a, err1 := m.GetStable([]byte("a"))
	b, err2 := m.GetStable([]byte("b"))
	if a != nil || string(b) != "2" || err1 != nil || err2 != nil {
		t.Errorf("a is %q, b is %q: %v %v", a, b, err1, err2)
	}
}
