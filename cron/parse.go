package cron

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // for systems without zone data

	"github.com/haiku-queue/haiku/task"
)

// Times are the moments at which an expression fires, all of them on a whole second.
type Times struct {
	zone *time.Location

	every  time.Duration // with @every, which uses nothing but anchor besides
	anchor time.Time

	seconds, minutes, hours uint64 // bit n for the value n
	days, months, weekdays  uint64
}

// field is one of the places of an expression.
type field struct {
	name     string
	min, max int
	names    string // three letters for each value from min on
}

// fields in the order in which six of them stand; with five the first is missing and counts as 0.
var fields = [...]field{
	{"second", 0, 59, ""},
	{"minute", 0, 59, ""},
	{"hour", 0, 23, ""},
	{"day of month", 1, 31, ""},
	{"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
	{"day of week", 0, 7, "sunmontuewedthufrisat"},
}

var macros = [...]struct{ name, meaning string }{
	{"@yearly", "0 0 0 1 1 *"},
	{"@annually", "0 0 0 1 1 *"},
	{"@monthly", "0 0 0 1 * *"},
	{"@weekly", "0 0 0 * * 0"},
	{"@daily", "0 0 0 * * *"},
	{"@midnight", "0 0 0 * * *"},
	{"@hourly", "0 0 * * * *"},
}

const everyMacro = "@every"

// Parse reads an expression: five fields (minute, hour, day of month, month, day of week), six with the second before
// them, one of @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly, or "@every D" with D in whole
// seconds. zone is an IANA name, UTC if empty. @every fires at anchor, in whole seconds, and each D after it. The error
// wraps task.ErrInvalid and says what was wrong.
func Parse(expression, zone string, anchor time.Time) (*Times, error) {
	if len(expression) > task.MaxExpression {
		return nil, fmt.Errorf("%w: cron expression of %d bytes, at most %d are allowed", task.ErrInvalid, len(expression), task.MaxExpression)
	}
	t, err := parse(expression)
	if err != nil {
		return nil, fmt.Errorf("%w: cron expression %q: %w", task.ErrInvalid, task.ClipText(expression, 64), err)
	}
	t.anchor = anchor.UTC().Truncate(time.Second)
	if t.zone, err = location(zone); err != nil {
		return nil, err
	}
	return t, nil
}

// location looks up an IANA name. The machine's own zone is not among them: it differs from node to node.
func location(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" || len(name) > task.MaxName {
		return nil, fmt.Errorf("%w: time zone %q is not an IANA name such as Europe/Berlin", task.ErrInvalid, task.ClipText(name, 64))
	}
	return zone, nil
}

func parse(expression string) (*Times, error) {
	words := strings.Fields(expression)
	if len(words) > 0 && strings.HasPrefix(words[0], "@") {
		if strings.EqualFold(words[0], everyMacro) {
			return parseEvery(words[1:])
		}
		meaning := ""
		for _, m := range macros {
			if strings.EqualFold(m.name, words[0]) {
				meaning = m.meaning
			}
		}
		if meaning == "" || len(words) > 1 {
			return nil, fmt.Errorf("only @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly and @every D begin with @")
		}
		words = strings.Fields(meaning)
	}
	if len(words) == len(fields)-1 {
		words = append([]string{"0"}, words...)
	}
	if len(words) != len(fields) {
		return nil, fmt.Errorf("%d fields; it has 5 (minute, hour, day of month, month, day of week) or 6 (second first)", len(words))
	}
	var sets [len(fields)]uint64
	for i := range fields {
		var err error
		if sets[i], err = fields[i].parse(words[i]); err != nil {
			return nil, fmt.Errorf("%s %q: %w", fields[i].name, task.ClipText(words[i], 64), err)
		}
	}
	if sets[5]&(1<<7) != 0 { // both 0 and 7 are Sunday
		sets[5] = sets[5]&^(1<<7) | 1
	}
	t := &Times{seconds: sets[0], minutes: sets[1], hours: sets[2], days: sets[3], months: sets[4], weekdays: sets[5]}
	if _, ok := t.nextWall(0); !ok {
		return nil, fmt.Errorf("never fires: no month that it allows has such a day")
	}
	return t, nil
}

func parseEvery(words []string) (*Times, error) {
	if len(words) != 1 {
		return nil, fmt.Errorf("@every wants one duration such as 90s or 12h")
	}
	d, err := time.ParseDuration(words[0])
	if err != nil || d < time.Second || d > task.MaxDelay || d%time.Second != 0 {
		return nil, fmt.Errorf("@every %s is not a duration in whole seconds, from 1s to %s", task.ClipText(words[0], 64), task.MaxDelay)
	}
	return &Times{every: d}, nil
}

// parse reads a list of values, ranges and steps into the set of what it allows.
func (f *field) parse(word string) (set uint64, err error) {
	for item := range strings.SplitSeq(word, ",") {
		one, err := f.parseItem(item)
		if err != nil {
			return 0, err
		}
		set |= one
	}
	return set, nil
}

// parseItem reads "*", "N" or "N-M", each with "/STEP" or without; "N/STEP" goes on to the end.
func (f *field) parseItem(item string) (set uint64, err error) {
	span, stepText, hasStep := strings.Cut(item, "/")
	step := 1
	if hasStep {
		if step, err = number(stepText); err != nil {
			return 0, err
		}
		if step < 1 || step > f.max {
			return 0, fmt.Errorf("step %d is not within 1 and %d", step, f.max)
		}
	}
	from, to := f.min, f.max
	if f.max == 7 {
		to = 6
	}
	if span != "*" {
		first, last, isRange := strings.Cut(span, "-")
		if from, err = f.value(first); err != nil {
			return 0, err
		}
		switch {
		case isRange:
			if to, err = f.value(last); err != nil {
				return 0, err
			}
			if f.max == 7 && to == 0 { // until Sunday
				to = 7
			}
		case !hasStep:
			to = from
		}
		if to < from {
			return 0, fmt.Errorf("the range runs backwards")
		}
	}
	for v := from; v <= to; v += step {
		set |= 1 << v
	}
	return set, nil
}

// value reads one number or name.
func (f *field) value(text string) (int, error) {
	if len(text) == 3 {
		if at := strings.Index(f.names, strings.ToLower(text)); at >= 0 && at%3 == 0 {
			return f.min + at/3, nil
		}
	}
	v, err := number(text)
	if err != nil {
		return 0, err
	}
	if v < f.min || v > f.max {
		return 0, fmt.Errorf("%d is not within %d and %d", v, f.min, f.max)
	}
	return v, nil
}

// number reads digits alone; so few that they cannot overflow.
func number(text string) (int, error) {
	v, err := strconv.ParseUint(text, 10, 16)
	if err != nil || len(text) > 4 {
		return 0, fmt.Errorf("%q is none of *, a value, a range such as 1-5, each with a step such as /2 or without", task.ClipText(text, 16))
	}
	return int(v), nil
}

// all reports whether a set has every value of a field from min to max.
func all(set uint64, min, max int) bool {
	return bits.OnesCount64(set) == max-min+1
}
