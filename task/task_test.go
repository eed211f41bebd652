package task

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestNewID(t *testing.T) {
	before := time.Now().Add(-time.Millisecond)
	id := NewID()
	if err := id.Validate(); err != nil {
		t.Fatal(err)
	}
	if at := id.Time(); at.Before(before.Truncate(time.Millisecond)) || at.After(time.Now()) {
		t.Errorf("id of now says %s", at)
	}
	back, err := ParseID(id.String())
	if back != id || err != nil {
		t.Errorf("%s read back as %s, %v", id, back, err)
	}
	if other := NewID(); string(other[:]) <= string(id[:]) {
		t.Errorf("%s comes after %s but sorts before it", other, id)
	}
	if back, err = IDFromBytes(id[:]); back != id || err != nil {
		t.Errorf("from bytes: %s, %v", back, err)
	}
	if _, err = IDFromBytes(id[:15]); !errors.Is(err, ErrInvalid) {
		t.Errorf("15 bytes: %v", err)
	}
}

func TestIDTime(t *testing.T) {
	id, err := ParseID("01890a5d-ac96-774b-bcce-b302099a8057")
	if want := time.UnixMilli(0x01890a5dac96).UTC(); err != nil || !id.Time().Equal(want) {
		t.Errorf("%v, %v, want %v", id.Time(), err, want)
	}
	for _, bad := range []string{
		"", "01890a5dac96774bbcceb302099a8057", "{01890a5d-ac96-774b-bcce-b302099a8057}",
		"urn:uuid:01890a5d-ac96-774b-bcce-b302099a8057",
		"01890a5d-ac96-774b-bcce-b302099a805g", strings.Repeat("é", 4000),
	} {
		if _, err := ParseID(bad); !errors.Is(err, ErrInvalid) || len(err.Error()) > 400 || !utf8.ValidString(err.Error()) {
			t.Errorf("ParseID(%.40q): %v", bad, err)
		}
	}
}

func TestSessionID(t *testing.T) {
	s := NewSessionID()
	text, _ := s.MarshalText()
	var back SessionID
	if err := back.UnmarshalText(text); err != nil || back != s || s.IsZero() || NewSessionID() == s {
		t.Errorf("%s read back as %s, %v", s, back, err)
	}
	for _, bad := range []string{"", "00", strings.Repeat("0", 31), strings.Repeat("0", 34), strings.Repeat("g", 32)} {
		if err := back.UnmarshalText([]byte(bad)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestNew(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	plain := New(&Spec{ID: ID{1}, Type: "t"}, now, 9, [16]byte{8})
	want := &Task{
		ID: ID{1}, Type: "t", Queue: DefaultQueue, Priority: DefaultPriority, CreatedAt: now, ScheduledAt: now,
		UpdatedAt: now,
		Status:    Pending, MaxRetries: DefaultRetries, MaxCrashes: DefaultCrashes, Seq: 9, Hash: [16]byte{8},
	}
	if diff := cmp.Diff(want, plain); diff != "" {
		t.Error(diff)
	}
	s := fullSpec()
	full := New(s, now, 1, [16]byte{})
	if full.Priority != 7 || full.MaxRetries != 0 || full.MaxCrashes != 2 || full.Queue != "mail" ||
		full.WaitingFor != 3 || full.PayloadSize != 5 {
		t.Errorf("got %+v", full)
	}
	for name, tt := range map[string]struct {
		spec  Spec
		at    time.Time
		phase Phase
	}{
		"now":     {Spec{}, now, Ready},
		"delay":   {Spec{Delay: time.Second}, now.Add(time.Second), Scheduled},
		"later":   {Spec{ScheduledAt: now.Add(time.Hour)}, now.Add(time.Hour), Scheduled},
		"past":    {Spec{ScheduledAt: now.Add(-time.Hour)}, now, Ready},
		"blocked": {Spec{Delay: time.Second, Dependencies: []ID{{1}}}, now.Add(time.Second), Blocked},
	} {
		got := New(&tt.spec, now, 1, [16]byte{})
		if !got.ScheduledAt.Equal(tt.at) || got.Phase() != tt.phase || got.Claimable() != (tt.phase == Ready) {
			t.Errorf("%s: scheduled %s, phase %s, claimable %v", name, got.ScheduledAt, got.Phase(), got.Claimable())
		}
	}
	full.Status = DeadLetter
	if full.Phase() != "dead_letter" || full.Claimable() {
		t.Errorf("phase of a dead letter is %s", full.Phase())
	}
}

func TestEndAttempt(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	v := &Task{WorkerID: "w", StartedAt: now}
	for i := range MaxHistory + 5 {
		v.Attempt = uint32(i + 1)
		before := v.Clone()
		v.EndAttempt(Failure, strings.Repeat("é", maxHistoryError), now.Add(time.Second))
		if len(before.History) != min(i, MaxHistory) || (i > 0 && before.History[len(before.History)-1].Number != uint32(i)) {
			t.Fatalf("the clone made before attempt %d changed", i+1)
		}
	}
	if len(v.History) != MaxHistory || v.History[0].Number != 6 || v.History[MaxHistory-1].Number != MaxHistory+5 {
		t.Errorf("%d attempts, from %d", len(v.History), v.History[0].Number)
	}
	last := v.History[MaxHistory-1]
	if len(last.Error) > maxHistoryError || !utf8.ValidString(last.Error) || last.Outcome != Failure ||
		last.WorkerID != "w" {
		t.Errorf("last attempt: %+v", last)
	}
	v.EndAttempt(Failure, strings.Repeat("x", maxHistoryError-1)+"é", now)
	if text := v.History[MaxHistory-1].Error; !utf8.ValidString(text) || len(text) != maxHistoryError-1 {
		t.Errorf("a character is cut in two: %q", text[len(text)-3:])
	}
}

func TestQueueCountsAdd(t *testing.T) {
	c := QueueCounts{Queue: "q", Pending: 1}
	c.Add(&QueueCounts{Queue: "x", Type: "y", Pending: 1, Ready: 2, Scheduled: 3, Blocked: 4, InProgress: 5, Completed: 6,
		Failed: 7, DeadLetter: 8, Cancelled: 9})
	want := QueueCounts{Queue: "q", Pending: 2, Ready: 2, Scheduled: 3, Blocked: 4, InProgress: 5, Completed: 6,
		Failed: 7, DeadLetter: 8, Cancelled: 9}
	if c != want {
		t.Errorf("got %+v", c)
	}
}
