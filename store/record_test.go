package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haiku-queue/haiku/internal/pb/recordpb"
	"github.com/haiku-queue/haiku/task"
)

func encodeValue(t testing.TB, x *task.Task) []byte {
	t.Helper()
	var r recordpb.Record
	encodeRecord(&r, x)
	b, err := r.MarshalVT()
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte{valueVersion}, b...)
}

// fullTask has every field set.
func fullTask() *task.Task {
	at := func(n int) time.Time { return base.Add(time.Duration(n) * time.Microsecond) }
	return &task.Task{
		ID: testID(1), Type: "email.send", Queue: "mails", Payload: []byte("p"), PayloadSize: 1, Priority: 255,
		CreatedAt: at(1), ScheduledAt: at(2), Status: task.InProgress, MaxRetries: 3, RetryCount: 2, MaxCrashes: 4, CrashCount: 1,
		TimeoutSeconds: 60, WorkerID: "w1", Session: task.SessionID{1, 15: 2}, LeaseID: 99, LeaseDuration: 30 * time.Second,
		LeaseExpiresAt: at(3), StartedAt: at(4), Attempt: 3, Result: []byte("r"), ResultSize: 1, Error: "boom",
		Reason: task.Poison, Dependencies: []task.ID{testID(5), testID(4)}, WaitingFor: 1, OnDependencyFailure: task.PolicyBlock,
		Headers: []task.Header{{Name: "a", Value: "b"}, {Name: "c", Value: "d"}}, UniqueKey: "u", UniqueScope: task.UniqueTTL, UniqueUntil: at(9),
		UniqueHeld: true, ReplacedBy: testID(6), ExpiresAt: at(5),
		Retention: time.Hour, DeleteAt: base.Add(time.Hour), Backoff: task.Backoff{Initial: time.Second, FactorPercent: 150, Max: time.Minute, JitterPercent: 5},
		Progress:  task.Progress{Percent: 10, Message: "m", Cursor: []byte("c")},
		History:   []task.Attempt{{Number: 1, WorkerID: "w", StartedAt: at(6), EndedAt: at(7), Outcome: task.Failure, Error: "e"}},
		LastLease: task.LastLease{LeaseID: 98, Kind: task.Failure, Digest: [16]byte{3}}, CancelRequested: true,
		UpdatedAt: at(8), Recount: true, Aging: time.Minute, Seq: 12, Hash: [16]byte{7},
	}
}

func TestRecordRoundTrip(t *testing.T) {
	large := newTask(2, func(s *task.Spec) { s.Payload = make([]byte, task.InlineBytes+1) })
	edge := newTask(3, func(s *task.Spec) { s.Payload = make([]byte, task.InlineBytes) })
	for name, x := range map[string]*task.Task{"full": fullTask(), "plain": newTask(1, nil), "large": large, "edge": edge} {
		value := encodeValue(t, x)
		if again := encodeValue(t, x); !bytes.Equal(value, again) {
			t.Fatalf("%s: encoded twice, two results", name)
		}
		got, err := decodeRecord(x.ID, x.Status, value)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(withoutLarge(x), got); diff != "" {
			t.Fatalf("%s:\n%s", name, diff)
		}
	}
}

func TestRecordIsCompact(t *testing.T) {
	x := newTask(1, func(s *task.Spec) {
		s.Type, s.Payload = "email.send", []byte(`{"to":"someone@example.org","template":"welcome","lang":"en"}`)
	})
	size := func(x *task.Task) (record, blob int) {
		record = len(x.ID) + len(encodeValue(t, x))
		if x.PayloadSize > task.InlineBytes {
			blob = len(x.ID) + 1 + 1 + len(x.Payload)
		}
		return record, blob
	}
	record, _ := size(x)
	asJSON, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("record %d bytes, JSON %d", record, len(asJSON))
	if record > 200 || 2*len(asJSON) < 5*record {
		t.Fatalf("record has %d bytes, JSON %d", record, len(asJSON))
	}
	x.Payload, x.PayloadSize = nil, 0
	empty, _ := size(x)
	x.Payload, x.PayloadSize = make([]byte, 100<<10), 100<<10
	record, blob := size(x)
	if over := record + blob - empty - 100<<10; over > 100 {
		t.Fatalf("100 KiB of payload cost %d bytes more", over)
	}
}

func TestRecordRefusesWhatItDoesNotKnow(t *testing.T) {
	unknown := []byte{0xf8, 0x07, 0x01} // field 127, a varint
	withUnknown := func(m interface{ UnmarshalVT([]byte) error }) {
		if err := m.UnmarshalVT(unknown); err != nil {
			t.Fatal(err)
		}
	}
	for name, spoil := range map[string]func(*recordpb.Record){
		"record":     func(r *recordpb.Record) { withUnknown(r) },
		"header":     func(r *recordpb.Record) { withUnknown(r.Headers[1]) },
		"backoff":    func(r *recordpb.Record) { withUnknown(r.Backoff) },
		"progress":   func(r *recordpb.Record) { withUnknown(r.Progress) },
		"attempt":    func(r *recordpb.Record) { withUnknown(r.History[0]) },
		"last lease": func(r *recordpb.Record) { withUnknown(r.LastLease) },
		"hash":       func(r *recordpb.Record) { r.Hash = r.Hash[:3] },
		"session":    func(r *recordpb.Record) { r.Session = r.Session[:3] },
		"parents":    func(r *recordpb.Record) { r.Dependencies = r.Dependencies[:17] },
		"priority":   func(r *recordpb.Record) { r.Priority = 256 },
		"two places": func(r *recordpb.Record) { r.PayloadSize = 5000 },
	} {
		var r recordpb.Record
		encodeRecord(&r, fullTask())
		spoil(&r)
		b, err := r.MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeRecord(testID(1), task.InProgress, append([]byte{valueVersion}, b...)); !errors.Is(err, errCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	value := encodeValue(t, fullTask())
	value[0] = 2
	if _, err := decodeRecord(testID(1), task.InProgress, value); !errors.Is(err, errCorrupt) {
		t.Errorf("version 2: %v", err)
	}
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add(encodeValue(f, fullTask()))
	f.Add(encodeValue(f, newTask(1, nil)))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, value []byte) {
		x, err := decodeRecord(testID(1), task.Pending, value)
		if err != nil {
			if !errors.Is(err, errCorrupt) {
				t.Fatal(err)
			}
			return
		}
		again, err := decodeRecord(testID(1), task.Pending, encodeValue(t, x))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(x, again); diff != "" {
			t.Fatal(diff)
		}
	})
}
