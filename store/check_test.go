package store

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// plant writes one key past all rules; a nil value deletes it.
func plant(t *testing.T, s *Store, f family, key, value []byte) {
	t.Helper()
	w := writer{ids: &s.d.familyIDs}
	w.reset()
	if value == nil {
		w.delete(f, key)
	} else {
		w.put(f, key, value)
	}
	if err := w.writeTo(s.d.db, s.d.write); err != nil {
		t.Fatal(err)
	}
}

// TestPlantedDamageIsSeen takes each entry of each family away, changes it, or moves it to a key with one bit flipped:
// Check and the state hash both see it, every time.
func TestPlantedDamageIsSeen(t *testing.T) {
	s := openTest(t)
	failed := newTask(4, nil)
	failed.Status, failed.ScheduledAt = task.Failed, base.Add(time.Second)
	submit(t, s, newTask(1, func(s *task.Spec) { s.Payload = make([]byte, 2000) }),
		newTask(2, func(s *task.Spec) { s.Dependencies = []task.ID{testID(1)} }),
		newTask(3, func(s *task.Spec) { s.Delay = time.Second }), failed, completed(newTask(5, nil), make([]byte, 3000)))
	mustCheck(t, s)
	good := mustHash(t, s)
	type kv struct{ key, value []byte }
	total := 0
	for f := range familyCount {
		var all []kv
		err := s.d.each(f, nil, nil, func(key, value []byte) error {
			if f != famMeta || bytes.HasPrefix(key, []byte(prefixCount)) {
				all = append(all, kv{bytes.Clone(key), bytes.Clone(value)})
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		total += len(all)
		for _, e := range all {
			flipped := bytes.Clone(e.key)
			flipped[len(flipped)/2] ^= 1
			for name, damage := range map[string]func(){
				"taken away": func() { plant(t, s, f, e.key, nil) },
				"changed":    func() { plant(t, s, f, e.key, append(slices.Clone(e.value), 1)) },
				"bit flipped": func() {
					plant(t, s, f, e.key, nil)
					plant(t, s, f, flipped, e.value)
				},
				"doubled": func() { plant(t, s, f, flipped, e.value) },
			} {
				damage()
				if err := s.Check(); err == nil {
					t.Errorf("Check does not see %s %x %s", f, e.key, name)
				}
				if mustHash(t, s) == good {
					t.Errorf("the state hash does not see %s %x %s", f, e.key, name)
				}
				plant(t, s, f, flipped, nil)
				plant(t, s, f, e.key, e.value)
			}
		}
	}
	if total < 20 {
		t.Fatalf("only %d keys", total)
	}
	if mustHash(t, s) != good {
		t.Fatal("the damage was not repaired")
	}
	mustCheck(t, s)
}

func TestCheckNamesTheEntry(t *testing.T) {
	s := openTest(t)
	submit(t, s, newTask(1, nil))
	extra := appendScheduleKey(nil, DueKind, 5, testID(1))
	plant(t, s, famSchedule, extra, []byte{valueVersion})
	if err := s.Check(); err == nil || !strings.Contains(err.Error(), "index_scheduled_time has the entry 01") {
		t.Fatal(err)
	}
	for n := range 100 {
		plant(t, s, famSchedule, appendScheduleKey(nil, DueKind, int64(n), testID(1)), []byte{valueVersion})
	}
	if err := s.Check(); err == nil || strings.Count(err.Error(), "\n") >= maxProblems {
		t.Fatal(err)
	}
}

// TestStateHashLeavesOutLocalKeys: what is the node's own differs between nodes.
func TestStateHashLeavesOutLocalKeys(t *testing.T) {
	s := openTest(t)
	submit(t, s, newTask(1, nil))
	before := mustHash(t, s)
	if err := s.Witness(Applied{Index: 99, Term: 9}); err != nil {
		t.Fatal(err)
	}
	if mustHash(t, s) != before {
		t.Fatal("a local key is in the state hash")
	}
	plant(t, s, famMeta, []byte("other"), []byte{valueVersion})
	if mustHash(t, s) == before {
		t.Fatal("a replicated key is not in the state hash")
	}
}

func TestSnapshotIsOneMoment(t *testing.T) {
	s := openTest(t)
	submit(t, s, newTask(1, nil))
	want := mustHash(t, s)
	snap := s.Snapshot()
	defer snap.Release()
	submit(t, s, newTask(2, nil))
	if got, err := snap.StateHash(); got != want || err != nil {
		t.Fatalf("%x %v, want %x", got, err, want)
	}
	if snap.Applied().Index != 1 || mustHash(t, s) == want {
		t.Fatalf("applied %d", snap.Applied().Index)
	}
	snap.Release()
	if _, err := snap.StateHash(); err == nil {
		t.Fatal("a released snapshot still answers")
	}
}
