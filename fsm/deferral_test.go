package fsm

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/task"
)

// TestDeferringGivesTheSameState: a machine that defers, is settled by chance, stops deferring half-way and begins again
// ends as one that applies each entry at once, and answers those that it did not defer.
func TestDeferringGivesTheSameState(t *testing.T) {
	h := makeHistory(t, 9, 300)
	whole := openStore(t, t.TempDir())
	replay(newFSM(whole), h.logs, func() int { return 1 })
	want := fingerprintOf(t, whole)
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 4))
		st := openStore(t, t.TempDir())
		commits := 0
		f := newFSM(st)
		f.opts.OnCommit = func(Committed) { commits++ }
		for i, l := range h.logs {
			on := i < 100 || i >= 200
			f.Defer(on)
			got := f.Apply(l)
			if l.Type == raft.LogCommand && (got == nil) != on {
				t.Fatalf("entry %d: deferred is %v, answered %v", i, on, got)
			}
			if at := st.Applied().Index; !on && at != l.Index {
				t.Fatalf("entry %d is not applied at once: the store is at %d", l.Index, at)
			}
			if rng.IntN(50) == 0 {
				f.Settle()
			}
		}
		if st.Applied().Index == h.logs[len(h.logs)-1].Index {
			t.Fatal("nothing was deferred")
		}
		f.Settle()
		if got := fingerprintOf(t, st); got != want {
			t.Fatalf("seed %d: another state", seed)
		}
		if commits >= 200 {
			t.Errorf("%d writes for %d entries of which 200 could wait", commits, len(h.logs))
		}
	}
}

// TestDeferredBytesAreBounded: an entry that would be too much to wait is applied at once, and what waited before it.
func TestDeferredBytesAreBounded(t *testing.T) {
	h := makeHistory(t, 10, 40)
	st := openStore(t, t.TempDir())
	f := newFSM(st)
	f.Defer(true)
	for _, l := range h.logs[:len(h.logs)-1] {
		f.Apply(l)
	}
	if at := st.Applied().Index; at == h.logs[len(h.logs)-2].Index {
		t.Fatalf("nothing waits: the store is at %d", at)
	}
	large := *h.logs[len(h.logs)-1]
	large.Type, large.Data = raft.LogCommand, AppendHeader(nil, large.Term, epoch)
	for len(large.Data) <= deferredBytes {
		spec := task.Spec{ID: task.NewID(), Type: "t", Payload: make([]byte, 1<<20)}
		e, err := Encode(&Submit{Specs: []task.Spec{spec}, Hashes: make([][16]byte, 1), DedupWindow: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		large.Data = append(large.Data, e...)
	}
	if got := f.Apply(&large); got == nil || st.Applied().Index != large.Index {
		t.Fatalf("answered %v, the store is at %d, not %d", got, st.Applied().Index, large.Index)
	}
}
