package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// wantList is what a list has to show, by looking at all tasks.
func wantList(f *task.Filter, tasks []*task.Task) []task.ID {
	var found []*task.Task
	for _, x := range tasks {
		kind, _ := scheduleOf(x)
		inOrder := [...]bool{task.OrderByID: true, task.OrderByNewest: true, task.OrderByPriority: x.Claimable(), task.OrderByScheduled: kind == DueKind || kind == RetryKind}
		if inOrder[f.Order] && selects(f, x) {
			found = append(found, x)
		}
	}
	slices.SortFunc(found, func(a, b *task.Task) int {
		switch {
		case f.Order == task.OrderByPriority:
			return task.Compare(a, b)
		case f.Order == task.OrderByScheduled && !a.ScheduledAt.Equal(b.ScheduledAt):
			return a.ScheduledAt.Compare(b.ScheduledAt)
		case f.Order == task.OrderByNewest:
			a, b = b, a
		}
		return compareIDs(a.ID, b.ID)
	})
	return idsOf(found)
}

func idsOf(tasks []*task.Task) (ids []task.ID) {
	for _, x := range tasks {
		ids = append(ids, x.ID)
	}
	return ids
}

// waiting fills a store with n tasks in two queues and three types: two thirds ready, the others scheduled, waiting for
// a retry, blocked or ended. Priorities and times repeat.
func waiting(t *testing.T, n int) (*Store, []*task.Task) {
	cfg := testConfig(t)
	cfg.HeadEntries, cfg.HeadsTotal = 3, 9
	s := mustOpen(t, cfg)
	var tasks []*task.Task
	for i := 1; i <= n; i++ {
		priority := task.Priority(i * 37 % 11)
		x := newTask(i, func(s *task.Spec) {
			s.Queue, s.Type, s.Priority = fmt.Sprint("q", i%2), fmt.Sprint("t", i%3), &priority
			if i%7 == 0 {
				s.Delay = time.Duration(i*31%5+1) * time.Second
			}
		})
		switch i % 12 {
		case 0:
			x.Status, x.ScheduledAt = task.Failed, base.Add(time.Duration(i%4)*time.Second)
		case 5:
			x.WaitingFor = 1
		case 10:
			x.Status = task.Completed
		}
		if i%2 == 1 {
			x.Aging = time.Duration(i%3) * time.Second
		}
		tasks = append(tasks, x)
	}
	submit(t, s, tasks...)
	return s, tasks
}

func TestListOrders(t *testing.T) {
	s, tasks := waiting(t, 200)
	seven := task.Priority(7)
	for _, f := range []task.Filter{
		{}, {Status: task.Pending}, {Status: task.Failed}, {Queue: "q1"}, {Type: "t2"}, {Queue: "q0", Type: "t1"}, {Queue: "none"},
		{MinPriority: 3, MaxPriority: &seven}, {MinPriority: 7, MaxPriority: &seven, Queue: "q0"}, {MinPriority: 11}, {MaxPriority: &seven},
		{ScheduledFrom: base.Add(2 * time.Second)}, {ScheduledTo: base.Add(2 * time.Second), Type: "t0"}, {ScheduledTo: base},
		{ScheduledFrom: base, ScheduledTo: base.Add(time.Microsecond)},
		{ScheduledFrom: base.Add(time.Second), ScheduledTo: base.Add(4 * time.Second), MinPriority: 2},
	} {
		for f.Order = task.OrderByID; f.Order <= task.OrderByNewest; f.Order++ {
			for _, f.Limit = range []int{0, 1, 7} {
				if f.Order == task.OrderByPriority && f.Status == task.Failed {
					continue
				}
				want := wantList(&f, tasks)
				if got := listAll(t, s, f, nil); !slices.Equal(got, want) {
					t.Fatalf("order %s, %+v: got %d tasks\n%v, want %d\n%v", f.Order, f, len(got), got, len(want), want)
				}
			}
		}
	}
	if n := len(listAll(t, s, task.Filter{Order: task.OrderByPriority}, nil)); n < 100 {
		t.Fatalf("only %d tasks are ready", n)
	}
}

// TestOrderedListWhileTasksMove claims, ends and submits tasks and changes priorities and times between two pages. Each
// task that stayed where it was is listed once, in order.
func TestOrderedListWhileTasksMove(t *testing.T) {
	for _, order := range []task.Order{task.OrderByPriority, task.OrderByScheduled, task.OrderByNewest} {
		s, tasks := waiting(t, 300)
		var stay []*task.Task
		for i, x := range tasks {
			if i%3 == 0 {
				stay = append(stay, x)
			}
		}
		f := task.Filter{Order: order, Limit: 4}
		want, next := wantList(&f, stay), len(tasks)
		got := listAll(t, s, f, func(page int) {
			b := s.Begin()
			for i := 1; i < len(tasks); i += 3 {
				move(t, b, tasks[i].ID, i+page)
				move(t, b, tasks[i+1].ID, i+page+3)
			}
			for range 3 {
				next++
				priority := task.Priority(next % 13)
				b.NextSeq()
				b.Put(newTask(next, func(s *task.Spec) {
					s.Type, s.Priority, s.Delay = "t0", &priority, time.Duration(next%2)*time.Second
				}))
			}
			commit(t, s, b)
		})
		seen := map[task.ID]int{}
		for _, id := range got {
			seen[id]++
		}
		stayed := slices.DeleteFunc(slices.Clone(got), func(id task.ID) bool { return !slices.Contains(want, id) })
		if len(want) < 10 || !slices.Equal(stayed, want) {
			t.Fatalf("order %s: of the tasks that stayed %d are listed, want %d", order, len(stayed), len(want))
		}
		mustCheck(t, s)
	}
}

// move puts a task into another place of some order, or out of all.
func move(t *testing.T, b *Batch, id task.ID, n int) {
	t.Helper()
	x, err := b.Task(id)
	if err != nil || x == nil {
		t.Fatal(x, err)
	}
	x = x.Clone()
	switch n % 4 {
	case 0:
		x.Status, x.UpdatedAt = task.Pending, x.ScheduledAt
	case 1:
		x.Status = task.InProgress
	case 2:
		x.Status, x.ScheduledAt = task.Failed, base.Add(time.Duration(n%9)*time.Second)
	case 3:
		x.Status, x.Priority, x.WaitingFor, x.ScheduledAt = task.Pending, task.Priority(n%10), 0, base
	}
	b.Put(x)
}

// TestOrderedListBesideCommits lists while tasks move: each page is of one moment, and has all that stay.
func TestOrderedListBesideCommits(t *testing.T) {
	s, tasks := waiting(t, 120)
	var stay []*task.Task
	for i, x := range tasks {
		if i%3 == 0 {
			stay = append(stay, x)
		}
	}
	done := make(chan error)
	go func() {
		for n := range 200 {
			f := task.Filter{Order: task.OrderByPriority + task.Order(n%2), Limit: task.MaxItems}
			page, err := s.List(f)
			got := slices.DeleteFunc(idsOf(page.Tasks), func(id task.ID) bool {
				return !slices.ContainsFunc(stay, func(x *task.Task) bool { return x.ID == id })
			})
			if want := wantList(&f, stay); err == nil && !slices.Equal(got, want) {
				err = fmt.Errorf("order %s: %v, want %v", f.Order, got, want)
			}
			if err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for n := 0; ; n++ {
		select {
		case err := <-done:
			if err != nil || n < 3 {
				t.Fatalf("after %d commits: %v", n, err)
			}
			return
		default:
		}
		b := s.Begin()
		move(t, b, tasks[1+3*(n%40)].ID, n)
		move(t, b, tasks[2+3*(n%40)].ID, n/40)
		commit(t, s, b)
	}
}

// TestListBehindClaimedTasks: the place where a list begins moves up as tasks are claimed, and back for a task that comes
// before it.
func TestListBehindClaimedTasks(t *testing.T) {
	s, tasks := waiting(t, 100)
	f := task.Filter{Order: task.OrderByPriority, Queue: "q0", Type: "t1"}
	pairs := []Pair{{"q0", "t1"}}
	for {
		b := s.Begin()
		id, _, ok, err := b.FirstReady(pairs)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			b.Discard()
			break
		}
		move(t, b, id, 1)
		commit(t, s, b)
		i := slices.IndexFunc(tasks, func(x *task.Task) bool { return x.ID == id })
		tasks = slices.Delete(tasks, i, i+1)
		want := wantList(&f, tasks)
		if p := s.d.pairs.byPair[pairs[0]]; len(want) > 0 && p.floor.id() != want[0] {
			t.Fatalf("a list would begin at %s, the first ready task is %s", p.floor.id(), want[0])
		}
		if got := listAll(t, s, f, nil); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
	high := task.Priority(255)
	submit(t, s, newTask(1000, func(s *task.Spec) { s.Queue, s.Type, s.Priority = "q0", "t1", &high }))
	if got := listAll(t, s, f, nil); !slices.Equal(got, []task.ID{testID(1000)}) {
		t.Fatal(got)
	}
}

func TestListRefusesOrders(t *testing.T) {
	s, _ := waiting(t, 50)
	page := func(o task.Order) []byte {
		p, err := s.List(task.Filter{Order: o, Limit: 1})
		if err != nil || p.Next == nil {
			t.Fatalf("order %s: %v", o, err)
		}
		return p.Next
	}
	for o := range task.OrderByScheduled + 1 {
		for other := range task.OrderByScheduled + 1 {
			f := task.Filter{Order: o, Cursor: page(other)}
			if _, err := s.List(f); (err == nil) != (o == other) || err != nil && !errors.Is(err, task.ErrInvalid) {
				t.Fatalf("cursor of order %s with order %s: %v", other, o, err)
			}
		}
	}
}

func TestListRefusesTooManyPairs(t *testing.T) {
	s := openTest(t)
	var tasks []*task.Task
	for n := 1; n <= maxListedPairs+1; n++ {
		tasks = append(tasks, newTask(n, func(s *task.Spec) { s.Queue, s.Type = fmt.Sprint(n%2), fmt.Sprint(n) }))
	}
	submit(t, s, tasks...)
	_, err := s.List(task.Filter{Order: task.OrderByPriority})
	if !errors.Is(err, task.ErrInvalid) || !strings.Contains(err.Error(), "name a queue or a type") {
		t.Fatal(err)
	}
	if got := listAll(t, s, task.Filter{Order: task.OrderByPriority, Queue: "1", Limit: 1000}, nil); len(got) != maxListedPairs/2+1 {
		t.Fatalf("%d tasks", len(got))
	}
}

func TestCounts(t *testing.T) {
	s, tasks := waiting(t, 200)
	for _, queue := range []string{"", "q0", "none"} {
		for _, typ := range []string{"", "t1", "none"} {
			want, pairs := task.QueueCounts{Queue: queue, Type: typ}, map[Pair]bool{}
			for _, x := range tasks {
				if (queue == "" || x.Queue == queue) && (typ == "" || x.Type == typ) {
					var c counts
					c[slotOf(x)]++
					one := c.queueCounts(Pair{})
					want.Add(&one)
					pairs[Pair{x.Queue, x.Type}] = true
				}
			}
			got := s.Counts(queue, typ)
			if got.Total != want || len(got.Queues) != len(pairs) || got.AppliedIndex != 1 {
				t.Fatalf("queue %q type %q: %+v, want %+v in %d pairs", queue, typ, got, want, len(pairs))
			}
			for _, c := range got.Queues {
				if !pairs[Pair{c.Queue, c.Type}] {
					t.Fatalf("queue %q type %q: got %q %q", queue, typ, c.Queue, c.Type)
				}
			}
		}
	}
}
