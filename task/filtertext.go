package task

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// MaxFilterText bounds a filter's text, in bytes.
const MaxFilterText = 4 << 10

// filterWords lists what the words of a filter's text may begin with, for errors.
const filterWords = "queue:, type:, status:, priority:, error:, older-than:, scheduled:, depends-on:"

// ParseFilter reads the text form of a filter for a list: words `key:value` with spaces between, which all have to hold.
//
//	queue:mail             its queue
//	type:send_email        its type
//	status:failed          its status
//	priority:200           its priority; 100..199, 200.. and ..99 are ranges with both ends in them
//	error:refused          its error contains this text
//	older-than:36h         it has not changed for that long; 2d is 48h
//	scheduled:A..B         scheduled from A on and before B: moments in RFC 3339 or dates in UTC; each may be left out
//	depends-on:ID          it depends on this task
//
// A value with spaces stands in quotation marks, where \" and \\ stand for " and \. Empty text selects all. The error wraps ErrInvalid or ErrTooLarge and says which word is wrong.
func ParseFilter(text string) (Filter, error) {
	w, err := readFilter(text)
	if err != nil {
		return Filter{}, err
	}
	if len(w.Statuses) > 1 {
		return Filter{}, fmt.Errorf("%w: filter: a list takes one status, got %d", ErrInvalid, len(w.Statuses))
	}
	f := Filter{
		Queue: w.Queue, Type: w.Type, MinPriority: w.MinPriority, MaxPriority: w.MaxPriority,
		ScheduledFrom: w.from, ScheduledTo: w.to, DependsOn: w.parent, Idle: w.Idle, ErrorContains: w.ErrorContains,
	}
	if len(w.Statuses) == 1 {
		f.Status = w.Statuses[0]
	}
	return f, f.Validate()
}

// ParseSelection reads the same text form for an operation: status may list several, as in status:failed,dead_letter;
// scheduled and depends-on are refused.
func ParseSelection(text string) (Selection, error) {
	w, err := readFilter(text)
	if err == nil && !(w.from.IsZero() && w.to.IsZero()) {
		err = fmt.Errorf("%w: filter: an operation does not select by scheduled:", ErrInvalid)
	}
	if err == nil && w.parent != (ID{}) {
		err = fmt.Errorf("%w: filter: an operation does not select by depends-on:", ErrInvalid)
	}
	return w.Selection, err
}

// words is what a filter's text says.
type words struct {
	Selection
	from, to time.Time
	parent   ID
}

func readFilter(text string) (w words, err error) {
	if len(text) > MaxFilterText {
		return w, fmt.Errorf("%w: filter has %d bytes, at most %d are allowed", ErrTooLarge, len(text), MaxFilterText)
	}
	seen := map[string]bool{}
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimSpace(rest) {
		end := strings.IndexAny(rest, ": \t\n\"")
		if end < 0 || rest[end] != ':' {
			word, _, _ := strings.Cut(rest, " ")
			return w, fmt.Errorf("%w: filter: %q is not key:value; keys are %s", ErrInvalid, clip(word), filterWords)
		}
		key := rest[:end]
		var value string
		if value, rest, err = filterValue(rest[end+1:]); err != nil {
			return w, fmt.Errorf("%w: filter: %s: %w", ErrInvalid, clip(key), err)
		}
		if seen[key] {
			return w, fmt.Errorf("%w: filter: %s: stands twice", ErrInvalid, clip(key))
		}
		seen[key] = true
		if err := w.set(key, value); err != nil {
			return w, fmt.Errorf("filter: %w", err)
		}
	}
	return w, nil
}

// filterValue takes the value that text begins with.
func filterValue(text string) (value, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		if end := strings.IndexAny(text, " \t\n"); end >= 0 {
			text, rest = text[:end], text[end:]
		}
		if text == "" {
			return "", "", fmt.Errorf("the value is missing")
		}
		return text, rest, nil
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			if i++; i == len(text) || text[i] != '"' && text[i] != '\\' {
				return "", "", fmt.Errorf(`after a backslash only " and \ may stand`)
			}
		case '"':
			if rest = text[i+1:]; rest != "" && !strings.ContainsAny(rest[:1], " \t\n") {
				return "", "", fmt.Errorf("a space is missing after the closing quotation mark")
			}
			if b.Len() == 0 {
				return "", "", fmt.Errorf("the value is missing")
			}
			return b.String(), rest, nil
		}
		b.WriteByte(text[i])
	}
	return "", "", fmt.Errorf("the closing quotation mark is missing")
}

// set takes one word.
func (w *words) set(key, value string) (err error) {
	switch key {
	case "queue":
		w.Queue = value
		return ValidateName("queue", value)
	case "type":
		w.Type = value
		return ValidateName("type", value)
	case "error":
		w.ErrorContains = value
		return validateErrorText(value)
	case "status":
		for name := range strings.SplitSeq(value, ",") {
			status, err := ParseStatus(name)
			if err != nil {
				return err
			}
			w.Statuses = append(w.Statuses, status)
		}
		return nil
	case "priority":
		return w.setPriority(value)
	case "older-than":
		d, err := parseAge(value)
		w.Idle = d
		return err
	case "scheduled":
		from, to, ranged := strings.Cut(value, "..")
		if !ranged {
			return fmt.Errorf("%w: scheduled:%s is no range such as 2026-01-02..2026-01-03", ErrInvalid, clip(value))
		}
		if w.from, err = parseMoment(from); err == nil {
			w.to, err = parseMoment(to)
		}
		return err
	case "depends-on":
		w.parent, err = ParseID(value)
		return err
	}
	return fmt.Errorf("%w: unknown key %q; keys are %s", ErrInvalid, clip(key), filterWords)
}

func (w *words) setPriority(value string) error {
	low, high, ranged := strings.Cut(value, "..")
	if !ranged {
		high = low
	}
	bounds := [2]Priority{0, 255}
	for i, text := range [2]string{low, high} {
		if text == "" && ranged {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 8)
		if err != nil {
			return fmt.Errorf("%w: priority:%s is no number from 0 to 255 and no range such as 100..199", ErrInvalid, clip(value))
		}
		bounds[i] = Priority(n)
	}
	if bounds[1] < bounds[0] {
		return fmt.Errorf("%w: priority:%s begins after its end", ErrInvalid, clip(value))
	}
	w.MinPriority = bounds[0]
	if bounds[1] < 255 {
		w.MaxPriority = &bounds[1]
	}
	return nil
}

// parseAge reads a duration above 0; 2d is 48h.
func parseAge(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%w: older-than:%s is no duration such as 36h, 90m or 2d", ErrInvalid, clip(text))
	}
	return d, nil
}

// parseMoment reads a moment in RFC 3339 or a date; empty is none.
func parseMoment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range [2]string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%w: scheduled: %q is neither a moment such as 2026-01-02T15:04:05Z nor a date", ErrInvalid, clip(text))
}
