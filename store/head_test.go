package store

import (
	"fmt"
	"testing"

	"github.com/haiku-queue/haiku/task"
)

// TestDeepQueue claims more from one pair in one batch than its head holds.
func TestDeepQueue(t *testing.T) {
	cfg := testConfig(t)
	cfg.HeadEntries, cfg.HeadsTotal = 4, 8
	s := mustOpen(t, cfg)
	var tasks []*task.Task
	for n := 1; n <= 100; n++ {
		tasks = append(tasks, newTask(n, nil))
	}
	submit(t, s, tasks...)
	next := 1
	for _, size := range []int{30, 1, 3, 4, 5, 57} {
		b := s.Begin()
		for range size {
			id, _, ok, err := b.FirstReady(emailPair)
			if err != nil || !ok || id != testID(next) {
				t.Fatalf("%v %v %v, want %v", id, ok, err, testID(next))
			}
			x, err := b.Task(id)
			if err != nil {
				t.Fatal(err)
			}
			b.Put(claimed(x, 1))
			next++
		}
		commit(t, s, b)
		if n := s.d.headEntries; n > cfg.HeadsTotal {
			t.Fatalf("the heads hold %d entries", n)
		}
	}
	b := s.Begin()
	defer b.Discard()
	if _, _, ok, err := b.FirstReady(emailPair); ok || err != nil {
		t.Fatal(ok, err)
	}
}

// TestManyPairsKeepHeadsBounded has more pairs than the heads may hold entries.
func TestManyPairsKeepHeadsBounded(t *testing.T) {
	cfg := testConfig(t)
	cfg.HeadEntries, cfg.HeadsTotal = 2, 5
	s := mustOpen(t, cfg)
	for round := range 3 {
		for p := range 10 {
			n := 100*round + p + 1
			submit(t, s, newTask(n, func(s *task.Spec) { s.Type = fmt.Sprint("t", p) }))
			if s.d.headEntries > cfg.HeadsTotal {
				t.Fatalf("the heads hold %d entries", s.d.headEntries)
			}
		}
	}
	b := s.Begin()
	defer b.Discard()
	pairs := b.ReadyPairs("default")
	if len(pairs) != 10 {
		t.Fatalf("%d pairs", len(pairs))
	}
	for round := range 3 {
		for p := range 10 {
			id, _, ok, err := b.FirstReady(pairs)
			if want := testID(100*round + p + 1); err != nil || !ok || id != want {
				t.Fatalf("%v %v %v, want %v", id, ok, err, want)
			}
			x, err := b.Task(id)
			if err != nil {
				t.Fatal(err)
			}
			b.Put(claimed(x, 1))
		}
	}
}
