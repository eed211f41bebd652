package store

import (
	"fmt"
	"slices"
	"testing"

	"github.com/haiku-queue/haiku/task"
)

// TestSelect: whichever index it goes over, a selection gives each of its tasks once, in the order of ids, a few at a
// time, and looks at all others at most once.
func TestSelect(t *testing.T) {
	s, tasks := listed(t)
	low, high := task.Priority(2), task.Priority(5)
	for _, sel := range []task.Selection{
		{},
		{Statuses: []task.Status{task.DeadLetter}},
		{Statuses: []task.Status{task.Pending, task.InProgress, task.Failed}},
		{Statuses: []task.Status{task.Failed, task.DeadLetter, task.Cancelled}, Queue: "q1"},
		{Type: "t1"},
		{Type: "t1", Statuses: []task.Status{task.Completed}},
		{Type: "t2", Statuses: []task.Status{task.Cancelled, task.Failed}},
		{Type: "t2", Statuses: []task.Status{task.Pending, task.Cancelled}, MinPriority: low, MaxPriority: &high},
		{Type: "rare", Statuses: []task.Status{task.Pending, task.InProgress}},
		{Type: "none", Statuses: []task.Status{task.DeadLetter}},
	} {
		t.Run(fmt.Sprintf("%+v", sel), func(t *testing.T) {
			var want []task.ID
			for _, x := range tasks {
				if sel.Matches(x) {
					want = append(want, x.ID)
				}
			}
			slices.SortFunc(want, compareIDs)
			var got []task.ID
			var after task.ID
			examined := 0
			for more := true; more; {
				c, err := s.Select(&sel, after, 2)
				if err != nil || len(c.IDs) > 2 {
					t.Fatalf("%+v, %v", c, err)
				}
				got = append(got, c.IDs...)
				after, more, examined = c.Last, c.More, examined+c.Examined
			}
			if !slices.Equal(got, want) || examined > len(tasks) {
				t.Errorf("got %d of %d tasks after looking at %d", len(got), len(want), examined)
			}
		})
	}
}

// TestListByErrorAndTime: lists take the same text and time as selections.
func TestListByErrorAndTime(t *testing.T) {
	s := openTest(t)
	var tasks []*task.Task
	for n := 1; n <= 6; n++ {
		x := newTask(n, nil)
		x.Status, x.Error = task.DeadLetter, fmt.Sprintf("disk %d is full", n%2)
		x.UpdatedAt = x.UpdatedAt.AddDate(0, 0, n)
		tasks = append(tasks, x)
	}
	submit(t, s, tasks...)
	got := listAll(t, s, task.Filter{Status: task.DeadLetter, ErrorContains: "disk 1", UpdatedBefore: tasks[4].UpdatedAt, Limit: 1}, nil)
	if want := []task.ID{tasks[0].ID, tasks[2].ID}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
