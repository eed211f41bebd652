package store

import (
	"math/rand/v2"
	"testing"

	"github.com/haiku-queue/haiku/task"
)

// TestRecentIDsNeverDenyAnID: whatever order ids come in, none that was added is said to be absent, and new ones mostly are.
func TestRecentIDsNeverDenyAnID(t *testing.T) {
	r := newRecentIDs(1000)
	at := func(ms uint64, n int) (id task.ID) {
		ms <<= 16
		for i := range 8 {
			id[i] = byte(ms >> (56 - 8*i))
		}
		id[8], id[9], id[10], id[11] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
		return id
	}
	if r.absent(at(1000, 0)) || !r.absent(at(1001, 0)) {
		t.Fatal("what was there at the begin is not told from what is new")
	}
	var all []task.ID
	denied := 0
	for n := range 5 * recentGeneration {
		id := at(1000+uint64(n/10)-uint64(n%7), n)
		if !r.absent(id) {
			denied++
		}
		r.add(id)
		all = append(all, id)
	}
	for _, id := range all {
		if r.absent(id) {
			t.Fatalf("%s is there and said to be absent; floor %d", id, r.floor)
		}
	}
	if denied > 100 {
		t.Errorf("%d of %d new ids were not known to be new", denied, len(all))
	}
	if n := len(r.young.ids) + len(r.old.ids); n > 2*recentGeneration {
		t.Errorf("%d ids are kept", n)
	}
}

// TestIDsAreKnownAfterReopen: an id that was submitted before a restart is known after it, and an older one that was not
// is not.
func TestIDsAreKnownAfterReopen(t *testing.T) {
	cfg := Default()
	cfg.Dir, cfg.Create = t.TempDir(), true
	s := mustOpen(t, cfg)
	known := make(map[task.ID]bool)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 8 {
		b := s.Begin()
		for range 20 {
			id := testID(1 + rng.IntN(100))
			id[5] += byte(rng.IntN(3)) // milliseconds
			_, _, ok, err := b.Ended(id)
			if err != nil || ok != known[id] {
				t.Fatalf("%s: known %v, %v; want %v", id, ok, err, known[id])
			}
			if !ok {
				x := newTask(1, nil)
				x.ID = id
				b.Put(x)
				known[id] = true
			}
		}
		commit(t, s, b)
		if rng.IntN(2) == 0 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			cfg.Create = false
			s = mustOpen(t, cfg)
		}
	}
}
