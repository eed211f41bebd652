package cluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/internal/damage"
)

// TestDamagedInstall spoils the file of a snapshot while it is received, or before it is restored. Either it is not taken,
// and the database stays what it was, or the database is the sender's. The next one is taken as if nothing had happened.
func TestDamagedInstall(t *testing.T) {
	r := damage.Rand(t)
	from, to := openShelf(t, t.TempDir()), openShelf(t, t.TempDir())
	last, seen := uint64(30), make(map[string]int)
	from.apply(t, last, 1)
	meta, stream := from.stream(t)
	to.cfg.OnFatal = func(err error) { // the process ends then
		if !strings.Contains(err.Error(), to.cfg.Dir) {
			t.Errorf("what ends the process names no file: %v", err)
		}
	}
	for range damage.Rounds(40, 400) {
		before := to.hash(t)
		what, err := to.installSpoiled(t, r, meta, stream)
		switch now := to.hash(t); {
		case err == nil && now != from.hash(t):
			t.Fatalf("%s: taken, and another state", what)
		case err != nil && now != before:
			t.Fatalf("%s: not taken, and another state: %v", what, err)
		case len(names(t, to.cfg.Dir)) != 0:
			t.Fatalf("%s: left %v", what, names(t, to.cfg.Dir))
		case err != nil:
			seen["refused"]++
			if what == "whole" {
				t.Fatalf("not taken: %v", err)
			}
			continue
		}
		seen["taken"]++
		last += 1 + r.Uint64N(3)
		from.apply(t, last, 1)
		meta, stream = from.stream(t)
	}
	t.Logf("%v", seen)
	if seen["refused"] == 0 || seen["taken"] == 0 {
		t.Error("no damage was ever noticed, or nothing was taken")
	}
	sink, err := to.receive(t, meta, stream)
	if err != nil {
		t.Fatal(err)
	}
	if to.restore(t, sink.ID()); to.hash(t) != from.hash(t) {
		t.Error("the right one leads to another state")
	}
}

// installSpoiled receives and restores a snapshot whose file is spoiled at a random moment.
func (s *shelf) installSpoiled(t *testing.T, r *rand.Rand, meta raft.SnapshotMeta, stream []byte) (what string, err error) {
	t.Helper()
	sink := s.create(t, meta)
	parts := slices.Collect(slices.Chunk(stream, max(1, len(stream)/8)))
	what = "whole"
	at := 1 + r.IntN(len(parts)+2) // one more: after Close; two more: never
	spoil := func() {
		done, err := damage.File(r, damage.Kinds[r.IntN(len(damage.Kinds))], sink.file.Name(), "")
		if err != nil {
			t.Fatal(err)
		}
		what = fmt.Sprintf("after part %d of %d: %s", at, len(parts), done)
	}
	for i, part := range parts {
		if _, err := sink.Write(part); err != nil {
			t.Fatal(err)
		}
		if i+1 == at {
			spoil()
		}
	}
	if err := sink.Close(); err != nil {
		return what, err
	}
	if at == len(parts)+1 {
		spoil()
	}
	_, in, err := s.Open(sink.ID())
	if err != nil {
		return what, err
	}
	err = s.cfg.Store.Restore(in)
	return what, errors.Join(err, in.Close())
}
