package store

import (
	"maps"
	"os"
	"path/filepath"
	"slices"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/haiku-queue/haiku/task"
)

// crash ends the second store as a power failure does, at any write since it was opened: its newest log is cut at a
// random byte, and the open batch is gone. It has to come back with one of its commits, whole. What it has lost is then
// done again in one batch.
func (r *run) crash() {
	x := r.stores[1]
	x.batch.Discard()
	cfg := crashed(r.tb, x.store.cfg)
	if err := x.store.Close(); err != nil {
		r.t.Fatal(err)
	}
	if err := os.RemoveAll(x.store.cfg.Dir); err != nil {
		r.t.Fatal(err)
	}
	last, size := r.newestLog(cfg.Dir)
	least := int64(0)
	if last == x.firstLog {
		least = x.firstSize // Open made that much durable
	}
	if rapid.Bool().Draw(r.t, "torn") {
		to := rapid.Int64Range(least, size).Draw(r.t, "length of the log")
		if err := os.Truncate(filepath.Join(cfg.Dir, last), to); err != nil {
			r.t.Fatal(err)
		}
	}
	var err error
	if x.store, err = Open(cfg); err != nil {
		r.t.Fatalf("a torn log was not repaired: %v", err)
	}
	x.firstLog, x.firstSize = r.newestLog(cfg.Dir)
	index := x.store.Applied().Index
	if index >= uint64(len(x.past)) {
		r.t.Fatalf("applied %d of %d", index, len(x.past)-1)
	}
	r.lost[uint64(len(x.past)-1) > index]++
	x.past = x.past[:index+1]
	x.committed = x.past[index]
	if err := x.store.Check(); err != nil {
		r.t.Fatalf("after a crash at commit %d: %v", index, err)
	}
	r.checkTasks(x.store, x.committed)
	r.checkLists(x)
	x.batch = x.store.Begin()
	x.redo(r.model)
}

// newestLog tells the name, below the store's directory, and the size of RocksDB's newest log.
func (r *run) newestLog(dir string) (string, int64) {
	logs, err := filepath.Glob(filepath.Join(dir, "db-*", "*.log"))
	if err != nil || len(logs) == 0 {
		r.t.Fatal(logs, err)
	}
	last := slices.Max(logs)
	info, err := os.Stat(last)
	if err != nil {
		r.t.Fatal(err)
	}
	name, err := filepath.Rel(dir, last)
	if err != nil {
		r.t.Fatal(err)
	}
	return name, info.Size()
}

// checkTasks compares every task with its bytes.
func (r *run) checkTasks(s *Store, m *model) {
	for id, want := range m.tasks {
		if got, err := s.Task(id, true); err != nil || !gocmp.Equal(want, got) {
			r.t.Fatalf("%v\n%s", err, gocmp.Diff(want, got))
		}
	}
}

// redo brings the open batch from what is committed to what the model has.
func (x *real) redo(to *model) {
	from, b := x.committed, x.batch
	b.SetTime(to.time)
	for range to.seq - from.seq {
		b.NextSeq()
	}
	for id, tomb := range from.tombs {
		if now, stays := to.tombs[id]; !stays || now != tomb {
			b.Forget(id)
		}
	}
	for id, was := range from.tasks {
		if now := to.tasks[id]; now == nil || now.Seq != was.Seq {
			b.Put(endedOf(was))
			b.Delete(id, false)
		}
	}
	for id, tomb := range to.tombs {
		if before, had := from.tombs[id]; !had || before != tomb {
			b.Put(endedOf(to.went[id]))
			b.Delete(id, true)
		}
	}
	for id, now := range to.tasks {
		if from.tasks[id] != now {
			b.Put(now)
		}
	}
	for key := range from.meta {
		if _, stays := to.meta[key]; !stays {
			b.DeleteMeta(key)
		}
	}
	for key, value := range maps.All(to.meta) {
		b.PutMeta(key, []byte(value))
	}
}

// endedOf is a task as one that can be removed, without a unique key that another may hold by now.
func endedOf(t *task.Task) *task.Task {
	t = t.Clone()
	t.UniqueHeld = false
	if !t.Status.IsTerminal() {
		t.Status = task.Cancelled
	}
	return t
}
