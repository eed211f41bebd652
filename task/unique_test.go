package task

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestUniqueAndExpiryAreValidated(t *testing.T) {
	keyed := func(scope UniqueScope, ttl time.Duration, policy ConflictPolicy) Spec {
		return Spec{UniqueKey: "k", UniqueScope: scope, UniqueTTL: ttl, OnConflict: policy}
	}
	late := time.Unix(1, 0)
	for name, tt := range map[string]struct {
		spec Spec
		err  error
		says string
	}{
		"key":                   {keyed(0, 0, 0), nil, ""},
		"1 MiB":                 {Spec{UniqueKey: strings.Repeat("k", 1<<20)}, ErrTooLarge, "unique_key has 1048576 bytes"},
		"scope without key":     {Spec{UniqueScope: UniquePending}, ErrInvalid, "unique_key is empty"},
		"ttl without key":       {Spec{UniqueTTL: time.Second}, ErrInvalid, "unique_key is empty"},
		"policy without key":    {Spec{OnConflict: ConflictReject}, ErrInvalid, "unique_key is empty"},
		"unknown scope":         {keyed(4, 0, 0), ErrInvalid, "unique_scope 4"},
		"unknown policy":        {keyed(0, 0, 4), ErrInvalid, "on_conflict 4"},
		"ttl without time":      {keyed(UniqueTTL, 0, 0), ErrInvalid, "needs a unique_ttl"},
		"ttl of a nanosecond":   {keyed(UniqueTTL, 1, 0), ErrInvalid, "needs a unique_ttl"},
		"negative ttl":          {keyed(UniqueTTL, -1, 0), ErrInvalid, "unique_ttl -1ns"},
		"longest ttl":           {keyed(UniqueTTL, MaxDelay, 0), nil, ""},
		"ttl too long":          {keyed(UniqueTTL, MaxDelay+1, 0), ErrInvalid, "unique_ttl"},
		"ttl of another scope":  {keyed(UniquePending, time.Second, 0), ErrInvalid, "with unique_scope ttl only"},
		"replace":               {keyed(0, 0, ConflictReplace), nil, ""},
		"replace and parents":   {Spec{UniqueKey: "k", OnConflict: ConflictReplace, Dependencies: []ID{{1}}}, ErrInvalid, "dependencies"},
		"reject and parents":    {Spec{UniqueKey: "k", OnConflict: ConflictReject, Dependencies: []ID{{1}}}, nil, ""},
		"debounce without time": {keyed(0, 0, ConflictDebounce), ErrInvalid, "needs a delay"},
		"debounce":              {Spec{UniqueKey: "k", OnConflict: ConflictDebounce, Delay: 1}, nil, ""},
		"debounce at a time":    {Spec{UniqueKey: "k", OnConflict: ConflictDebounce, ScheduledAt: late}, nil, ""},
		"negative expiry":       {Spec{ExpiresIn: -1}, ErrInvalid, "expires_in"},
		"longest expiry":        {Spec{ExpiresIn: MaxDelay}, nil, ""},
		"expiry too long":       {Spec{ExpiresIn: MaxDelay + 1}, ErrInvalid, "expires_in"},
		"both expiries":         {Spec{ExpiresIn: 1, ExpiresAt: late}, ErrInvalid, "exclude each other"},
		"expiry in the delay":   {Spec{ExpiresIn: 1, Delay: 1}, ErrInvalid, "not after the delay"},
		"expiry too early":      {Spec{ExpiresAt: late, ScheduledAt: late}, ErrInvalid, "not after scheduled_at"},
	} {
		tt.spec.ID, tt.spec.Type = NewID(), "t"
		err := tt.spec.Validate()
		if !errors.Is(err, tt.err) || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, want %v that says %q", name, err, tt.err, tt.says)
		}
	}
}

func TestUniqueNames(t *testing.T) {
	for scope := UniqueScope(0); scope <= UniqueTTL; scope++ {
		if got, err := ParseUniqueScope(scope.String()); got != scope || err != nil {
			t.Errorf("scope %q: %v %v", scope, got, err)
		}
	}
	for policy := ConflictReturn; policy <= ConflictDebounce; policy++ {
		if got, err := ParseConflictPolicy(policy.String()); got != policy || err != nil {
			t.Errorf("policy %q: %v %v", policy, got, err)
		}
	}
	if got, err := ParseConflictPolicy(""); got != ConflictReturn || err != nil {
		t.Errorf("no policy: %v %v", got, err)
	}
	_, err := ParseUniqueScope("forever")
	if !errors.Is(err, ErrInvalid) || !strings.HasSuffix(err.Error(), "allowed are until_done, pending, ttl") {
		t.Error(err)
	}
	if _, err := ParseConflictPolicy("hope"); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if UniqueScope(9).String() != "scope(9)" || ConflictPolicy(9).String() != "policy(9)" {
		t.Error("names of unknown numbers")
	}
}

// TestForgetStart: an attempt that never reached its worker is not a start; one before it is, unless the task has taken
// other content since.
func TestForgetStart(t *testing.T) {
	at := time.Unix(100, 0)
	var x Task
	x.Start(at)
	if x.ForgetStart(); !x.StartedAt.IsZero() {
		t.Errorf("started %s", x.StartedAt)
	}
	x.Start(at)
	x.Start(at.Add(1))
	if x.ForgetStart(); !x.StartedAt.Equal(at) {
		t.Errorf("started %s", x.StartedAt)
	}
	x.TakeContent(&Task{}, true, at.Add(2))
	x.Start(at.Add(3))
	if x.ForgetStart(); !x.StartedAt.IsZero() {
		t.Errorf("replaced, yet started %s", x.StartedAt)
	}
}
