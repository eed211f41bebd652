package store

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linxGnu/grocksdb"

	"github.com/haiku-queue/haiku/task"
)

// keysOf counts the entries of a family.
func keysOf(t testing.TB, s *Store, f family) (n int) {
	t.Helper()
	if err := s.d.each(f, nil, nil, func(_, _ []byte) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

// ended is x, completed and to be deleted at base + keep.
func ended(x *task.Task, result []byte, keep time.Duration) *task.Task {
	x = completed(x, result)
	x.WaitingFor, x.DeleteAt = 0, base.Add(keep)
	return x
}

func TestDeleteLeavesNothing(t *testing.T) {
	s := openTest(t)
	empty := mustHash(t, s)
	large := func(spec *task.Spec) {
		spec.Payload, spec.Dependencies = make([]byte, 50_000), []task.ID{testID(9)}
	}
	submit(t, s, ended(newTask(1, large), make([]byte, 60_000), time.Second), newTask(2, large))
	b := s.Begin()
	if ids, err := b.Due(RetentionKind, base.Add(time.Second).UnixMicro(), 5); err != nil || !slices.Equal(ids, []task.ID{testID(1)}) {
		t.Fatalf("due are %v, %v", ids, err)
	}
	b.Delete(testID(1), false)
	commit(t, s, b)
	mustCheck(t, s)
	if blobs, children := keysOf(t, s, famBlobs), keysOf(t, s, famDependents); blobs != 1 || children != 1 {
		t.Fatalf("%d blobs and %d dependants are left, want the other task's alone", blobs, children)
	}
	if got := s.Stats().Total; got.Completed != 0 || got.Blocked != 1 {
		t.Fatalf("%+v", got)
	}
	b = s.Begin()
	b.Put(ended(newTask(2, large), nil, 0))
	commit(t, s, b)
	b = s.Begin()
	b.Delete(testID(2), false)
	commit(t, s, b)
	mustCheck(t, s)
	for f := range famMeta {
		if n := keysOf(t, s, f); n != 0 {
			t.Errorf("%s has %d entries", f, n)
		}
	}
	if len(s.Stats().Queues) != 0 || mustHash(t, s) == empty { // seq and log hash moved on
		t.Fatalf("%+v", s.Stats())
	}
}

func TestTombstoneUntilForgotten(t *testing.T) {
	s := openTest(t)
	x := ended(newTask(1, nil), nil, time.Second)
	submit(t, s, x)
	b := s.Begin()
	b.Delete(x.ID, true)
	commit(t, s, b)
	mustCheck(t, s)
	if us, ok, err := s.NextDue(TombstoneKind); us != x.ID.Time().UnixMicro() || !ok || err != nil {
		t.Fatal(us, ok, err)
	}
	b = s.Begin()
	if status, hash, ok, err := b.Ended(x.ID); status != task.Completed || hash != x.Hash || !ok || err != nil {
		t.Fatal(status, hash, ok, err)
	}
	b.Forget(x.ID)
	if _, _, ok, err := b.Ended(x.ID); ok || err != nil {
		t.Fatal("a forgotten id is known", err)
	}
	commit(t, s, b)
	mustCheck(t, s)
	if ids, at := keysOf(t, s, famID), keysOf(t, s, famSchedule); ids != 0 || at != 0 {
		t.Fatalf("%d ids and %d times are left", ids, at)
	}
}

func TestDeleteRefusesMistakes(t *testing.T) {
	for name, do := range map[string]func(*Batch){
		"a running task":        func(b *Batch) { b.Delete(testID(1), true) },
		"an unknown task":       func(b *Batch) { b.Delete(testID(5), true) },
		"a task twice":          func(b *Batch) { b.Delete(testID(2), true); b.Delete(testID(2), true) },
		"no tombstone":          func(b *Batch) { b.Forget(testID(2)) },
		"no id":                 func(b *Batch) { b.Forget(testID(5)) },
		"a tombstone never put": func(b *Batch) { b.Delete(testID(2), false); b.Forget(testID(2)) },
	} {
		s := openTest(t)
		submit(t, s, claimed(newTask(1, nil), 1), ended(newTask(2, nil), nil, 0))
		b := s.Begin()
		do(b)
		if _, err := b.Commit(Applied{Index: 9, Term: 1}, [32]byte{}); !errors.Is(err, task.ErrInternal) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDeletedBytesAreGivenBack: what deleted tasks took on the disk is free after a compaction.
func TestDeletedBytesAreGivenBack(t *testing.T) {
	s := openTest(t)
	const tasks, size = 40, 512 << 10
	noise := make([]byte, size)
	for i := range noise { // does not compress
		noise[i] = byte(i * i >> 7 * (i>>3 | 1) >> 5)
	}
	for n := range tasks {
		submit(t, s, ended(newTask(n+1, func(spec *task.Spec) { spec.Payload = slices.Concat(noise[n*100:], noise[:n*100]) }), noise, 0))
	}
	settle(t, s)
	full := diskBytes(t, s)
	b := s.Begin()
	for n := range tasks {
		b.Delete(testID(n+1), true)
	}
	commit(t, s, b)
	settle(t, s)
	if n := keysOf(t, s, famBlobs); n != 0 {
		t.Fatalf("%d blobs are left", n)
	}
	if empty := diskBytes(t, s); full < 1<<20 || empty > full/20 {
		t.Fatalf("the files took %d bytes with the tasks and take %d without", full, empty)
	}
}

// settle flushes and compacts everything.
func settle(t *testing.T, s *Store) {
	t.Helper()
	flush := grocksdb.NewDefaultFlushOptions()
	defer flush.Destroy()
	for _, h := range s.d.handles {
		if err := s.d.db.FlushCF(h, flush); err != nil {
			t.Fatal(err)
		}
		s.d.db.CompactRangeCF(h, grocksdb.Range{})
	}
}

// diskBytes is what the table files of the database take.
func diskBytes(t *testing.T, s *Store) (n int64) {
	t.Helper()
	err := filepath.WalkDir(s.d.path, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".sst") {
			return err
		}
		info, err := e.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestVerifyOfTombstones: a tombstone's time in the index is put back where it is missing, and removed where it belongs
// to none. What a removed task was cannot be told from anything else, so a tombstone itself is never made or removed.
func TestVerifyOfTombstones(t *testing.T) {
	s := openTest(t)
	variety(t, s)
	x := ended(newTask(8, nil), nil, time.Second)
	submit(t, s, x)
	b := s.Begin()
	b.Delete(x.ID, true)
	commit(t, s, b)
	mustCheck(t, s)
	good, mark := mustHash(t, s), []byte{valueVersion}
	own, live := appendTombstoneKey(nil, x.ID), appendTombstoneKey(nil, testID(1))
	early := appendScheduleKey(nil, TombstoneKind, 5, x.ID)
	for name, damage := range map[string]func() (undo []byte){
		"gone":                    func() []byte { plant(t, s, famSchedule, own, nil); return nil },
		"changed":                 func() []byte { plant(t, s, famSchedule, own, []byte{9}); return nil },
		"at another time":         func() []byte { plant(t, s, famSchedule, early, mark); return early },
		"of a task that is there": func() []byte { plant(t, s, famSchedule, live, mark); return live },
	} {
		stray := damage()
		found := mustVerify(t, s, false)
		if found.Wrong() != 1 || found.Damaged != 0 || mustHash(t, s) != good {
			t.Errorf("%s: %+v", name, found)
		}
		if stray != nil {
			plant(t, s, famSchedule, stray, nil)
		}
		plant(t, s, famSchedule, own, mark)
		mustCheck(t, s)
	}
	plant(t, s, famID, x.ID[:], nil)
	if found := mustVerify(t, s, false); found.Removed != 1 || found.Damaged != 0 {
		t.Errorf("without its tombstone: %+v", found)
	}
	if n := keysOf(t, s, famSchedule); n != 4 {
		t.Errorf("%d times are left", n)
	}
}
