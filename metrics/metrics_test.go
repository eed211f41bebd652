package metrics

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// TestChangesAreCounted: which change of status counts as what.
func TestChangesAreCounted(t *testing.T) {
	for _, c := range []struct {
		from, to task.Status
		want     []event
		runs     uint64
	}{
		{0, task.Pending, []event{submitted}, 0},
		{0, task.Cancelled, []event{submitted, cancelled}, 0},
		{task.Pending, task.InProgress, []event{claimed}, 0},
		{task.InProgress, task.Completed, []event{completed}, 1},
		{task.InProgress, task.Failed, []event{failed}, 1},
		{task.InProgress, task.DeadLetter, []event{failed, dead}, 1},
		{task.Pending, task.DeadLetter, []event{dead}, 0},
		{task.InProgress, task.Cancelled, []event{cancelled}, 1},
		{task.InProgress, task.Pending, []event{released}, 1},
		{task.Failed, task.Pending, nil, 0},
		{task.DeadLetter, task.Pending, nil, 0},
		{task.Completed, 0, []event{deleted}, 0},
	} {
		m := New(Config{Queues: 1})
		m.Changed([]task.Change{{Queue: "q", From: c.from, To: c.to, Took: time.Second}})
		var want totals
		for _, e := range c.want {
			want[e]++
		}
		if got := m.queues.sum(); got != want {
			t.Errorf("from %d to %d counts as %v, want %v", c.from, c.to, got, want)
		}
		runs := m.run.read()
		if got := sumOf(&runs); got != c.runs {
			t.Errorf("from %d to %d ends %d attempts, want %d", c.from, c.to, got, c.runs)
		}
	}
}

func sumOf(b *buckets) (n uint64) {
	for _, v := range b {
		n += v
	}
	return n
}

// TestQueuesAreCapped: more queues than the cap count as _other, whatever their names, those that were full at the start
// keep theirs, and nothing is lost when many count at once.
func TestQueuesAreCapped(t *testing.T) {
	m := New(Config{Queues: 5})
	m.queues.seed([]store.Depth{{Counts: task.QueueCounts{Queue: "small", Pending: 1}}, {Counts: task.QueueCounts{Queue: "large", Completed: 9}}})
	const workers, each = 8, 200
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := range each {
				m.Changed([]task.Change{{Queue: fmt.Sprintf("q%d", (w+i)%20), To: task.Pending}, {Queue: "_other", To: task.Pending}, {Queue: "large", To: task.Pending}})
			}
		})
	}
	all.Wait()
	names := make(map[string]uint64)
	m.queues.each(func(name string, c *tallies) {
		if _, twice := names[name]; twice {
			t.Errorf("%s is there twice", name)
		}
		names[name] = c[submitted].Load()
	})
	total := uint64(0)
	for _, n := range names {
		total += n
	}
	if len(names) != 6 || names["large"] != workers*each || total != 3*workers*each || names["_other"] < workers*each {
		t.Errorf("%d in all, %v", total, names)
	}
	if m.queues.label("q99") != "_other" || m.queues.label("small") != "small" {
		t.Error("labels")
	}
}

// TestQuantiles: an estimate stays within the bucket in which the quantile lies.
func TestQuantiles(t *testing.T) {
	h := newHistogram(quickBounds)
	for i := range 1000 {
		h.observe(time.Duration(i+1) * 100 * time.Microsecond)
	}
	b := h.read()
	for _, c := range []struct{ q, low, high float64 }{{.5, .04, .063}, {.99, .063, .1}, {1, .063, .1}} {
		if got := h.quantile(&b, c.q); got < c.low || got > c.high {
			t.Errorf("quantile %g is %g", c.q, got)
		}
	}
	h.observe(time.Hour)
	h.observe(-time.Second)
	after := h.read()
	late := after.since(&b)
	if got := h.quantile(&late, 1); got != 10 {
		t.Errorf("above the last bound: %g", got)
	}
	var none buckets
	if got := h.quantile(&none, .5); !math.IsNaN(got) {
		t.Errorf("of nothing: %g", got)
	}
	for _, bounds := range [][]float64{quickBounds, longBounds, snapshotBounds} {
		if len(bounds) >= maxBuckets {
			t.Errorf("%d bounds leave no room for the rest", len(bounds))
		}
	}
}

// reopened is a node whose counts begin anew.
type reopened struct {
	still
	changes uint64
	stalled time.Duration
}

func (r *reopened) RaftState() (member.RaftState, error) {
	return member.RaftState{LeaderChanges: r.changes}, nil
}
func (r *reopened) StoreVitals() (store.Vitals, error) { return store.Vitals{Stalled: r.stalled}, nil }

// TestCountsThatBeginAnew: a database that a snapshot replaced, and a node that was opened again, count from zero; what
// is served goes on.
func TestCountsThatBeginAnew(t *testing.T) {
	m := New(Config{Queues: 1})
	source := &reopened{changes: 3, stalled: 5 * time.Second}
	r := m.Record(source, t.TempDir()+"/history", quiet)
	want := func(changes, stalled float64) {
		t.Helper()
		all := families(t, m)
		if c, s := valueOf(t, all, "haiku_raft_leader_changes_total"), valueOf(t, all, "haiku_rocksdb_stall_seconds_total"); c != changes || s != stalled {
			t.Errorf("%g changes and %g s, want %g and %g", c, s, changes, stalled)
		}
	}
	want(3, 5)
	source.stalled = time.Second // a snapshot was installed
	want(3, 6)
	source.stalled = 2 * time.Second
	want(3, 7)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	source = &reopened{changes: 4, stalled: 3 * time.Second}
	r = m.Record(source, t.TempDir()+"/history", quiet)
	want(7, 10)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}
