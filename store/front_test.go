package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// TestFront: tasks come in the same order from one Front as each by itself from the pairs that are left, where a part of
// them ages, pairs stand twice, and one is left out on the way.
func TestFront(t *testing.T) {
	cfg := testConfig(t)
	cfg.HeadEntries, cfg.HeadsTotal = 2, 20
	s := mustOpen(t, cfg)
	var tasks []*task.Task
	for n := 1; n <= 300; n++ {
		x := newTask(n, func(s *task.Spec) {
			priority := task.Priority(n * 7 % 11)
			s.Type, s.Priority = fmt.Sprint("t", n*13%30), &priority
		})
		x.Aging = time.Duration(n*13%30%3) * time.Second
		tasks = append(tasks, x)
	}
	submit(t, s, tasks...)
	const closes = 20 // the task whose pair is left out with it
	var first []task.ID
	for _, many := range []bool{false, true} {
		b := s.Begin()
		pairs := b.ReadyPairs("default")
		pairs = append(pairs, pairs[:5]...)
		front, err := b.Front(pairs)
		if err != nil {
			t.Fatal(err)
		}
		var closed Pair
		var order []task.ID
		for {
			id, _, ok, err := b.FirstReady(pairs)
			if many {
				var pair Pair
				if id, _, pair, ok, err = front.First(); ok && pair == closed {
					front.LeaveOut()
					continue
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			x, err := b.Task(id)
			if err != nil {
				t.Fatal(err)
			}
			b.Put(claimed(x, 1))
			if order = append(order, id); len(order) == closes {
				closed = Pair{x.Queue, x.Type}
				pairs = slices.DeleteFunc(pairs, func(p Pair) bool { return p == closed })
			}
		}
		b.Discard()
		if !many {
			first = order
		} else if !slices.Equal(first, order) {
			t.Errorf("one by one %v\nfrom one front %v", first, order)
		}
	}
	if len(first) <= closes || len(first) >= len(tasks) {
		t.Errorf("%d of %d tasks came", len(first), len(tasks))
	}
}
