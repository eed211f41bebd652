package task

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDelay(t *testing.T) {
	even := 0.5 // the middle of the jitter
	for _, tt := range []struct {
		name    string
		b       Backoff
		attempt uint32
		random  float64
		want    time.Duration
	}{
		{"default, first", Backoff{}, 1, even, time.Second},
		{"default, third", Backoff{}, 3, even, 4 * time.Second},
		{"default, at its longest", Backoff{}, 100, even, 10 * time.Minute},
		{"default, least jitter", Backoff{}, 1, 0, 900 * time.Millisecond},
		{"attempt 0 counts as the first", Backoff{}, 0, even, time.Second},
		{"only initial set", Backoff{Initial: time.Minute}, 2, even, 2 * time.Minute},
		{"initial above the default longest", Backoff{Initial: time.Hour}, 5, even, time.Hour},
		{"initial above max", Backoff{Initial: time.Hour, Max: time.Second}, 1, even, time.Second},
		{"constant", Backoff{Initial: time.Second, FactorPercent: 100}, 1 << 31, even, time.Second},
		{"triple", Backoff{Initial: time.Second, FactorPercent: 300, Max: time.Hour}, 4, even, 27 * time.Second},
		{"jitter never passes max", Backoff{Initial: time.Second, Max: time.Second, JitterPercent: 100}, 1, 0.999,
			time.Second},
		{"full jitter, least", Backoff{Initial: time.Second, JitterPercent: 100}, 1, 0, 0},
		{"max that no float holds", Backoff{Initial: MaxDelay, Max: 72567767433219 * time.Microsecond}, 1, even,
			72567767433219 * time.Microsecond},
		{"steep growth does not overflow", Backoff{Initial: MaxDelay / 2, FactorPercent: 10000, Max: MaxDelay}, 2, even,
			MaxDelay},
	} {
		if got := tt.b.Delay(tt.attempt, tt.random); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestDelayRange: a valid backoff never waits a negative time nor longer than its Max.
func TestDelayRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBackoff(t)
		if err := b.Validate(); err != nil {
			t.Fatal(err)
		}
		longest := b.Max
		if longest == 0 {
			longest = max(DefaultBackoff.Max, b.Initial)
		}
		d := b.Delay(rapid.Uint32().Draw(t, "attempt"), rapid.Float64Range(0, 0.9999999).Draw(t, "random"))
		if d < 0 || d > longest {
			t.Fatalf("%+v waits %s", b, d)
		}
	})
}

func drawBackoff(t *rapid.T) Backoff {
	micros := func(name string) time.Duration {
		return time.Duration(rapid.Int64Range(0, MaxDelay.Microseconds()).Draw(t, name)) * time.Microsecond
	}
	b := Backoff{Initial: micros("initial"), Max: micros("max"), JitterPercent: rapid.Uint32Range(0, 100).Draw(t,
		"jitter")}
	if rapid.Bool().Draw(t, "factor set") {
		b.FactorPercent = rapid.Uint32Range(100, 10000).Draw(t, "factor")
	}
	return b
}

func TestBackoffValidate(t *testing.T) {
	for _, bad := range []Backoff{
		{Initial: -1}, {Initial: MaxDelay + 1}, {Max: -1}, {Max: MaxDelay + 1}, {FactorPercent: 99}, {FactorPercent: 10001},
		{JitterPercent: 101},
	} {
		if err := bad.Validate(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	for _, good := range []Backoff{{}, DefaultBackoff, {Initial: MaxDelay, Max: MaxDelay, FactorPercent: 10000,
		JitterPercent: 100}} {
		if err := good.Validate(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
}

func TestBackoffJSON(t *testing.T) {
	raw, err := json.Marshal(Backoff{Initial: 1500 * time.Millisecond, FactorPercent: 300, Max: time.Hour,
		JitterPercent: 5})
	want := `{"initial_seconds":1.5,"factor_percent":300,"max_seconds":3600,"jitter_percent":5}`
	if string(raw) != want || err != nil {
		t.Errorf("got %s, %v", raw, err)
	}
	if raw, _ = json.Marshal(Backoff{}); string(raw) != "{}" {
		t.Errorf("zero backoff is %s", raw)
	}
	for _, bad := range []string{`{"initial_seconds":-1}`, `{"max_seconds":1e300}`, `{"max_seconds":"1s"}`,
		`{"jitter_percent":-1}`, `[]`} {
		if err := json.Unmarshal([]byte(bad), new(Backoff)); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		b := drawBackoff(t)
		raw, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		var back Backoff
		if err := json.Unmarshal(raw, &back); err != nil || back != b {
			t.Fatalf("%+v became %s became %+v, %v", b, raw, back, err)
		}
	})
}
