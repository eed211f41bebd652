package fsm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// scheduling is the part of a script that is about schedules. Moments are said as time since the epoch; the version is
// the schedule's unless another is given. The task that s submits for the moment 1m goes by the name s@1m.
func (s *script) scheduling(words []string, args map[string]string) string {
	at := func(key string) time.Time {
		if args[key] == "" {
			return time.Time{}
		}
		return epoch.Add(duration(args[key]))
	}
	typ, version := "t", versionsOf(s.t, s.store)[words[min(1, len(words)-1)]]
	if args["type"] != "" {
		typ = args["type"]
	}
	if args["version"] != "" {
		version = uint64(number(args["version"], 0))
	}
	switch words[0] {
	case "schedule":
		c := &SetSchedule{Schedule: task.Schedule{
			Name: words[1], Expression: "@every 1m", Task: task.Spec{Type: typ, Queue: args["queue"], Payload: []byte(args["payload"])},
			Version: version, Anchor: epoch, Next: at("next"), Paused: args["paused"] != "", PauseReason: args["paused"],
		}}
		s.must(c.Schedule.Overlap.UnmarshalText([]byte(args["overlap"])))
		return s.apply(c)
	case "unschedule":
		return s.apply(&RemoveSchedule{Name: words[1]})
	case "fire":
		c := &Fire{Name: words[1], Version: version, Due: at("due"), At: at("at"), Next: at("next")}
		if known, err := Schedule(s.store, words[1]); err == nil && known != nil {
			cluster, err := ClusterID(s.store)
			s.must(err)
			s.names[task.FireID(cluster, known.ID, c.At)] = words[1] + "@" + args["at"]
		}
		return s.apply(c)
	case "trigger":
		return s.apply(&Fire{Name: words[1], Trigger: s.id(args["task"])})
	}
	return s.schedules()
}

// schedules prints the state of every schedule.
func (s *script) schedules() string {
	var out strings.Builder
	s.must(EachSchedule(s.store, "", func(light *task.Schedule) bool {
		c, err := Schedule(s.store, light.Name)
		s.must(err)
		fmt.Fprintf(&out, "%s id=%d version=%d fired=%d skipped=%d", c.Name, c.ID, c.Version, c.Fired, c.Skipped)
		for _, m := range []struct {
			name string
			at   time.Time
		}{{"next", c.Next}, {"last", c.LastFire}} {
			if !m.at.IsZero() {
				fmt.Fprintf(&out, " %s=+%s", m.name, m.at.Sub(epoch))
			}
		}
		if c.LastTask != (task.ID{}) {
			fmt.Fprintf(&out, " task=%s", s.names[c.LastTask])
		}
		if c.Paused {
			fmt.Fprintf(&out, " paused=%q", c.PauseReason)
		}
		if c.LastError != "" {
			fmt.Fprintf(&out, " error=%q", s.rename(c.LastError))
		}
		if len(c.Task.Payload) > 0 {
			fmt.Fprintf(&out, " payload=%q", c.Task.Payload)
		}
		out.WriteString("\n")
		return true
	}))
	return out.String()
}

// randomSchedule draws a command about one of three schedules. Versions and fire times are small, so that many match.
func randomSchedule(rng *rand.Rand, schedules map[string]uint64) Command {
	name := string(rune('x' + rng.IntN(3)))
	at := func() time.Time { return epoch.Add(time.Duration(rng.IntN(3)) * time.Minute) }
	switch rng.IntN(8) {
	case 0:
		return &RemoveSchedule{Name: name}
	case 1:
		return &Fire{Name: name, Trigger: randomID(rng)}
	case 2, 3:
		s := task.Schedule{Name: name, Task: task.Spec{Type: "a", Payload: make([]byte, rng.IntN(2)*rng.IntN(3000))}, Version: schedules[name]}
		if s.Next = at(); rng.IntN(3) == 0 {
			s.Overlap = task.OverlapAllow
		}
		return &SetSchedule{Schedule: s}
	}
	return &Fire{Name: name, Version: schedules[name], Due: at(), At: at(), Next: at()}
}

// versionsOf returns the versions of the schedules.
func versionsOf(t testing.TB, st *store.Store) map[string]uint64 {
	t.Helper()
	versions := make(map[string]uint64)
	if err := EachSchedule(st, "", func(s *task.Schedule) bool {
		versions[s.Name] = s.Version
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return versions
}

// TestScheduleLimit: no more schedules than allowed, and as soon as one is removed there is room for another.
func TestScheduleLimit(t *testing.T) {
	m := &machine{batch: openStore(t, t.TempDir()).Begin(), now: epoch}
	defer m.batch.Discard()
	set := func(name string) error {
		r, err := m.setSchedule(&SetSchedule{Schedule: task.Schedule{Name: name, Task: task.Spec{Type: "t"}}})
		if err != nil {
			t.Fatal(err)
		}
		if r.Err == nil && r.Count != 1 {
			t.Fatalf("schedule %s was not set", name)
		}
		return r.Err
	}
	for i := range task.MaxSchedules {
		if err := set(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	savepoint := m.batch.Savepoint()
	if err := set("more"); !errors.Is(err, task.ErrTooLarge) {
		t.Fatalf("one more: %v", err)
	}
	m.batch.Rollback(savepoint)
	if _, err := m.removeSchedule(&RemoveSchedule{Name: "7"}); err != nil {
		t.Fatal(err)
	}
	if err := set("more"); err != nil {
		t.Fatal(err)
	}
}

// TestFireIDs: the id of a fire is a good one, the same each time, and another for any other fire.
func TestFireIDs(t *testing.T) {
	seen := make(map[task.ID]bool)
	for _, cluster := range []member.ID{{1}, {2}} {
		for _, schedule := range []uint64{1, 2, 256} {
			for _, at := range []time.Time{epoch, epoch.Add(time.Second), epoch.Add(time.Hour)} {
				id := task.FireID(cluster, schedule, at)
				if err := id.Validate(); err != nil || seen[id] || id != task.FireID(cluster, schedule, at) || !id.Time().Equal(at) {
					t.Errorf("%s: %v, seen %t", id, err, seen[id])
				}
				seen[id] = true
			}
		}
	}
}
