package task

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestTiers(t *testing.T) {
	for p := range 256 {
		want, name := Low, "low"
		switch {
		case p >= 200:
			want, name = High, "high"
		case p >= 100:
			want, name = Normal, "normal"
		}
		if got := Priority(p).Tier(); got != want || got.String() != name {
			t.Errorf("priority %d is %s, want %s", p, got, name)
		}
	}
	order := []Tier{Low, Normal, High}
	for i, a := range order {
		for j, b := range order {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := a.Compare(b); got != want {
				t.Errorf("%s.Compare(%s) = %d, want %d", a, b, got, want)
			}
		}
	}
	if DefaultPriority.Tier() != Normal {
		t.Error("the default priority is not normal")
	}
}

func TestCompareOrder(t *testing.T) {
	at := time.Unix(1700000000, 0).UTC()
	sorted := []*Task{
		{Priority: 255, ScheduledAt: at.Add(time.Hour), Seq: 9},
		{Priority: 200, ScheduledAt: at, Seq: 7},
		{Priority: 200, ScheduledAt: at, Seq: 8, ID: ID{1}},
		{Priority: 200, ScheduledAt: at, Seq: 8, ID: ID{2}},
		{Priority: 200, ScheduledAt: at.Add(time.Microsecond), Seq: 1},
		{Priority: 0, ScheduledAt: at.Add(-time.Hour), Seq: 0},
	}
	for i, a := range sorted {
		for j, b := range sorted {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := Compare(a, b); got != want {
				t.Errorf("Compare(%d, %d) = %d, want %d", i, j, got, want)
			}
		}
	}
}

// TestCompareIsTotal: whatever order tasks come in, sorting gives the same one.
func TestCompareIsTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tasks := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) Task {
			return Task{
				Priority:    Priority(rapid.IntRange(98, 101).Draw(t, "priority")),
				ScheduledAt: time.UnixMicro(rapid.Int64Range(1, 3).Draw(t, "scheduled")),
				Seq:         rapid.Uint64Range(1, 3).Draw(t, "seq"),
				ID:          ID{rapid.Byte().Draw(t, "id")},
			}
		}), 1, 30, func(t Task) ID { return t.ID }).Draw(t, "tasks")
		forward := make([]*Task, len(tasks))
		for i := range tasks {
			forward[i] = &tasks[i]
		}
		shuffled := rapid.Permutation(forward).Draw(t, "shuffled")
		slices.SortFunc(forward, Compare)
		slices.SortFunc(shuffled, Compare)
		for i := range forward {
			if forward[i] != shuffled[i] {
				t.Fatalf("place %d depends on the order before", i)
			}
		}
	})
}
