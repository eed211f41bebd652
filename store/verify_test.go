package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
	if err := w.writeTo(s.d.engine, s.d.write); err != nil {
		t.Fatal(err)
	}
}

// kv is one key with its value.
type kv struct{ key, value []byte }

// dumpFamily copies the keys of a family; of meta only the counters.
func dumpFamily(t *testing.T, s *Store, f family) (all []kv) {
	t.Helper()
	err := s.d.each(f, nil, nil, func(key, value []byte) error {
		if f != famMeta || bytes.HasPrefix(key, []byte(prefixCount)) {
			all = append(all, kv{bytes.Clone(key), bytes.Clone(value)})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func dumpRecords(t *testing.T, s *Store) (all []kv) {
	for f := famPending; f <= famCancelled; f++ {
		all = append(all, dumpFamily(t, s, f)...)
	}
	return all
}

// putBack makes a store what it was when it was dumped.
func putBack(t *testing.T, s *Store, whole [familyCount][]kv) {
	t.Helper()
	for f, all := range whole {
		for _, e := range dumpFamily(t, s, family(f)) {
			plant(t, s, family(f), e.key, nil)
		}
		for _, e := range all {
			plant(t, s, family(f), e.key, e.value)
		}
	}
	if err := s.d.reload(); err != nil {
		t.Fatal(err)
	}
}

func mustVerify(t *testing.T, s *Store, dryRun bool) task.Verification {
	t.Helper()
	found, err := s.Verify(t.Context(), VerifyOptions{DryRun: dryRun})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// variety fills a store with at least one key in each family.
func variety(t *testing.T, s *Store) {
	t.Helper()
	failed := newTask(4, nil)
	failed.Status, failed.ScheduledAt = task.Failed, base.Add(time.Second)
	submit(t, s, newTask(1, func(s *task.Spec) { s.Payload = make([]byte, 2000) }),
		newTask(2, func(s *task.Spec) { s.Dependencies = []task.ID{testID(1)} }),
		newTask(3, func(s *task.Spec) { s.Delay, s.ExpiresIn = time.Second, time.Minute }), failed, completed(newTask(5, nil), make([]byte, 3000)),
		ended(newTask(6, nil), nil, time.Second), holding(7, "a"), holding(9, "b"))
	mustCheck(t, s)
}

// TestPlantedDamageIsSeenAndRepaired takes each entry of each family away, changes it, or moves it to a key with one bit
// flipped: Check and the state hash both see it, every time. Verify brings what is derived back to what it was, and
// never writes a record.
func TestPlantedDamageIsSeenAndRepaired(t *testing.T) {
	s := openTest(t)
	variety(t, s)
	good, total := mustHash(t, s), 0
	var whole [familyCount][]kv
	for f := range familyCount {
		whole[f] = dumpFamily(t, s, f)
	}
	for f := range familyCount {
		all := dumpFamily(t, s, f)
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
				what := fmt.Sprintf("%s %x %s", f, e.key, name)
				damaged := mustHash(t, s)
				if err := s.Check(); err == nil {
					t.Errorf("Check does not see %s", what)
				}
				if damaged == good {
					t.Errorf("the state hash does not see %s", what)
				}
				dry := mustVerify(t, s, true)
				if mustHash(t, s) != damaged {
					t.Fatalf("a dry run changed something: %s", what)
				}
				records := dumpRecords(t, s)
				found := mustVerify(t, s, false)
				if dry.DryRun = false; !cmp.Equal(dry, found) {
					t.Errorf("%s: the dry run said otherwise:\n%s", what, cmp.Diff(dry, found))
				}
				if !cmp.Equal(records, dumpRecords(t, s), cmp.AllowUnexported(kv{})) {
					t.Fatalf("%s: a record was written", what)
				}
				if f > famBlobs {
					if found.Damaged > 0 || found.Wrong() == 0 || mustHash(t, s) != good {
						t.Fatalf("%s was not repaired: %+v", what, found)
					}
				} else {
					putBack(t, s, whole)
				}
				if mustHash(t, s) != good {
					t.Fatalf("%s was not undone", what)
				}
				mustCheck(t, s)
			}
		}
	}
	if total < 20 {
		t.Fatalf("only %d keys", total)
	}
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

// TestVerifyLeavesAloneWhatItCannotDecide: two records of an id, one that cannot be read, one that is gone, bytes that
// are gone. All are damage; no entry that names the task changes, and no counter.
func TestVerifyLeavesAloneWhatItCannotDecide(t *testing.T) {
	id := testID(1)
	for name, damage := range map[string]func(*Store, []byte){
		"in pending and completed": func(s *Store, record []byte) { plant(t, s, famCompleted, id[:], record) },
		"record of task":           func(s *Store, record []byte) { plant(t, s, famPending, id[:], record[:len(record)-1]) },
		"but it has no record":     func(s *Store, _ []byte) { plant(t, s, famPending, id[:], nil) },
		"blobs has no entry":       func(s *Store, _ []byte) { plant(t, s, famBlobs, append(id[:], partPayload), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			s := openTest(t)
			variety(t, s)
			record, err := s.d.get(famPending, id[:])
			if err != nil {
				t.Fatal(err)
			}
			damage(s, record)
			before := mustHash(t, s)
			found := mustVerify(t, s, false)
			if found.Damaged == 0 || found.Wrong() != 0 || found.Healthy() || !strings.Contains(strings.Join(found.Problems, "\n"), name) {
				t.Errorf("%+v", found)
			}
			if mustHash(t, s) != before {
				t.Error("something was changed")
			}
		})
	}
}

// TestVerifyWithACounterTooHigh: a counter says that a task is missing, and index_task_id knows one without a record.
// But index_task_type does not know that one, so it is they that are wrong.
func TestVerifyWithACounterTooHigh(t *testing.T) {
	s := openTest(t)
	variety(t, s)
	good := mustHash(t, s)
	pair := Pair{task.DefaultQueue, "email"}
	wrong := s.d.pairs.byPair[pair].counts
	wrong[slotCompleted] += 7
	value, err := wrong.value()
	if err != nil {
		t.Fatal(err)
	}
	plant(t, s, famMeta, appendCountKey(nil, pair), value)
	wrongID, id := testID(77), testID(1)
	entry, err := s.d.get(famID, id[:])
	if err != nil {
		t.Fatal(err)
	}
	plant(t, s, famID, wrongID[:], entry)
	if found := mustVerify(t, s, false); found.Corrected != 1 || found.Removed != 1 || found.Wrong() != 2 || found.Damaged != 0 || mustHash(t, s) != good {
		t.Errorf("%+v", found)
	}
}

// TestVerifyAfterACrash: a repair that ends after any of its writes leaves what the next one repairs.
func TestVerifyAfterACrash(t *testing.T) {
	s := openTest(t)
	const tasks = 3 * repairKeys
	var all []*task.Task
	for n := range tasks {
		all = append(all, newTask(n+1, func(s *task.Spec) { s.Type = fmt.Sprint("t", n%3) }))
	}
	submit(t, s, all...)
	good := mustHash(t, s)
	for _, e := range append(dumpFamily(t, s, famID), dumpFamily(t, s, famMeta)...) {
		if len(e.key) == 16 {
			plant(t, s, famID, e.key, nil)
		} else {
			plant(t, s, famMeta, e.key, nil)
		}
	}
	for _, e := range dumpFamily(t, s, famPriority) {
		plant(t, s, famPriority, e.key[1:], e.value)
	}
	for crash := 1; ; crash++ {
		if crash > 20 {
			t.Fatal("the repair does not get done")
		}
		ctx, cancel := context.WithCancel(t.Context())
		reads := 0
		found, err := s.Verify(ctx, VerifyOptions{Progress: func(done, total uint64) {
			if reads++; reads > 3*crash {
				cancel()
			}
			if done > total {
				t.Errorf("%d of %d", done, total)
			}
		}})
		cancel()
		if err == nil {
			if crash == 1 || found.Records != tasks || found.Wrong() == 0 {
				t.Errorf("after %d crashes %+v", crash-1, found)
			}
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if mustHash(t, s) != good {
		t.Fatal("not repaired")
	}
	mustCheck(t, s)
	b := s.Begin() // and memory is in step
	defer b.Discard()
	if id, _, ok, err := b.FirstReady(b.ReadyPairs(task.DefaultQueue)); err != nil || !ok || id != testID(1) {
		t.Errorf("first ready: %v %v %v", id, ok, err)
	}
	if got := s.Stats().Total.Ready; got != tasks {
		t.Errorf("%d ready", got)
	}
}

// TestVerifyOfAClosedDirectory: read-only it changes no file; a counter that cannot be read keeps a store from being
// opened, but not from being repaired.
func TestVerifyOfAClosedDirectory(t *testing.T) {
	cfg := testConfig(t)
	s := mustOpen(t, cfg)
	variety(t, s)
	good := mustHash(t, s)
	plant(t, s, famMeta, appendCountKey(nil, Pair{task.DefaultQueue, "email"}), []byte{9})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(cfg); err == nil {
		t.Error(s.Close(), "it opened")
	}
	looking, repairing := cfg, cfg
	looking.ReadOnly, looking.Repair, repairing.Repair = true, true, true
	for range 2 {
		s := mustOpen(t, looking)
		if found := mustVerify(t, s, true); found.Corrected != 1 || found.Wrong() != 1 || found.Damaged != 0 {
			t.Errorf("%+v", found)
		}
		if _, err := s.Verify(t.Context(), VerifyOptions{}); !errors.Is(err, task.ErrInternal) {
			t.Errorf("a repair of a read-only store: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s = mustOpen(t, repairing)
	if found := mustVerify(t, s, false); found.Corrected != 1 || !found.Healthy() || mustHash(t, s) != good {
		t.Errorf("%+v", found)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	mustCheck(t, mustOpen(t, cfg))
}

// TestVerifyOfATombstoneBesideARecord: the record says that the task was not removed.
func TestVerifyOfATombstoneBesideARecord(t *testing.T) {
	s := openTest(t)
	variety(t, s)
	good, id := mustHash(t, s), testID(5)
	entry, err := s.d.get(famID, id[:])
	if err != nil {
		t.Fatal(err)
	}
	entry[1] = idTombstone
	plant(t, s, famID, id[:], entry)
	plant(t, s, famSchedule, appendTombstoneKey(nil, id), []byte{valueVersion})
	if found := mustVerify(t, s, false); found.Rewritten+found.Added != 1 || found.Removed != 1 || found.Damaged != 0 || mustHash(t, s) != good {
		t.Errorf("%+v", found)
	}
}
