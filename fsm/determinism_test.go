package fsm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// history is a random but plausible log with what the first machine answered.
type history struct {
	logs    []*raft.Log
	results []any
	reaped  int // tasks deleted and ids forgotten
	fired   int // fires of schedules that submitted a task
}

// makeHistory grows a log entry by entry on a machine of its own, so that results name leases that exist.
func makeHistory(t testing.TB, seed uint64, entries int) history {
	rng := rand.New(rand.NewPCG(seed, 1))
	f := newFSM(openStore(t, t.TempDir()))
	var h history
	var known []task.ID
	var commands []Command
	running := make([]*task.Task, 0)
	now := epoch
	for i := range entries {
		now = now.Add(time.Duration(rng.IntN(2000)-200) * time.Millisecond)
		l := &raft.Log{Index: uint64(2*i + 1), Term: 3, Type: raft.LogCommand}
		if rng.IntN(40) == 0 {
			l.Type = raft.LogConfiguration
			l.Data = raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{ID: raft.ServerID(fmt.Sprint(i)), Address: "a"}}})
		} else {
			term := l.Term
			if rng.IntN(50) == 0 {
				term-- // a command of a leader deposed
			}
			l.Data = AppendHeader(nil, term, now)
			commands = commands[:0]
			for range 1 + rng.IntN(6) {
				c := randomCommand(rng, &known, running)
				if rng.IntN(10) == 0 {
					c = randomSchedule(rng, versionsOf(t, f.store))
				}
				commands = append(commands, c)
				e, err := Encode(c)
				if err != nil {
					t.Fatal(err)
				}
				l.Data = append(l.Data, e...)
			}
		}
		result := f.Apply(l)
		h.logs, h.results = append(h.logs, l), append(h.results, result)
		if results, ok := result.([]Result); ok {
			for j := range results {
				running = append(running, results[j].Tasks...)
				if commands[j].Kind() == KindReap {
					h.reaped += results[j].Count
				}
				if c, ok := commands[j].(*Fire); ok && c.Version > 0 && len(results[j].Receipts) > 0 {
					h.fired++
				}
			}
		}
	}
	return h
}

func randomCommand(rng *rand.Rand, known *[]task.ID, running []*task.Task) Command {
	pick := func() task.ID {
		if len(*known) == 0 || rng.IntN(20) == 0 {
			return randomID(rng)
		}
		return (*known)[rng.IntN(len(*known))]
	}
	switch n := rng.IntN(25); {
	case n < 7:
		return randomSubmit(rng, known, pick)
	case n < 11:
		c := &Claim{Session: task.SessionID{1}, WorkerID: "w", Queues: []string{"default", "q"}, Max: 1 + rng.IntN(5), Lease: 30 * time.Second}
		if rng.IntN(2) == 0 {
			c.Types = []string{"a", "b"}
		}
		return c
	case n < 15 && len(running) > 0:
		c := &Finish{}
		for range 1 + rng.IntN(4) {
			r := running[rng.IntN(len(running))]
			o := task.Outcome{ID: r.ID, LeaseID: r.LeaseID, Kind: task.OutcomeKind(1 + rng.IntN(6))}
			if o.Kind == task.Success {
				o.Result = make([]byte, rng.IntN(3000))
			}
			var hashes [][16]byte
			if o.Kind == task.Success && rng.IntN(3) == 0 {
				s := randomSubmit(rng, known, pick).(*Submit)
				o.Submit, hashes, c.DedupWindow = s.Specs, s.Hashes, s.DedupWindow
			}
			if rng.IntN(4) == 0 {
				o.Progress = task.Progress{Percent: uint32(rng.IntN(101)), Cursor: []byte{byte(rng.IntN(256))}}
			}
			c.Outcomes, c.Delays = append(c.Outcomes, o), append(c.Delays, time.Duration(rng.IntN(5000))*time.Millisecond)
			c.Hashes = append(c.Hashes, hashes)
		}
		return c
	case n < 16 && len(running) > 0:
		r := running[rng.IntN(len(running))]
		kinds := []task.OutcomeKind{task.LeaseExpired, task.SessionLost, task.LeaseUnheard, task.Requeued, task.Revoked, task.TimedOut}
		return &Release{Ended: []Ended{{ID: r.ID, LeaseID: r.LeaseID, Kind: kinds[rng.IntN(len(kinds))], Crash: rng.IntN(2) == 0, Delay: time.Second}}}
	case n < 17:
		return &Cancel{IDs: []task.ID{pick(), pick()}}
	case n < 18:
		if rng.IntN(2) == 0 {
			return &Expire{Max: 1 + rng.IntN(20)}
		}
		return &Promote{Max: 1 + rng.IntN(20)}
	case n < 19:
		return &Step{}
	case n < 20:
		return &Reap{Max: 1 + rng.IntN(20), DedupWindow: time.Duration(rng.IntN(2)*24) * time.Hour}
	case n < 24:
		return randomBulk(rng, pick)
	}
	switch rng.IntN(13) {
	case 6:
		seconds := func() time.Duration { return time.Duration(rng.IntN(60)) * time.Second }
		return &SetRetention{task.Retention{Type: []string{"", "a", "b"}[rng.IntN(3)], Completed: seconds(), DeadLetter: seconds(), Cancelled: seconds()}}
	case 0:
		return &Mark{}
	case 11, 12:
		return randomToken(rng)
	case 8, 9, 10:
		return randomSetQueue(rng)
	case 1:
		return &Found{ClusterID: member.ID{byte(rng.IntN(3) + 1)}}
	case 2:
		return &RemoveMember{ID: member.ID{byte(rng.IntN(3) + 1)}}
	case 3:
		return &SetDispatch{Paused: true}
	case 4:
		return &SetDispatch{}
	case 5:
		return &Requeue{After: pick(), Max: rng.IntN(4)}
	}
	return &SetMember{Member: member.Member{ID: member.ID{byte(rng.IntN(3) + 1)}, Name: "n", MaxCommandVersion: 1}}
}

// randomSetQueue opens and closes the queues that the others use, so that they are open most of the time.
func randomSetQueue(rng *rand.Rand) Command {
	c := task.QueueChange{Queue: "default"}
	if rng.IntN(3) == 0 {
		c.Queue = "q"
	}
	if rng.IntN(2) == 0 {
		c.Type = string(rune('a' + rng.IntN(3)))
	}
	if rng.IntN(2) == 0 {
		paused := rng.IntN(4) == 0
		c.Paused = &paused
	}
	if rng.IntN(2) == 0 {
		n := uint32(rng.IntN(8))
		c.Concurrency = &n
	}
	if rng.IntN(2) == 0 {
		c.Rate = &task.Rate{}
		if rng.IntN(3) > 0 {
			*c.Rate = task.Rate{Count: uint32(1 + rng.IntN(7)), Per: time.Second, Burst: uint32(1 + rng.IntN(4))}
		}
	}
	if rng.IntN(2) == 0 {
		depth, bytes := uint64(rng.IntN(3)*20), uint64(rng.IntN(3)*20000)
		c.Depth, c.Bytes = &depth, &bytes
	}
	if c.Type == "" && rng.IntN(2) == 0 {
		aging := time.Duration(rng.IntN(3)) * 30 * time.Second
		c.Aging = &aging
	}
	return &SetQueue{Change: c}
}

// randomBulk is a command on many tasks. There are few operations, so that steps often find the one that they are for.
func randomBulk(rng *rand.Rand, pick func() task.ID) Command {
	operation := func() task.ID { return idOf(1 + rng.IntN(3)) }
	some := func() (ids []task.ID) {
		for range 1 + rng.IntN(8) {
			ids = append(ids, pick())
		}
		return ids
	}
	window := time.Duration(rng.IntN(2)*24) * time.Hour
	action := task.Action(1 + rng.IntN(3))
	switch rng.IntN(8) {
	case 0, 1:
		return &Retry{IDs: some()}
	case 2:
		return &Delete{IDs: some(), DedupWindow: window}
	case 3:
		o := task.OperationOrder{ID: operation(), Action: action, Rate: uint32(rng.IntN(2))}
		o.Selection.Type = []string{"", "a"}[rng.IntN(2)]
		_ = o.Validate()
		return &StartOperation{o}
	case 4:
		return &EndOperation{ID: operation()}
	}
	c := &StepOperation{ID: operation(), Action: action, IDs: some(), Examined: rng.IntN(9), Last: rng.IntN(3) == 0, DedupWindow: window}
	if rng.IntN(2) == 0 {
		c.From = idOf(rng.IntN(2))
	}
	c.To = idOf(rng.IntN(2))
	return c
}

func randomSubmit(rng *rand.Rand, known *[]task.ID, pick func() task.ID) Command {
	c := &Submit{Atomic: rng.IntN(3) == 0, DedupWindow: 24 * time.Hour}
	for range 1 + rng.IntN(5) {
		s := task.Spec{ID: randomID(rng), Type: string(rune('a' + rng.IntN(3))), Payload: make([]byte, rng.IntN(40)*rng.IntN(100))}
		if rng.IntN(3) == 0 {
			s.Queue = "q"
		}
		if rng.IntN(2) == 0 {
			p := task.Priority(rng.IntN(256))
			s.Priority = &p
		}
		if rng.IntN(6) == 0 {
			s.Delay = time.Duration(rng.IntN(20000)) * time.Millisecond
		}
		if rng.IntN(3) == 0 {
			s.Retention = time.Duration(1+rng.IntN(30)) * time.Second
		}
		for range rng.IntN(5) - 2 {
			if d := pick(); d != s.ID && !has(s.Dependencies, d) {
				s.Dependencies = append(s.Dependencies, d)
			}
			s.OnDependencyFailure = task.DependencyPolicy(rng.IntN(3))
		}
		randomUnique(rng, &s)
		if rng.IntN(10) == 0 && len(*known) > 0 {
			s = task.Spec{ID: pick(), Type: "a"}
		}
		*known = append(*known, s.ID)
		c.Specs, c.Hashes = append(c.Specs, s), append(c.Hashes, s.ContentHash())
	}
	return c
}

// randomUnique gives half of the tasks one of few keys, and a third little time to be started.
func randomUnique(rng *rand.Rand, s *task.Spec) {
	if rng.IntN(3) == 0 {
		s.ExpiresIn = s.Delay + time.Duration(1+rng.IntN(10000))*time.Millisecond
	}
	if rng.IntN(2) == 0 {
		return
	}
	s.UniqueKey, s.UniqueScope = string(rune('a'+rng.IntN(3))), task.UniqueScope(rng.IntN(4))
	if s.UniqueScope == task.UniqueTTL {
		s.UniqueTTL = time.Duration(1+rng.IntN(20000)) * time.Millisecond
	}
	if s.OnConflict = task.ConflictPolicy(rng.IntN(4)); s.OnConflict == task.ConflictDebounce {
		s.Delay = time.Second + s.Delay
	}
	if s.OnConflict >= task.ConflictReplace {
		s.Dependencies = nil
	}
}

func has(ids []task.ID, id task.ID) bool {
	for _, other := range ids {
		if other == id {
			return true
		}
	}
	return false
}

func randomID(rng *rand.Rand) task.ID {
	ms := epoch.UnixMilli()
	id := task.ID{byte(ms >> 40), byte(ms >> 32), byte(ms >> 24), byte(ms >> 16), byte(ms >> 8), byte(ms), 0x70, 0, 0x80}
	for i := 9; i < 16; i++ {
		id[i] = byte(rng.IntN(256))
	}
	return id
}

// replay feeds logs to an FSM in runs of the sizes that cut gives.
func replay(f *FSM, logs []*raft.Log, cut func() int) []any {
	var out []any
	for len(logs) > 0 {
		n := min(cut(), len(logs))
		out = append(out, f.ApplyBatch(logs[:n])...)
		logs = logs[n:]
	}
	return out
}

type fingerprint struct {
	state, log [32]byte
}

func fingerprintOf(t testing.TB, st *store.Store) fingerprint {
	t.Helper()
	state, err := st.StateHash()
	if err != nil {
		t.Fatal(err)
	}
	b := st.Begin()
	defer b.Discard()
	return fingerprint{state, b.LogHash()}
}

func answersOf(results []any) string {
	var b []byte
	for _, r := range results {
		if rs, ok := r.([]Result); ok {
			for i := range rs {
				b = rs[i].appendTo(b)
			}
		}
	}
	return string(b)
}

// TestAnyCutGivesTheSameState: the same log in runs of any length gives the same state, log hash and results.
func TestAnyCutGivesTheSameState(t *testing.T) {
	for seed := range uint64(6) {
		h := makeHistory(t, seed, 300)
		if h.reaped < 5 {
			t.Fatalf("seed %d: only %d tasks were deleted", seed, h.reaped)
		}
		if h.fired < 2 {
			t.Fatalf("seed %d: only %d schedules fired", seed, h.fired)
		}
		rng := rand.New(rand.NewPCG(seed, 2))
		var first fingerprint
		for i, cut := range []func() int{func() int { return 1 }, func() int { return len(h.logs) }, func() int { return 1 + rng.IntN(30) }} {
			st := openStore(t, t.TempDir())
			results := replay(newFSM(st), h.logs, cut)
			if answersOf(results) != answersOf(h.results) {
				t.Fatalf("seed %d: way %d of cutting answers otherwise", seed, i)
			}
			got := fingerprintOf(t, st)
			if i == 0 {
				first = got
			}
			if got != first {
				t.Fatalf("seed %d: way %d of cutting gives another state", seed, i)
			}
			if err := st.Check(); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
	}
}

// TestHistoriesMeetConflicts: the random logs of this file have unique keys that collide, in all ways.
func TestHistoriesMeetConflicts(t *testing.T) {
	existing, repeated, refused := 0, 0, 0
	for _, r := range makeHistory(t, 1, 300).results {
		results, _ := r.([]Result)
		for i := range results {
			for _, receipt := range results[i].Receipts {
				switch {
				case errors.Is(receipt.Err, task.ErrUniqueConflict):
					refused++
				case receipt.Existing:
					existing++
				case receipt.Duplicate:
					repeated++
				}
			}
		}
	}
	if existing < 20 || refused < 20 || repeated < 5 {
		t.Errorf("%d existing, %d refused, %d repeated", existing, refused, repeated)
	}
}

// TestReplayFromAnyEarlierIndex: a machine that stops anywhere and is given the log again from any earlier entry ends
// in the same state.
func TestReplayFromAnyEarlierIndex(t *testing.T) {
	h := makeHistory(t, 77, 250)
	rng := rand.New(rand.NewPCG(77, 3))
	whole := openStore(t, t.TempDir())
	replay(newFSM(whole), h.logs, func() int { return 16 })
	want := fingerprintOf(t, whole)
	for range 8 {
		dir := t.TempDir()
		stop := rng.IntN(len(h.logs))
		st := openStore(t, dir)
		replay(newFSM(st), h.logs[:stop], func() int { return 1 + rng.IntN(9) })
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
		again := openStore(t, dir)
		from := rng.IntN(stop + 1)
		replay(newFSM(again), h.logs[from:], func() int { return 1 + rng.IntN(9) })
		if fingerprintOf(t, again) != want {
			t.Fatalf("stopped after %d entries, replayed from %d: another state", stop, from)
		}
	}
}

// TestPlantedMapOrderIsSeen: a machine that takes the items of a submit in the order of a map gets another state hash.
func TestPlantedMapOrderIsSeen(t *testing.T) {
	h := makeHistory(t, 5, 100)
	honest := openStore(t, t.TempDir())
	replay(newFSM(honest), h.logs, func() int { return 10 })
	planted := openStore(t, t.TempDir())
	f := newFSM(planted)
	for _, l := range h.logs {
		if l.Type == raft.LogCommand {
			l = &raft.Log{Index: l.Index, Term: l.Term, Type: l.Type, Data: inMapOrder(t, l.Data)}
		}
		f.Apply(l)
	}
	a, b := fingerprintOf(t, honest), fingerprintOf(t, planted)
	if a.state == b.state {
		t.Error("state hashes are equal although one machine has a map-order bug")
	}
	if a.log == b.log {
		t.Error("log hashes are equal although one machine has a map-order bug")
	}
}

// inMapOrder rewrites the submits of an entry as a machine would see them that walks a map.
func inMapOrder(t *testing.T, data []byte) []byte {
	entry, err := DecodeEntry(data)
	if err != nil {
		t.Fatal(err)
	}
	out := AppendHeader(nil, entry.Term, entry.Time)
	for _, c := range entry.Commands {
		if s, ok := c.(*Submit); ok {
			order := make(map[int]bool)
			for i := range s.Specs {
				order[i] = true
			}
			mixed := &Submit{Atomic: s.Atomic, DedupWindow: s.DedupWindow}
			for i := range order {
				mixed.Specs, mixed.Hashes = append(mixed.Specs, s.Specs[i]), append(mixed.Hashes, s.Hashes[i])
			}
			c = mixed
		}
		e, err := Encode(c)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e...)
	}
	return out
}
