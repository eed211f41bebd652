package fsm

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

func allCommands() []Command {
	priority, retries := task.Priority(0), uint32(7)
	yes, depth, aging := true, uint64(9), time.Minute
	id := task.ID{1, 2, 3}
	return []Command{
		&Submit{Specs: []task.Spec{{
			ID: id, Type: "t", Queue: "q", Payload: []byte("p"), Priority: &priority, Delay: time.Second, MaxRetries: &retries, MaxCrashes: &retries,
			TimeoutSeconds: 5, Dependencies: []task.ID{{9}, {8}}, OnDependencyFailure: task.PolicyBlock,
			Headers: []task.Header{{Name: "a", Value: "b"}}, UniqueKey: "u", UniqueScope: task.UniqueTTL, UniqueTTL: time.Minute, OnConflict: task.ConflictDebounce, ExpiresAt: epoch, ExpiresIn: time.Hour, Retention: time.Hour,
			Backoff: task.Backoff{Initial: time.Second, FactorPercent: 150, Max: time.Minute, JitterPercent: 5},
		}, {ID: id, Type: "t", ScheduledAt: epoch}}, Hashes: [][16]byte{{1}, {2}}, Atomic: true, DedupWindow: time.Hour},
		&Claim{Session: task.SessionID{1}, WorkerID: "w", Queues: []string{"q"}, Types: []string{"t"}, Max: 3, Lease: time.Minute},
		&Finish{
			Outcomes: []task.Outcome{
				{ID: id, LeaseID: 4, Kind: task.Success, Result: []byte("r"), Submit: []task.Spec{{ID: id, Type: "t"}}},
				{ID: id, LeaseID: 5, Kind: task.Failure, Error: "e", Progress: task.Progress{Percent: 3, Message: "m", Cursor: []byte("c")}},
			},
			Delays: []time.Duration{0, time.Second}, Hashes: [][][16]byte{{{1}}, nil}, DedupWindow: time.Hour,
		},
		&Cancel{IDs: []task.ID{id}},
		&Release{Ended: []Ended{{ID: id, LeaseID: 4, Kind: task.TimedOut, Crash: true, Delay: time.Second, Progress: task.Progress{Message: "m"}}}},
		&Promote{Max: 9},
		&Step{},
		&SetMember{Member: member.Member{ID: member.ID{1}, Name: "n", Address: "a:1", HTTPAddress: "a:2", MaxCommandVersion: 1}},
		&RemoveMember{ID: member.ID{1}},
		&Found{ClusterID: member.ID{2}},
		&Mark{},
		&SetDispatch{Paused: true},
		&SetQueue{Change: task.QueueChange{
			Queue: "q", Type: "t", Paused: &yes, Reason: "because", Concurrency: &retries, Rate: &task.Rate{Count: 5, Per: time.Second, Burst: 2},
			Depth: &depth, Bytes: new(uint64), Aging: &aging,
		}},
		&SetQueue{Change: task.QueueChange{Queue: "q", Rate: &task.Rate{}}},
		&Requeue{After: id, Max: 9},
		&SetRetention{task.Retention{Type: "t", Completed: time.Hour, DeadLetter: task.KeepForever, Cancelled: time.Second}},
		&Reap{Max: 9, DedupWindow: time.Hour},
		&SetSchedule{Schedule: task.Schedule{
			Name: "s", Expression: "@daily", Zone: "Asia/Tokyo", Task: task.Spec{Type: "t", Payload: []byte("p")}, CatchUp: task.CatchUpAll,
			Overlap: task.OverlapAllow, Start: epoch, End: epoch, ID: 1, Version: 2, Anchor: epoch, Paused: true, PauseReason: "r", Next: epoch,
			LastFire: epoch, LastTask: id, LastError: "e", Fired: 3, Skipped: 4, CreatedAt: epoch, UpdatedAt: epoch,
		}},
		&RemoveSchedule{Name: "s"},
		&Fire{Name: "s", Version: 2, Due: epoch, At: epoch.Add(time.Second), Next: epoch.Add(time.Hour), Trigger: id},
		&Retry{IDs: []task.ID{id, {7}}},
		&Delete{IDs: []task.ID{id}, DedupWindow: time.Hour},
		&StartOperation{task.OperationOrder{ID: id, Action: task.ActionDelete, Rate: 5, Selection: task.Selection{
			Queue: "q", Type: "t", Statuses: []task.Status{task.Failed, task.DeadLetter}, MinPriority: 2, MaxPriority: &priority,
			UpdatedBefore: epoch, ErrorContains: "e", Idle: time.Hour,
		}}},
		&StepOperation{ID: id, Action: task.ActionCancel, From: task.ID{3}, To: task.ID{4}, IDs: []task.ID{{4}}, Examined: 8, Last: true, DedupWindow: time.Hour},
		&EndOperation{ID: id},
		&Expire{Max: 9},
		&CreateToken{NodeSecret: [32]byte{4}, UnlessAdmin: true, Token: member.NewToken{
			ID: "a1", Hash: [32]byte{3}, Name: "n", Role: member.RoleWorker, Queues: []string{"q"}, ExpiresIn: time.Hour,
		}},
		&RevokeToken{ID: "a1", Force: true},
	}
}

func TestEveryCommandSurvivesTheLog(t *testing.T) {
	entry := AppendHeader(nil, 12, epoch)
	for _, c := range allCommands() {
		e, err := Encode(c)
		if err != nil {
			t.Fatal(err)
		}
		entry = append(entry, e...)
	}
	got, err := DecodeEntry(entry)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Entry{Term: 12, Time: epoch, Commands: allCommands()}, got); diff != "" {
		t.Errorf("decoded entry differs (-want +got):\n%s", diff)
	}
	tested := make(map[Kind]bool)
	for _, c := range got.Commands {
		tested[c.Kind()] = true
	}
	for kind := range Kind(255) {
		if _, err := commandFromPB(kind, 1, nil); tested[kind] == errors.Is(err, errKind) {
			t.Errorf("kind %d: tested %t, decoded with %v", kind, tested[kind], err)
		}
	}
}

// damaged returns entries that this program must not apply.
func damaged(t *testing.T) map[string][]byte {
	good := AppendHeader(nil, 1, epoch)
	e, err := Encode(&Promote{Max: 1})
	if err != nil {
		t.Fatal(err)
	}
	edit := func(change func(b []byte) []byte) []byte { return change(append(append([]byte(nil), good...), e...)) }
	return map[string][]byte{
		"empty":           {},
		"header cut off":  good[:10],
		"entry version":   edit(func(b []byte) []byte { b[0] = 2; return b }),
		"kind":            edit(func(b []byte) []byte { b[entryHeader] = 200; return b }),
		"kind zero":       edit(func(b []byte) []byte { b[entryHeader] = 0; return b }),
		"command version": edit(func(b []byte) []byte { b[entryHeader+1] = 2; return b }),
		"command cut off": edit(func(b []byte) []byte { return b[:len(b)-1] }),
		"command header":  edit(func(b []byte) []byte { return b[:entryHeader+3] }),
		"unknown field":   edit(func(b []byte) []byte { return resize(append(b, 0x78, 1)) }),
		"malformed body":  edit(func(b []byte) []byte { return resize(append(b, 0xff)) }),
	}
}

// resize sets the length of the one command in b to what follows its header.
func resize(b []byte) []byte {
	binary.BigEndian.PutUint32(b[entryHeader+2:], uint32(len(b)-entryHeader-commandHeader))
	return b
}

func TestUnknownEntriesPanicAndChangeNothing(t *testing.T) {
	for name, data := range damaged(t) {
		t.Run(name, func(t *testing.T) {
			if _, err := DecodeEntry(data); !errors.Is(err, errEntry) {
				t.Errorf("DecodeEntry: %v", err)
			}
			st := openStore(t, t.TempDir())
			f := newFSM(st)
			func() {
				defer func() {
					if recover() == nil {
						t.Error("apply did not panic")
					}
				}()
				f.Apply(&raft.Log{Index: 1, Term: 1, Type: raft.LogCommand, Data: data})
			}()
			if got := st.Applied().Index; got != 0 {
				t.Errorf("applied index is %d", got)
			}
		})
	}
}

// TestForeignDurations: microseconds that no duration holds are read as one that is written and read again as itself.
func TestForeignDurations(t *testing.T) {
	for _, us := range []int64{math.MaxInt64, math.MinInt64, math.MaxInt64/1000 + 1, 0, -1, 1} {
		if d := micros(us); d != micros(d.Microseconds()) || (d > 0) != (us > 0) || (d < 0) != (us < 0) {
			t.Errorf("%d is read as %s, and that as %s", us, d, micros(d.Microseconds()))
		}
	}
}

func FuzzDecodeEntry(f *testing.F) {
	for _, c := range allCommands() {
		e, err := Encode(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append(AppendHeader(nil, 1, epoch), e...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		entry, err := DecodeEntry(b)
		if err != nil {
			return
		}
		again := AppendHeader(nil, entry.Term, entry.Time)
		for _, c := range entry.Commands {
			e, err := Encode(c)
			if err != nil {
				t.Fatalf("decoded %T does not encode: %v", c, err)
			}
			again = append(again, e...)
		}
		twice, err := DecodeEntry(again)
		if err != nil {
			t.Fatalf("encoded again it does not decode: %v", err)
		}
		if diff := cmp.Diff(entry, twice); diff != "" {
			t.Errorf("decoded twice (-first +second):\n%s", diff)
		}
	})
}
