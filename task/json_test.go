package task

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func fullTask() *Task {
	at := time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC)
	return &Task{
		ID: ID{0x01, 0x8f, 6: 0x70, 8: 0x80, 15: 1}, Type: "email", Queue: "mail", Payload: []byte("hello"), PayloadSize: 5,
		Priority: 200, CreatedAt: at, ScheduledAt: at.Add(time.Second), Status: InProgress, MaxRetries: 7, RetryCount: 2,
		MaxCrashes: 4, CrashCount: 1, TimeoutSeconds: 60, WorkerID: "w1", Session: SessionID{9}, LeaseID: 77,
		LeaseDuration: 300 * time.Millisecond, LeaseExpiresAt: at.Add(time.Minute), StartedAt: at.Add(2 * time.Second),
		Attempt: 3,
		Result:  []byte{0, 255}, ResultSize: 2, Error: "no", Reason: Poison, Dependencies: []ID{{1}, {2}}, WaitingFor: 1,
		OnDependencyFailure: PolicyBlock, Headers: []Header{{"trace", "1"}}, UniqueKey: "u", UniqueScope: UniqueTTL,
		UniqueUntil: at.Add(time.Hour), UniqueHeld: true, ReplacedBy: ID{3}, ExpiresAt: at.Add(time.Hour),
		Retention: 1100 * time.Millisecond, DeleteAt: at.Add(2 * time.Hour), Backoff: Backoff{Initial: time.Second, JitterPercent: 3},
		Progress: Progress{Percent: 40, Message: "half", Cursor: []byte("c")},
		History: []Attempt{{Number: 1, WorkerID: "w0", StartedAt: at, EndedAt: at.Add(time.Second), Outcome: Failure,
			Error: "no"}},
		CancelRequested: true, UpdatedAt: at.Add(3 * time.Second),
	}
}

func TestTaskJSONRoundTrip(t *testing.T) {
	for name, want := range map[string]*Task{"full": fullTask(), "zero": {Status: Pending}} {
		raw, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Task
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, &got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestTaskJSONNames: the sixteen field names of the seed stand in every task, in this order, even when empty except for
// the payload, which is left out when it was not asked for.
func TestTaskJSONNames(t *testing.T) {
	seed := []string{"id", "task_type", "payload", "priority", "created_at", "scheduled_at", "status", "max_retries",
		"retry_count",
		"timeout_seconds", "worker_id", "lease_expires_at", "result", "error", "dependencies", "updated_at"}
	if got := names(t, fullTask()); !slices.Equal(got[:len(seed)], seed) {
		t.Errorf("full task: %v", got)
	}
	bare := slices.DeleteFunc(slices.Clone(seed), func(n string) bool { return n == "payload" })
	if got := names(t, &Task{Status: Pending}); !slices.Equal(got[:len(bare)], bare) {
		t.Errorf("bare task: %v", got)
	}
}

// names returns the top-level names of a task's JSON in their order.
func names(t *testing.T, v *Task) (out []string) {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for name := range fields {
		at[name] = slices.Index(splitNames(raw), name)
		out = append(out, name)
	}
	slices.SortFunc(out, func(a, b string) int { return at[a] - at[b] })
	return out
}

// splitNames lists every string that a decoder meets at depth one.
func splitNames(raw []byte) (out []string) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	depth := 0
	for {
		token, err := dec.Token()
		if err != nil {
			return out
		}
		switch v := token.(type) {
		case json.Delim:
			if v == '{' || v == '[' {
				depth++
			} else {
				depth--
			}
		case string:
			if depth == 1 {
				out = append(out, v)
			}
		}
	}
}

func TestTaskJSONValues(t *testing.T) {
	raw, err := json.Marshal(fullTask())
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"id": "018f0000-0000-7000-8000-000000000001", "task_type": "email", "payload": "aGVsbG8=", "priority": 200.0,
		"created_at": "2026-03-04T05:06:07.000008Z", "status": "in_progress", "phase": "in_progress", "worker_id": "w1",
		"lease_seconds": 0.3, "retention_seconds": 1.1, "on_dependency_failure": "block", "reason": "poison",
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	raw, _ = json.Marshal(&Task{Status: Pending, StartedAt: time.Time{}.UTC()})
	clear(got)
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"worker_id", "lease_expires_at", "result", "error"} {
		if v, there := got[name]; v != nil || !there {
			t.Errorf("%s of a bare task is %v, want null", name, v)
		}
	}
	for _, name := range []string{"payload", "started_at", "session", "backoff", "progress", "history"} {
		if v, there := got[name]; there {
			t.Errorf("%s of a bare task is %v, want none", name, v)
		}
	}
}

func TestTaskJSONBad(t *testing.T) {
	for _, bad := range []string{
		`{`, `{"id":"x"}`, `{"status":"gone"}`, `{"priority":256}`, `{"lease_seconds":-1}`, `{"retention_seconds":1e99}`,
		`{"session":"00"}`, `{"on_dependency_failure":"wait"}`, `{"backoff":{"initial_seconds":-1}}`,
		`{"history":[{"outcome":"?"}]}`,
	} {
		if err := json.Unmarshal([]byte(bad), new(Task)); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

func TestTypicalJSONSize(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC)
	raw, err := json.Marshal(New(&Spec{ID: NewID(), Type: "send_email", Payload: make([]byte, 40)}, at, 1, [16]byte{1}))
	if err != nil || len(raw) > 600 {
		t.Errorf("a typical task is %d bytes of JSON, %v: %s", len(raw), err, raw)
	}
}
