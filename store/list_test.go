package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/haiku-queue/haiku/task"
)

// listAll reads all pages and returns the ids in the order they came.
func listAll(t *testing.T, s *Store, f task.Filter, between func(page int)) []task.ID {
	t.Helper()
	var ids []task.ID
	for page := 1; ; page++ {
		p, err := s.List(f)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Tasks) > max(f.Limit, 1) && f.Limit != 0 || p.AppliedIndex != s.Applied().Index {
			t.Fatalf("page of %d tasks at %d", len(p.Tasks), p.AppliedIndex)
		}
		for _, x := range p.Tasks {
			if !selects(&f, x) || f.Status != 0 && x.Status != f.Status || x.Payload != nil != f.WithPayload {
				t.Fatalf("%+v does not match %+v", x, f)
			}
			ids = append(ids, x.ID)
		}
		if p.Next == nil {
			return ids
		}
		f.Cursor = p.Next
		if between != nil {
			between(page)
		}
	}
}

// listed fills a store with 63 tasks in two queues, three types and a rare one, all statuses.
func listed(t *testing.T) (*Store, []*task.Task) {
	s := openTest(t)
	var tasks []*task.Task
	for n := 1; n <= 63; n++ {
		priority := task.Priority(n % 7)
		x := newTask(n, func(s *task.Spec) {
			s.Queue, s.Type, s.Priority = fmt.Sprint("q", n%2), fmt.Sprint("t", n%3), &priority
			if n > 60 {
				s.Type = "rare"
			}
			s.Payload = make([]byte, 1+n*40)
		})
		x.Status = task.Statuses[n%6]
		tasks = append(tasks, x)
	}
	submit(t, s, tasks...)
	return s, tasks
}

func TestListFilters(t *testing.T) {
	s, tasks := listed(t)
	four := task.Priority(4)
	for _, queue := range []string{"", "q1", "none"} {
		for _, typ := range []string{"", "t1", "rare", "none"} {
			for _, status := range append([]task.Status{0}, task.Statuses[:]...) {
				for _, most := range []*task.Priority{nil, &four} {
					for _, limit := range []int{0, 1, 7} {
						f := task.Filter{Queue: queue, Type: typ, Status: status, MinPriority: 2, MaxPriority: most, Limit: limit, WithPayload: limit == 7}
						var want []task.ID
						for _, x := range tasks {
							if (queue == "" || x.Queue == queue) && (typ == "" || x.Type == typ) && (status == 0 || x.Status == status) &&
								x.Priority >= 2 && (most == nil || x.Priority <= 4) {
								want = append(want, x.ID)
							}
						}
						if got := listAll(t, s, f, nil); !slices.Equal(got, want) {
							t.Fatalf("%+v: got %d tasks %v, want %d", f, len(got), got, len(want))
						}
					}
				}
			}
		}
	}
}

// TestListWhileTasksMove moves every task to another status between two pages: each is still listed once.
func TestListWhileTasksMove(t *testing.T) {
	for _, typ := range []string{"", "t1"} {
		s, tasks := listed(t)
		var want []task.ID
		for _, x := range tasks {
			if typ == "" || x.Type == typ {
				want = append(want, x.ID)
			}
		}
		got := listAll(t, s, task.Filter{Type: typ, Limit: 3}, func(page int) {
			b := s.Begin()
			for _, x := range tasks {
				x, err := b.Task(x.ID)
				if err != nil {
					t.Fatal(err)
				}
				x = x.Clone()
				x.Status = task.Statuses[(int(x.Status)+page)%6]
				b.Put(x)
			}
			commit(t, s, b)
		})
		if !slices.Equal(got, want) {
			t.Fatalf("type %q: %d tasks, want %d", typ, len(got), len(want))
		}
		mustCheck(t, s)
	}
}

func TestListBoundsItsWork(t *testing.T) {
	s := openTest(t)
	const n = maxExamined + 500
	b := s.Begin()
	for i := 1; i <= n; i++ {
		i := i
		b.NextSeq()
		b.Put(newTask(i, func(s *task.Spec) {
			if i == n {
				s.Queue = "rare"
			}
		}))
	}
	commit(t, s, b)
	p, err := s.List(task.Filter{Queue: "rare"})
	if err != nil || len(p.Tasks) != 0 || p.Next == nil {
		t.Fatalf("the first page has %d tasks, next %x, %v", len(p.Tasks), p.Next, err)
	}
	if got := listAll(t, s, task.Filter{Queue: "rare"}, nil); !slices.Equal(got, []task.ID{testID(n)}) {
		t.Fatal(got)
	}
}

func TestListBoundsItsBytes(t *testing.T) {
	s := openTest(t)
	for i := 1; i <= 4; i++ {
		submit(t, s, newTask(i, func(s *task.Spec) { s.Payload = make([]byte, 3<<20) }))
	}
	p, err := s.List(task.Filter{WithPayload: true})
	if err != nil || len(p.Tasks) != 2 || len(p.Tasks[0].Payload) != 3<<20 {
		t.Fatalf("%d tasks, %v", len(p.Tasks), err)
	}
	if got := listAll(t, s, task.Filter{WithPayload: true}, nil); len(got) != 4 {
		t.Fatalf("%d tasks", len(got))
	}
}

func TestListRefuses(t *testing.T) {
	s := openTest(t)
	for _, f := range []task.Filter{{Cursor: []byte{1}}, {Cursor: append([]byte{9}, make([]byte, 16)...)}, {Limit: -1}, {Status: 99}} {
		if _, err := s.List(f); !errors.Is(err, task.ErrInvalid) {
			t.Fatalf("%+v: %v", f, err)
		}
	}
}

// TestListChildren: the tasks that depend on one are listed in both directions, whether it is still there or not, also with
// other filters, and those that are gone are not.
func TestListChildren(t *testing.T) {
	s := openTest(t)
	parent, other := testID(900), testID(901)
	var want []task.ID
	for i := 1; i <= 20; i++ {
		x := newTask(i, func(s *task.Spec) {
			s.Dependencies = [][]task.ID{nil, {parent}, {other}, {other, parent}}[i%4]
			s.Type = fmt.Sprint("t", i%2)
		})
		x.Status = task.Statuses[i%6]
		submit(t, s, x)
		if i%2 == 1 {
			want = append(want, x.ID)
		}
	}
	b := s.Begin()
	if _, err := b.Task(want[2]); err != nil {
		t.Fatal(err)
	}
	b.Delete(want[2], true)
	commit(t, s, b)
	want = slices.Delete(want, 2, 3)
	for _, limit := range []int{0, 1, 3} {
		f := task.Filter{DependsOn: parent, Limit: limit}
		if got := listAll(t, s, f, nil); !slices.Equal(got, want) {
			t.Errorf("by %d: %v, want %v", limit, got, want)
		}
		f.Order = task.OrderByNewest
		got := listAll(t, s, f, nil)
		if slices.Reverse(got); !slices.Equal(got, want) {
			t.Errorf("newest first by %d: %v backwards, want %v", limit, got, want)
		}
		if f.Type = "t0"; len(listAll(t, s, f, nil)) != 0 {
			t.Error("a filter by type does not count")
		}
	}
	if got := listAll(t, s, task.Filter{DependsOn: testID(1)}, nil); len(got) != 0 {
		t.Errorf("a task without children has %v", got)
	}
}
