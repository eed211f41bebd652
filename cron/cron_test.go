package cron

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/task"
)

var anchor = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func moment(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestNext: the fires that follow a moment, around the changes of clocks and over the ends of months and years.
func TestNext(t *testing.T) {
	for _, tt := range []struct {
		name, expression, zone, after string
		want                          []string
	}{
		{"every minute", "* * * * *", "", "2026-02-28T23:58:30Z",
			[]string{"2026-02-28T23:59:00Z", "2026-03-01T00:00:00Z", "2026-03-01T00:01:00Z"}},
		{"seconds", "*/20 59 23 31 12 *", "", "2026-12-31T23:59:20Z", []string{"2026-12-31T23:59:40Z", "2027-12-31T23:59:00Z"}},
		{"a moment itself is not after it", "0 12 * * *", "", "2026-05-01T12:00:00Z", []string{"2026-05-02T12:00:00Z"}},
		{"lists, ranges, steps", "0 8-10,20/2 * * *", "", "2026-05-01T08:30:00Z",
			[]string{"2026-05-01T09:00:00Z", "2026-05-01T10:00:00Z", "2026-05-01T20:00:00Z", "2026-05-01T22:00:00Z", "2026-05-02T08:00:00Z"}},
		{"names", "0 0 * feb-MAR Mon", "", "2026-02-20T00:00:00Z", []string{"2026-02-23T00:00:00Z", "2026-03-02T00:00:00Z"}},
		{"until Sunday", "0 0 * * fri-sun", "", "2026-02-20T00:00:00Z", []string{"2026-02-21T00:00:00Z", "2026-02-22T00:00:00Z", "2026-02-27T00:00:00Z"}},
		{"7 is Sunday", "0 0 * * 7", "", "2026-02-20T00:00:00Z", []string{"2026-02-22T00:00:00Z"}},
		{"either day", "0 0 13 * 5", "", "2026-02-10T00:00:00Z", []string{"2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z"}},
		{"leap years", "0 0 29 2 *", "", "2096-02-29T00:00:00Z", []string{"2104-02-29T00:00:00Z", "2108-02-29T00:00:00Z"}},
		{"@weekly", "@weekly", "", "2026-02-20T00:00:00Z", []string{"2026-02-22T00:00:00Z", "2026-03-01T00:00:00Z"}},
		{"@yearly in a zone", "@Yearly", "Asia/Tokyo", "2026-02-20T00:00:00Z", []string{"2026-12-31T15:00:00Z"}},
		{"@every from its anchor", "@every 36h", "", "2026-01-02T00:00:00Z", []string{"2026-01-02T12:00:00Z", "2026-01-04T00:00:00Z"}},
		{"@every begins at its anchor", "@every 36h", "", "2025-01-02T00:00:00Z", []string{"2026-01-01T00:00:00Z", "2026-01-02T12:00:00Z"}},

		// Berlin, 2026-03-29: 02:00 CET is 03:00 CEST, at 01:00 UTC.
		{"left out in spring: the first moment after the gap", "30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
			[]string{"2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"}},
		{"several left out: once", "*/10 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
			[]string{"2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"}},
		{"left out and the hour after: once each", "0 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
			[]string{"2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z", "2026-03-30T01:00:00Z"}},
		{"every hour in spring", "30 * * * *", "Europe/Berlin", "2026-03-28T23:45:00Z",
			[]string{"2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"}},
		{"every two hours in spring", "0 */2 * * *", "Europe/Berlin", "2026-03-28T22:30:00Z",
			[]string{"2026-03-28T23:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"}},
		// Berlin, 2026-10-25: 03:00 CEST is 02:00 CET, at 01:00 UTC.
		{"twice in autumn: the first time", "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z",
			[]string{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
		{"asked in the second of two hours", "30,45 2 * * *", "Europe/Berlin", "2026-10-25T01:31:00Z", []string{"2026-10-26T01:30:00Z"}},
		{"many in the hour that comes twice", "*/30 1-3 * * *", "Europe/Berlin", "2026-10-24T23:00:00Z",
			[]string{"2026-10-24T23:30:00Z", "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z", "2026-10-25T02:30:00Z", "2026-10-26T00:00:00Z"}},
		{"every hour in autumn", "@hourly", "Europe/Berlin", "2026-10-24T23:30:00Z",
			[]string{"2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"}},
		// New York, 2026-03-08: 02:00 EST is 03:00 EDT, at 07:00 UTC. 2026-11-01: 02:00 EDT is 01:00 EST, at 06:00 UTC.
		{"New York, spring", "15 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", []string{"2026-03-08T07:00:00Z", "2026-03-09T06:15:00Z"}},
		{"New York, autumn", "15 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", []string{"2026-11-01T05:15:00Z", "2026-11-02T06:15:00Z"}},
		{"New York, midnight of the day", "@daily", "America/New_York", "2026-10-31T12:00:00Z", []string{"2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"}},
		{"New York, each minute", "* * * * *", "America/New_York", "2026-11-01T05:58:00Z",
			[]string{"2026-11-01T05:59:00Z", "2026-11-01T06:00:00Z", "2026-11-01T06:01:00Z"}},
		// Cairo, 2026-04-24 begins at 01:00. Lord Howe changes by half an hour. Samoa had no 2011-12-30.
		{"midnight is left out", "@daily", "Africa/Cairo", "2026-04-23T12:00:00Z", []string{"2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"}},
		{"half an hour", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", []string{"2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"}},
		{"the last day of a leap year in the far future", "0 3 * * *", "Europe/Berlin", "2040-12-29T12:00:00Z",
			[]string{"2040-12-30T02:00:00Z", "2040-12-31T02:00:00Z", "2041-01-01T02:00:00Z"}},
		{"a day is left out", "0 9 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z", []string{"2011-12-30T10:00:00Z", "2012-12-29T19:00:00Z"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			times, err := Parse(tt.expression, tt.zone, anchor)
			if err != nil {
				t.Fatal(err)
			}
			at := moment(t, tt.after)
			for i, want := range tt.want {
				next, ok := times.Next(at)
				if !ok || !next.Equal(moment(t, want)) {
					t.Fatalf("fire %d after %s is %s, %t; want %s", i, at, next, ok, want)
				}
				at = next
			}
		})
	}
}

// TestBadExpressions: each is refused, at once, with an error that says what was wrong.
func TestBadExpressions(t *testing.T) {
	for expression, says := range map[string]string{
		"":                                  "0 fields",
		"* * * *":                           "4 fields",
		"* * * * * * *":                     "7 fields",
		"60 * * * *":                        `minute "60": 60 is not within 0 and 59`,
		"* 24 * * *":                        "hour",
		"* * 0 * *":                         "day of month",
		"* * * 13 *":                        "month",
		"* * * * 8":                         "day of week",
		"* * * foo *":                       `"foo" is none of`,
		"5-1 * * * *":                       "runs backwards",
		"*/0 * * * *":                       "step 0",
		"*/90 * * * *":                      "step 90 is not within 1 and 59",
		"1-2-3 * * * *":                     "none of",
		"-1 * * * *":                        "none of",
		"1,,2 * * * *":                      "none of",
		"+1 * * * *":                        "none of",
		"0000000000000000000001 * * * *":    "none of",
		"* * L * *":                         "none of",
		"0 0 30 2 *":                        "never fires",
		"0 0 31 4,6,9,11 *":                 "never fires",
		"@fortnightly":                      "begin with @",
		"@daily 5":                          "begin with @",
		"@every":                            "one duration",
		"@every 0s":                         "whole seconds",
		"@every -5m":                        "whole seconds",
		"@every 1500ms":                     "whole seconds",
		"@every 1000000h":                   "whole seconds",
		"@every soon":                       "whole seconds",
		strings.Repeat("0,", 200) + "* * *": "405 bytes",
	} {
		_, err := Parse(expression, "", anchor)
		if !errors.Is(err, task.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want it to say %q", expression, err, says)
		}
	}
	for _, zone := range []string{"Local", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", strings.Repeat("a", 1000)} {
		if _, err := Parse("@daily", zone, anchor); !errors.Is(err, task.ErrInvalid) || len(err.Error()) > 200 {
			t.Errorf("zone %q: %v", zone, err)
		}
	}
}

// TestLatest: it is the one that walking finds.
func TestLatest(t *testing.T) {
	for _, expression := range []string{"* * 2 * * *", "*/7 * * * *", "0 3 * * 1", "@every 97s", "30 2 * 2 *"} {
		times, err := Parse(expression, "Europe/Berlin", anchor)
		if err != nil {
			t.Fatal(err)
		}
		due, _ := times.Next(moment(t, "2026-10-24T12:00:00Z"))
		at := due
		for range 500 {
			next, ok := times.Next(at)
			if !ok {
				break
			}
			for _, now := range []time.Time{at, at.Add(400 * time.Millisecond), next.Add(-time.Microsecond)} {
				if got := times.Latest(due, now); !got.Equal(at) {
					t.Fatalf("%s: the latest at %s is %s, want %s", expression, now, got, at)
				}
			}
			at = next
		}
	}
}

// TestAgainstEveryMinute: Next finds what a walk over each minute finds, by the rules that the package states.
func TestAgainstEveryMinute(t *testing.T) {
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "America/St_Johns"} {
		for _, expression := range []string{"* * * * *", "*/25 * * * *", "30 2 * * *", "*/20 0-3 * * *", "0 */2 * * *", "15 1,2 29,1 3,11 *", "0 0 * * *"} {
			times, err := Parse(expression, zone, anchor)
			if err != nil {
				t.Fatal(err)
			}
			for begin := moment(t, "2026-01-01T00:00:00Z"); begin.Year() < 2027; {
				_, changes := begin.In(times.zone).ZoneBounds()
				checkMinutes(t, times, expression, changes.Add(-30*time.Hour), changes.Add(30*time.Hour))
				begin = changes
			}
		}
	}
}

func checkMinutes(t *testing.T, times *Times, expression string, from, to time.Time) {
	t.Helper()
	expected := from
	for at := from.Add(time.Minute); at.Before(to); at = at.Add(time.Minute) {
		if !firesAt(times, at) {
			continue
		}
		if next, ok := times.Next(expected); !ok || !next.Equal(at) {
			t.Fatalf("%s in %s after %s: %s, want %s", expression, times.zone, expected, next, at)
		}
		expected = at
	}
}

// firesAt says by the wall clock alone whether a minute fires.
func firesAt(times *Times, at time.Time) bool {
	matches := func(wall time.Time) bool {
		next, ok := times.nextWall(wall.Unix())
		return ok && next == wall.Unix()
	}
	wallOf := func(at time.Time) time.Time {
		_, offset := at.In(times.zone).Zone()
		return at.UTC().Add(time.Duration(offset) * time.Second)
	}
	wall, before := wallOf(at), wallOf(at.Add(-time.Minute))
	if times.hours == 1<<24-1 {
		return matches(wall)
	}
	for earlier := at.Add(-time.Minute); earlier.After(at.Add(-4 * time.Hour)); earlier = earlier.Add(-time.Minute) {
		if wallOf(earlier).Equal(wall) {
			return false // it was fired the first time
		}
	}
	for skipped := before.Add(time.Minute); skipped.Before(wall); skipped = skipped.Add(time.Minute) {
		if matches(skipped) {
			return true
		}
	}
	return matches(wall)
}

// FuzzParse: whatever is read fires after the moment asked for, in order, and not without bound.
func FuzzParse(f *testing.F) {
	for _, expression := range []string{"* * * * *", "*/5 1-3,7 29 2 mon-fri", "0 0 2 * * *", "@every 90s", "@daily", "0 0 30 2 *", "59/59 23 31 12 7"} {
		f.Add(expression, "Europe/Berlin", int64(1_774_746_000))
	}
	f.Fuzz(func(t *testing.T, expression, zone string, at int64) {
		times, err := Parse(expression, zone, anchor)
		if err != nil {
			if !errors.Is(err, task.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		at %= 200_000_000_000
		after := time.Unix(at, 0).UTC()
		first, ok := times.Next(after)
		if !ok {
			return
		}
		if !first.After(after) {
			t.Fatalf("%q fires at %s after %s", expression, first, after)
		}
		if again, ok := times.Next(first.Add(-time.Second)); !ok || !again.Equal(first) {
			t.Fatalf("%q fires at %s, and just before that next at %s", expression, first, again)
		}
		if second, ok := times.Next(first); ok && !times.Latest(first, second.Add(-time.Second)).Equal(first) {
			t.Fatalf("%q: the latest before %s is not %s", expression, second, first)
		}
	})
}
