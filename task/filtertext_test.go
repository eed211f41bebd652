package task

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseFilter(t *testing.T) {
	day := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	id := NewID()
	top := func(p Priority) *Priority { return &p }
	for text, want := range map[string]Filter{
		"":                                      {},
		"  \t ":                                 {},
		"queue:mail":                            {Queue: "mail"},
		`queue:mail  type:"send \"a\\"`:         {Queue: "mail", Type: `send "a\`},
		"type:a:b/c":                            {Type: "a:b/c"},
		"status:failed":                         {Status: Failed},
		"priority:200":                          {MinPriority: 200, MaxPriority: top(200)},
		"priority:100..199":                     {MinPriority: 100, MaxPriority: top(199)},
		"priority:200..":                        {MinPriority: 200},
		"priority:..99":                         {MaxPriority: top(99)},
		"priority:255":                          {MinPriority: 255},
		`error:"dial tcp: refused"`:             {ErrorContains: "dial tcp: refused"},
		"older-than:36h":                        {Idle: 36 * time.Hour},
		"older-than:2d":                         {Idle: 48 * time.Hour},
		"scheduled:2026-01-02..":                {ScheduledFrom: day},
		"type:a depends-on:" + id.String():      {Type: "a", DependsOn: id},
		"scheduled:..2026-01-02T01:00:00+01:00": {ScheduledTo: day},
	} {
		want.Limit = DefaultListLimit
		got, err := ParseFilter(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

func TestParseSelection(t *testing.T) {
	got, err := ParseSelection("status:failed,dead_letter queue:q error:x")
	want := Selection{Queue: "q", Statuses: []Status{Failed, DeadLetter}, ErrorContains: "x"}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

// TestParseFilterRefuses: what is wrong is named in the error.
func TestParseFilterRefuses(t *testing.T) {
	for text, says := range map[string]string{
		"mail":                              `"mail" is not key:value`,
		"queue:a mail":                      `"mail" is not key:value`,
		`"queue":a`:                         "is not key:value",
		"tag:x":                             `unknown key "tag"`,
		"queue:":                            "value is missing",
		`queue:""`:                          "value is missing",
		`queue:"a`:                          "closing quotation mark",
		`queue:"a"b`:                        "space is missing",
		`queue:"a\n"`:                       "backslash",
		"queue:a queue:b":                   "stands twice",
		"status:gone":                       "unknown status",
		"status:failed,":                    "unknown status",
		"status:failed,completed":           "one status",
		"priority:256":                      "priority:256",
		"priority:9..1":                     "begins after",
		"priority:..":                       "",
		"priority:a..b":                     "no number",
		"older-than:-1h":                    "no duration",
		"older-than:1w":                     "no duration",
		"older-than:d":                      "no duration",
		"scheduled:2026-01-02":              "no range",
		"scheduled:monday..":                "neither a moment",
		"depends-on:x":                      `"x"`,
		"scheduled:2026-01-03..2026-01-02":  "not before",
		"queue:" + strings.Repeat("x", 129): "128",
	} {
		_, err := ParseFilter(text)
		if says == "" {
			if err != nil {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
	if _, err := ParseSelection("scheduled:2026-01-02.."); !errors.Is(err, ErrInvalid) {
		t.Errorf("an operation selects by scheduled: %v", err)
	}
	if _, err := ParseSelection("depends-on:" + NewID().String()); !errors.Is(err, ErrInvalid) {
		t.Errorf("an operation selects by depends-on: %v", err)
	}
	if _, err := ParseFilter(strings.Repeat(" ", MaxFilterText+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too long a text: %v", err)
	}
}

func FuzzParseFilter(f *testing.F) {
	f.Add(`queue:mail type:"a b" status:failed priority:1..2 error:"x\"" older-than:2d scheduled:2026-01-02..`)
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := ParseFilter(text); err == nil {
			if err := got.Validate(); err != nil {
				t.Errorf("%q gives an invalid filter: %v", text, err)
			}
		}
	})
}
