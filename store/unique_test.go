package store

import (
	"testing"

	"github.com/haiku-queue/haiku/task"
)

// holding makes a task that holds a unique key.
func holding(n int, key string) *task.Task {
	t := newTask(n, func(s *task.Spec) { s.UniqueKey = key })
	t.UniqueHeld = true
	return t
}

// TestVerifyOfUniqueKeys: an entry that names another task than the one that holds the key is put right, and one of a
// key that nobody holds is removed.
func TestVerifyOfUniqueKeys(t *testing.T) {
	s := openTest(t)
	free := holding(3, "free")
	free.UniqueHeld = false
	a, b := holding(1, "a"), holding(2, "b")
	submit(t, s, a, b, free)
	good := mustHash(t, s)
	value := func(x *task.Task) []byte { return append([]byte{valueVersion}, x.ID[:]...) }
	key := func(x *task.Task) []byte { k := uniqueKeyOf(x); return k[:] }
	for name, damage := range map[string]func(){
		"names another holder": func() { plant(t, s, famUnique, key(a), value(b)) },
		"names a task without": func() { plant(t, s, famUnique, key(a), value(free)) },
		"names nobody":         func() { plant(t, s, famUnique, key(a), value(newTask(9, nil))) },
		"is short":             func() { plant(t, s, famUnique, key(a), []byte{valueVersion}) },
		"is gone":              func() { plant(t, s, famUnique, key(a), nil) },
		"of a free key":        func() { plant(t, s, famUnique, key(free), value(free)) },
		"swapped": func() {
			plant(t, s, famUnique, key(a), value(b))
			plant(t, s, famUnique, key(b), value(a))
		},
	} {
		damage()
		if err := s.Check(); err == nil {
			t.Errorf("%s: not seen", name)
		}
		if found := mustVerify(t, s, false); found.Wrong() == 0 || found.Damaged != 0 || mustHash(t, s) != good {
			t.Fatalf("%s: %+v", name, found)
		}
		mustCheck(t, s)
	}
}

// TestUniqueKeysOfBatches: who holds a key is known within a batch, after a rollback, and after the task was deleted; a
// key that changes hands within one batch is written once.
func TestUniqueKeysOfBatches(t *testing.T) {
	s := openTest(t)
	a, other := holding(1, "k"), holding(2, "k")
	other.Queue = "other"
	submit(t, s, a, other)
	b := s.Begin()
	b.NextSeq()
	want := func(x *task.Task) {
		t.Helper()
		id, held, err := b.KeyHolder(a)
		if err != nil || held != (x != nil) || held && id != x.ID {
			t.Fatalf("held by %s %t %v", id, held, err)
		}
	}
	want(a)
	savepoint := b.Savepoint()
	gone := ended(a.Clone(), nil, 0)
	gone.UniqueHeld = false
	b.Put(gone)
	want(nil)
	next := holding(3, "k")
	b.Put(next)
	want(next)
	b.Rollback(savepoint)
	want(a)
	b.Put(gone)
	b.Put(next)
	b.Delete(a.ID, false)
	want(next)
	commit(t, s, b)
	mustCheck(t, s)
	if n := keysOf(t, s, famUnique); n != 2 {
		t.Errorf("%d keys are held", n)
	}
	b = s.Begin()
	want(next)
	over := ended(next.Clone(), nil, 0) // it holds its key still
	b.Put(over)
	want(next)
	b.Delete(next.ID, true)
	want(nil)
	commit(t, s, b)
	mustCheck(t, s)
	b = s.Begin()
	defer b.Discard()
	want(nil)
}
