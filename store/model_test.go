package store

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/linxGnu/grocksdb"
	"pgregory.net/rapid"

	"github.com/haiku-queue/haiku/internal/damage"
	"github.com/haiku-queue/haiku/task"
)

// The model of a store: every answer by looking at all tasks. The test runs random operations on it and on several
// real stores, whose caches are tiny, or off, or large, and which commit at different moments. All must agree in every
// answer, and in the end in every byte.

type model struct {
	tasks map[task.ID]*task.Task // never changed in place
	tombs map[task.ID]removal
	went  map[task.ID]*task.Task // what a tombstone is of, as it was
	meta  map[string]string
	time  int64
	seq   uint64
}

func newModel() *model {
	return &model{
		tasks: map[task.ID]*task.Task{}, tombs: map[task.ID]removal{}, went: map[task.ID]*task.Task{}, meta: map[string]string{},
		time: base.UnixMicro(),
	}
}

func (m *model) clone() *model {
	return &model{tasks: maps.Clone(m.tasks), tombs: maps.Clone(m.tombs), went: maps.Clone(m.went), meta: maps.Clone(m.meta), time: m.time, seq: m.seq}
}

func (m *model) now() time.Time { return time.UnixMicro(m.time).UTC() }

// ids lists the tasks that keep selects, in the order of their ids.
func (m *model) ids(keep func(*task.Task) bool) []task.ID {
	var out []task.ID
	for id, x := range m.tasks {
		if keep(x) {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, compareIDs)
	return out
}

func (m *model) firstReady(pairs []Pair) *task.Task {
	firsts := map[Pair]*task.Task{}
	for _, x := range m.tasks {
		if first := firsts[pairOf(x)]; x.Claimable() && slices.Contains(pairs, pairOf(x)) && (first == nil || task.Compare(x, first) < 0) {
			firsts[pairOf(x)] = x
		}
	}
	var first *task.Task
	for _, x := range firsts {
		if first == nil || m.compareFirsts(x, first) < 0 {
			first = x
		}
	}
	return first
}

// compareFirsts orders the first tasks of two pairs.
func (m *model) compareFirsts(a, b *task.Task) int {
	urgency := func(x *task.Task) int64 {
		millionths := int64(x.Priority) * 1_000_000
		if x.Aging > 0 {
			millionths += m.now().Sub(x.ScheduledAt).Microseconds() / int64(x.Aging/time.Second)
		}
		return millionths
	}
	return cmp.Or(-cmp.Compare(urgency(a), urgency(b)), a.ScheduledAt.Compare(b.ScheduledAt), cmp.Compare(a.Seq, b.Seq))
}

// occupancy is that of a pair, or of a queue if the type is empty.
func (m *model) occupancy(p Pair) (u Occupancy) {
	for _, x := range m.tasks {
		if x.Queue != p.Queue || p.Type != "" && x.Type != p.Type {
			continue
		}
		switch {
		case x.Status == task.InProgress:
			u.Running++
		case !x.Status.IsTerminal():
			u.Waiting++
			u.Bytes += int64(x.PayloadSize)
		}
		if x.Claimable() {
			u.Ready++
		}
	}
	return u
}

// holder returns the task that holds the unique key and scope of x; nil if none does.
func (m *model) holder(x *task.Task) *task.Task {
	for _, y := range m.tasks {
		if y.UniqueHeld && y.Queue == x.Queue && y.Type == x.Type && y.UniqueKey == x.UniqueKey && y.UniqueScope == x.UniqueScope {
			return y
		}
	}
	return nil
}

func (m *model) due(kind ScheduleKind, until int64, limit int) []task.ID {
	at := map[task.ID]time.Time{}
	for id, x := range m.tasks {
		if k, us := scheduleOf(x); k == kind && us <= until {
			at[id] = time.UnixMicro(us)
		}
		if kind == ExpiresKind && x.CanExpire() && micros(x.ExpiresAt) <= until {
			at[id] = x.ExpiresAt
		}
	}
	for id := range m.tombs {
		if us := id.Time().UnixMicro(); kind == TombstoneKind && us <= until {
			at[id] = id.Time()
		}
	}
	out := slices.SortedFunc(maps.Keys(at), compareIDs)
	slices.SortStableFunc(out, func(a, b task.ID) int { return at[a].Compare(at[b]) })
	return out[:min(limit, len(out))]
}

// real is one store with its open batch.
type real struct {
	store     *Store
	batch     *Batch
	committed *model   // as of the last commit
	past      []*model // by commit
	firstLog  string   // RocksDB's newest log when the store was opened
	firstSize int64    // of it then
}

// run is one run of the test.
type run struct {
	t      *rapid.T
	model  *model
	stores []*real
	queues []string
	types  []string
	nextID int
	gone   []task.ID    // submitted, and taken back or removed
	lost   map[bool]int // crashes by whether they lost a commit
	tb     testing.TB
}

func TestStoreAgainstModel(t *testing.T) {
	checks(t, fmt.Sprint(damage.Rounds(30, 150)))
	lost := make(map[bool]int)
	rapid.Check(t, func(rt *rapid.T) {
		r := &run{t: rt, tb: t, lost: lost, model: newModel()}
		r.queues, r.types = []string{"a", "ab"}, []string{"x", "xy"}
		defer func() {
			for _, x := range r.stores {
				x.batch.Discard()
				x.store.Close()
			}
		}()
		for i, tune := range []func(*Config){
			func(c *Config) { c.HeadEntries, c.HeadsTotal, c.RecordCacheBytes = 1, 2, 0 },
			func(c *Config) { c.HeadEntries, c.HeadsTotal, c.RecordCacheBytes = 4, 6, 5000 },
			func(c *Config) {},
		} {
			cfg := testConfig(t)
			tune(&cfg)
			s, err := Open(cfg)
			if err != nil {
				rt.Fatal(i, err)
			}
			x := &real{store: s, batch: s.Begin(), committed: r.model.clone()}
			x.past = append(x.past, x.committed)
			x.firstLog, x.firstSize = r.newestLog(cfg.Dir)
			r.stores = append(r.stores, x)
			r.stores[i].batch.SetTime(r.model.time)
		}
		for range rapid.IntRange(20, 120).Draw(rt, "steps") {
			r.step(0)
			r.commitSome()
		}
		r.finish()
	})
	if lost[true] == 0 || lost[false] == 0 {
		t.Errorf("crashes by whether they lost a commit: %v", lost)
	}
}

// checks sets how many runs rapid makes, unless the command line says it.
func checks(t *testing.T, n string) {
	f := flag.Lookup("rapid.checks")
	if f.Value.String() != f.DefValue {
		return
	}
	before := f.Value.String()
	if err := f.Value.Set(n); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Value.Set(before) })
}

func (r *run) step(depth int) {
	switch rapid.IntRange(0, 36).Draw(r.t, "step") {
	case 0, 1, 2, 3, 4, 5:
		r.submit()
	case 6, 7, 8, 9, 10, 11:
		r.claim()
	case 12, 13, 14, 15:
		r.end()
	case 16, 17:
		r.tick()
	case 18, 19:
		r.promote()
	case 20, 21:
		r.look()
	case 22, 23:
		r.cancel()
	case 24:
		r.changeMeta()
	case 25, 26:
		if depth < 3 {
			r.refused(depth)
		}
	case 27, 28, 29:
		r.remove()
	case 30:
		r.forget()
	case 31, 32:
		r.rekey()
	case 33, 34:
		r.replace()
	case 35:
		if depth == 0 {
			r.restart()
		}
	case 36:
		if depth == 0 {
			r.crash()
		}
	}
}

// commitSome commits the first store always, the second by chance, the third at the end only.
func (r *run) commitSome() {
	r.commit(r.stores[0])
	if rapid.IntRange(0, 4).Draw(r.t, "cut") == 0 {
		r.commit(r.stores[1])
	}
}

func (r *run) commit(x *real) {
	index := x.store.Applied().Index + 1
	got, err := x.batch.Commit(Applied{Index: index, Term: 1}, [32]byte{1})
	if err != nil {
		r.t.Fatal(err)
	}
	want := map[Pair]int{}
	for id, now := range r.model.tasks {
		before := x.committed.tasks[id]
		if now.Claimable() && (before == nil || !before.Claimable() || pairOf(before) != pairOf(now)) {
			want[pairOf(now)]++
		}
	}
	counted := map[Pair]int{}
	for _, c := range got {
		counted[c.Pair] = c.Count
	}
	if !maps.Equal(counted, want) || len(counted) != len(got) {
		r.t.Fatalf("claimable %v, want %v", got, want)
	}
	x.committed = r.model.clone()
	x.past = append(x.past, x.committed)
	r.checkLists(x)
	r.checkOccupancy(x.store.Occupancy)
	x.batch = x.store.Begin()
}

func (r *run) checkOccupancy(of func(Pair) Occupancy) {
	for _, queue := range r.queues {
		for _, typ := range append(r.types, "") {
			p := Pair{queue, typ}
			if got, want := of(p), r.model.occupancy(p); got != want {
				r.t.Fatalf("occupancy of %v is %+v, want %+v", p, got, want)
			}
		}
	}
}

// checkLists compares the ordered lists of what is committed, which begin at remembered bounds.
func (r *run) checkLists(x *real) {
	tasks := slices.Collect(maps.Values(x.committed.tasks))
	for _, order := range []task.Order{task.OrderByPriority, task.OrderByScheduled} {
		f := task.Filter{Order: order, Limit: task.MaxItems}
		page, err := x.store.List(f)
		if want := wantList(&f, tasks); err != nil || !slices.Equal(idsOf(page.Tasks), want) {
			r.t.Fatalf("order %s: listed %v %v, want %v", order, idsOf(page.Tasks), err, want)
		}
	}
}

// restart closes the second store and opens it again, with files instead of memtables and no cache.
func (r *run) restart() {
	x := r.stores[1]
	r.commit(x)
	x.batch.Discard()
	flush := grocksdb.NewDefaultFlushOptions()
	defer flush.Destroy()
	for _, h := range x.store.d.handles {
		if err := x.store.d.db.FlushCF(h, flush); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := x.store.Close(); err != nil {
		r.t.Fatal(err)
	}
	s, err := Open(x.store.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	x.store, x.batch = s, s.Begin()
	x.firstLog, x.firstSize = r.newestLog(s.cfg.Dir)
}

// refused runs steps that are taken back.
func (r *run) refused(depth int) {
	before := r.model.clone()
	var marks []int
	for _, x := range r.stores {
		marks = append(marks, x.batch.Savepoint())
	}
	for range rapid.IntRange(1, 6).Draw(r.t, "refused") {
		r.step(depth + 1)
	}
	for i, x := range r.stores {
		x.batch.Rollback(marks[i])
	}
	for _, id := range r.model.ids(func(x *task.Task) bool { return before.tasks[x.ID] == nil }) {
		r.gone = append(r.gone, id)
	}
	r.model = before
}

// finish commits everywhere and compares everything.
func (r *run) finish() {
	hash := [32]byte{}
	for i, x := range r.stores {
		r.commit(x)
		x.batch.Discard()
		if err := x.store.Check(); err != nil {
			r.t.Fatalf("store %d: %v", i, err)
		}
		got, err := x.store.StateHash()
		if err != nil || i > 0 && got != hash {
			r.t.Fatalf("store %d: state hash %x %v, want %x", i, got, err, hash)
		}
		hash = got
		r.checkTasks(x.store, r.model)
		r.checkHeads(x.store.d)
		b := x.store.Begin()
		for _, id := range append(slices.Collect(maps.Keys(r.model.tombs)), r.gone...) {
			r.checkEnded(b, id)
		}
		b.Discard()
	}
}

// checkHeads compares the heads with index_priority.
func (r *run) checkHeads(d *database) {
	total := 0
	for pair, p := range d.pairs.byPair {
		total += len(p.head.entries)
		full := &pairState{pair: pair}
		if err := d.refill(full, 1<<20); err != nil {
			r.t.Fatal(err)
		}
		want := slices.DeleteFunc(full.head.entries, func(x ready) bool { return !p.head.whole && !x.place.before(&p.head.bound) })
		if !slices.Equal(p.head.entries, want) {
			r.t.Fatalf("head of %v holds %d entries, want %d", pair, len(p.head.entries), len(want))
		}
	}
	if total != d.headEntries || total > d.headsTotal {
		r.t.Fatalf("heads hold %d entries, counted %d, at most %d", total, d.headEntries, d.headsTotal)
	}
}
