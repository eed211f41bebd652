package task

import (
	"errors"
	"fmt"
	"testing"
)

// TestNext holds the whole table: every (status, event) pair that is not listed stays and is refused.
func TestNext(t *testing.T) {
	allowed := map[Status]map[Event]Status{
		Pending: {EventClaim: InProgress, EventBury: DeadLetter, EventCancel: Cancelled},
		InProgress: {EventComplete: Completed, EventFail: Failed, EventBury: DeadLetter, EventRelease: Pending,
			EventCancel: Cancelled},
		Completed:  {},
		Failed:     {EventBury: DeadLetter, EventDue: Pending, EventCancel: Cancelled, EventRetry: Pending},
		DeadLetter: {EventRetry: Pending},
		Cancelled:  {EventRetry: Pending},
		Status(0):  {},
		Status(7):  {},
	}
	events := append(Events[:], Event(0), Event(9), Event(255))
	for from, moves := range allowed {
		for _, e := range events {
			to, err := Next(from, e)
			want, ok := moves[e]
			if !ok {
				want = from
			}
			if to != want || (err == nil) != ok {
				t.Errorf("Next(%s, %d) = %s, %v; want %s, allowed %v", from, e, to, err, want, ok)
			}
			if err != nil && !errors.Is(err, ErrTransition) {
				t.Errorf("Next(%s, %d): %v is no ErrTransition", from, e, err)
			}
		}
	}
}

// TestStatusHelpers ties the helpers to the transitions.
func TestStatusHelpers(t *testing.T) {
	for _, tt := range []struct {
		s               Status
		name            string
		terminal, retry bool
	}{
		{Pending, "pending", false, false}, {InProgress, "in_progress", false, false}, {Completed, "completed", true, false},
		{Failed, "failed", false, true}, {DeadLetter, "dead_letter", true, true}, {Cancelled, "cancelled", true, true},
	} {
		if tt.s.String() != tt.name || tt.s.IsTerminal() != tt.terminal || tt.s.CanRetry() != tt.retry || !tt.s.Valid() {
			t.Errorf("%d: %s, terminal %v, can retry %v, valid %v", tt.s, tt.s, tt.s.IsTerminal(), tt.s.CanRetry(), tt.s.Valid())
		}
		if _, err := Next(tt.s, EventRetry); (err == nil) != tt.retry {
			t.Errorf("%s: CanRetry %v but Next says %v", tt.s, tt.retry, err)
		}
		for _, e := range Events {
			if to, err := Next(tt.s, e); err == nil && tt.terminal && e != EventRetry {
				t.Errorf("terminal %s moves to %s", tt.s, to)
			}
		}
		back, err := ParseStatus(tt.name)
		if back != tt.s || err != nil {
			t.Errorf("ParseStatus(%q) = %v, %v", tt.name, back, err)
		}
	}
	for _, bad := range []string{"", "Pending", "status(7)", "ready"} {
		if _, err := ParseStatus(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("ParseStatus(%q): %v", bad, err)
		}
	}
	if Status(0).Valid() || Status(7).Valid() || fmt.Sprint(Status(9)) != "status(9)" {
		t.Error("a status outside the list passes")
	}
}

func TestOutcomeNames(t *testing.T) {
	for k := range outcomeNames {
		var back OutcomeKind
		text, _ := k.MarshalText()
		if err := back.UnmarshalText(text); err != nil || back != k || !k.Valid() {
			t.Errorf("%s: read back as %s, %v", k, back, err)
		}
	}
	var k OutcomeKind
	if err := k.UnmarshalText([]byte("outcome(7)")); !errors.Is(err, ErrInvalid) || OutcomeKind(7).Valid() {
		t.Errorf("an unknown outcome passes: %v", err)
	}
}
