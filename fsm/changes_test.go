package fsm

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// TestChangesAddUpToTheCounts: what is told of each write adds up to the kept counts of each queue, type and status, and
// is the same however the log is cut into writes. So refused commands, and parts of commands that were taken back, are
// not told.
func TestChangesAddUpToTheCounts(t *testing.T) {
	for seed := range uint64(2) {
		h := makeHistory(t, seed, 250)
		tell := func(cut func() int) (told []task.Change, stats task.Stats) {
			st := openStore(t, t.TempDir())
			f := newFSM(st)
			f.opts.OnCommit = func(c Committed) { told = append(told, c.Changes...) }
			replay(f, h.logs, cut)
			return told, st.Stats()
		}
		one, stats := tell(func() int { return 1 })
		rng := rand.New(rand.NewPCG(seed, 2))
		many, _ := tell(func() int { return 1 + rng.IntN(60) })
		if !slices.Equal(one, many) {
			t.Errorf("seed %d: %d changes told one entry at a time, %d others told in runs", seed, len(one), len(many))
		}
		sums := make(map[store.Pair]map[task.Status]uint64)
		for _, c := range one {
			p := store.Pair{Queue: c.Queue, Type: c.Type}
			if sums[p] == nil {
				sums[p] = make(map[task.Status]uint64)
			}
			sums[p][c.From]--
			sums[p][c.To]++
			if c.Took < 0 || c.At.IsZero() {
				t.Fatalf("seed %d: %+v", seed, c)
			}
		}
		for _, q := range stats.Queues {
			p := store.Pair{Queue: q.Queue, Type: q.Type}
			want := map[task.Status]uint64{task.Pending: q.Pending, task.InProgress: q.InProgress, task.Completed: q.Completed,
				task.Failed: q.Failed, task.DeadLetter: q.DeadLetter, task.Cancelled: q.Cancelled}
			for status, n := range want {
				if sums[p][status] != n {
					t.Errorf("seed %d: the changes of %v come to %d %s, there are %d", seed, p, sums[p][status], status, n)
				}
			}
			delete(sums, p)
		}
		for p, left := range sums {
			for status, n := range left {
				if status != 0 && n != 0 {
					t.Errorf("seed %d: the changes of %v leave %d %s, there are none", seed, p, n, status)
				}
			}
		}
	}
}
