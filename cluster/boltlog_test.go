package cluster

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/internal/damage"
)

// logContent is all that a log file holds.
type logContent struct {
	entries []raft.Log
	votes   [][]byte
}

var voteKeys = [][]byte{keyCurrentTerm, []byte("LastVoteTerm"), []byte("LastVoteCand"), keyOwner}

// fillLog writes entries of many sizes, cuts both ends, and votes.
func fillLog(t *testing.T, dir string, term uint64) {
	t.Helper()
	s := openLog(t, dir, LogBolt)
	at := time.Unix(1_700_000_000, 5)
	var some []*raft.Log
	for i := uint64(1); i <= 400; i++ {
		l := &raft.Log{Index: i, Term: term, Data: bytes.Repeat([]byte{byte(i)}, int(i%50)), AppendedAt: at}
		switch {
		case i%90 == 0:
			l.Data = bytes.Repeat([]byte{byte(i)}, 20_000)
		case i%17 == 0:
			l.Type, l.Data, l.Extensions = raft.LogConfiguration, []byte("c"), []byte("e")
		case i%13 == 0:
			l.Type, l.Data, l.AppendedAt = raft.LogNoop, nil, time.Time{}
		}
		if some = append(some, l); i%8 == 0 {
			if err := s.StoreLogs(some); err != nil {
				t.Fatal(err)
			}
			some = nil
		}
	}
	for i, key := range voteKeys {
		if err := s.SetUint64(key, term+uint64(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(s.DeleteRange(1, 30), s.DeleteRange(391, 400), s.Close()); err != nil {
		t.Fatal(err)
	}
}

// readLog reads everything, as a node would that opens the log and needs all of it.
func readLog(dir string) (c logContent, err error) {
	b, extent, err := openBoltLog(filepath.Join(dir, LogBolt.fileName()))
	if err != nil {
		return c, err
	}
	defer b.Close()
	last, err := b.LastIndex()
	first, err1 := b.FirstIndex()
	if err = errors.Join(err, err1); err == nil && (first != extent.oldest() || last != extent.last()) {
		err = errors.New("the index was measured wrongly")
	}
	for i := first; err == nil && i <= last && i > 0; i++ {
		var l raft.Log
		err = b.GetLog(i, &l)
		c.entries = append(c.entries, l)
	}
	for _, key := range voteKeys {
		v, err1 := b.Get(key)
		err = errors.Join(err, err1)
		c.votes = append(c.votes, v)
	}
	if err == nil { // and it can be written to
		err = b.StoreLog(&raft.Log{Index: last + 1, Term: 1})
	}
	return c, err
}

// TestDamagedLogFile spoils the log's file at random: it either reads as it was written, or is refused by its name. In
// the file of another node every sum is right; what tells it is the owner among the votes.
func TestDamagedLogFile(t *testing.T) {
	r := damage.Rand(t)
	whole, other := t.TempDir(), t.TempDir()
	fillLog(t, whole, 3)
	fillLog(t, other, 4)
	want, err := readLog(copyOf(t, whole))
	if err != nil || len(want.entries) != 360 {
		t.Fatalf("%d entries: %v", len(want.entries), err)
	}
	refused := make(map[damage.Kind]int)
	rounds := damage.Rounds(60, 1500)
	for range rounds {
		spoilLog(t, r, &want, whole, other, refused)
	}
	t.Logf("of %d, refused: %v", rounds, refused)
	if len(refused) == 0 {
		t.Error("no damage was ever noticed")
	}
}

func spoilLog(t *testing.T, r *rand.Rand, want *logContent, whole, other string, refused map[damage.Kind]int) {
	t.Helper()
	dir, name := copyOf(t, whole), LogBolt.fileName()
	how := damage.Kinds[r.IntN(len(damage.Kinds))]
	what, err := damage.File(r, how, filepath.Join(dir, name), filepath.Join(other, name))
	if err != nil {
		t.Fatal(err)
	}
	got, err := readLog(dir)
	switch {
	case how == damage.Replace:
		if err != nil || cmp.Equal(want.votes[3], got.votes[3]) {
			t.Fatalf("%s: the owner is not told: %v", what, err)
		}
	case how == damage.Remove: // checkLog is for that
		if !errors.Is(err, errKeyNotFound) || len(got.entries) != 0 {
			t.Fatalf("%s: %v", what, err)
		}
	case err != nil:
		refused[how]++
		if !errors.Is(err, ErrDirDamaged) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "haikud reset") {
			t.Fatalf("%s: %v", what, err)
		}
	case !cmp.Equal(*want, got, cmp.AllowUnexported(logContent{})):
		t.Fatalf("%s: it reads otherwise, unnoticed", what)
	}
}

// TestLogFileBecomesShorter: a file that is cut under a running node is an error of the read, not the end of the
// process by the system.
func TestLogFileBecomesShorter(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, LogBolt.fileName())
	fillLog(t, dir, 3)
	b, _, err := openBoltLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	var l raft.Log
	for range 2 {
		if err := b.GetLog(360, &l); !errors.Is(err, ErrDirDamaged) || !strings.Contains(err.Error(), path) {
			t.Fatalf("entry of a file without bytes: %v", err)
		}
	}
}

// copyOf copies a directory and returns the copy.
func copyOf(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := damage.CopyDir(from, to); err != nil {
		t.Fatal(err)
	}
	return to
}
