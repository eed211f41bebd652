package fsm

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/store"
)

func newDeferring(t *testing.T, st *store.Store, deferFor time.Duration, commits func()) *FSM {
	f := New(st, Options{
		OnCommit: func(Committed) { commits() },
		OnMark:   func(_ uint64, s *store.Snapshot) { s.Release() },
		OnFatal:  func(err error) { panic(err) },
		DeferFor: deferFor,
	})
	t.Cleanup(f.Close)
	return f
}

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
		f := newDeferring(t, st, time.Hour, func() { commits++ })
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
		f.Close()
		if got := fingerprintOf(t, st); got != want {
			t.Fatalf("seed %d: another state", seed)
		}
		if commits >= 200 {
			t.Errorf("%d writes for %d entries of which 200 could wait", commits, len(h.logs))
		}
	}
}

// TestDeferringEndsByItself: entries that wait are applied when their time is up, or when they are too many bytes.
func TestDeferringEndsByItself(t *testing.T) {
	h := makeHistory(t, 10, 20)
	applied := make(chan struct{}, len(h.logs))
	st := openStore(t, t.TempDir())
	f := newDeferring(t, st, time.Millisecond, func() { applied <- struct{}{} })
	f.ApplyBatch(h.logs)
	last := h.logs[len(h.logs)-1].Index
	for deadline := time.After(10 * time.Second); st.Applied().Index < last; {
		select {
		case <-applied:
		case <-deadline:
			t.Fatalf("the store is at %d, not %d", st.Applied().Index, last)
		}
	}

	st = openStore(t, t.TempDir())
	f = newDeferring(t, st, time.Hour, func() {})
	f.ApplyBatch(h.logs[:1])
	large := *h.logs[1]
	large.Data = append(large.Data, make([]byte, deferredBytes)...) // undecodable: it must be tried at once
	defer func() {
		if recover() == nil {
			t.Error("an entry above the bound waits")
		}
	}()
	f.ApplyBatch([]*raft.Log{&large})
}
