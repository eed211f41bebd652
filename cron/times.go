package cron

import (
	"math/bits"
	"time"
)

const (
	// horizonDays is how far the next day is looked for: February 29 can be eight years away.
	horizonDays = 8*366 + 1
	// maxSegments bounds the changes of clocks that one search walks over: four a year in some zones.
	maxSegments = 64

	lastYear = 9999
)

// Next returns the first moment after the given one; false if there is none that can be told.
func (t *Times) Next(after time.Time) (time.Time, bool) {
	var at int64
	var ok bool
	switch {
	case t.every > 0:
		at, ok = t.nextEvery(after), true
	case all(t.hours, 0, 23):
		at, ok = t.nextElapsed(after)
	default:
		at, ok = t.nextOfDay(after)
	}
	next := time.Unix(at, 0).UTC()
	return next, ok && next.Year() <= lastYear
}

// Latest returns the last moment that is not after now. due has to be one of the moments, and not after now.
func (t *Times) Latest(due, now time.Time) time.Time {
	if t.every > 0 {
		return time.Unix(t.nextEvery(now), 0).UTC().Add(-t.every)
	}
	low, high := due.Unix(), now.Unix() // the last one is within
	for low < high {
		middle := low + (high-low)/2
		if next, ok := t.Next(time.Unix(middle, 0)); ok && !next.After(now) {
			low = next.Unix()
		} else {
			high = middle
		}
	}
	return time.Unix(low, 0).UTC()
}

func (t *Times) nextEvery(after time.Time) int64 {
	anchor, every := t.anchor.Unix(), int64(t.every/time.Second)
	passed := after.Unix() - anchor
	if passed < 0 {
		return anchor
	}
	return anchor + (passed/every+1)*every
}

// nextElapsed goes through the stretches of time between changes of clocks: in each, wall time runs as time does.
func (t *Times) nextElapsed(after time.Time) (int64, bool) {
	from := after.Unix() + 1
	for range maxSegments {
		offset, _, end := t.segment(from)
		wall, ok := t.nextWall(from + offset)
		if !ok {
			return 0, false
		}
		if at := wall - offset; at < end {
			return at, true
		}
		from = end
	}
	return 0, false
}

// nextOfDay goes through the wall times. Their moments never run backwards, and several may be the same.
func (t *Times) nextOfDay(after time.Time) (int64, bool) {
	offset, _, _ := t.segment(after.Unix())
	wall := after.Unix() + offset
	for {
		next, ok := t.nextWall(wall)
		if !ok {
			return 0, false
		}
		if at := t.moment(next); at > after.Unix() {
			return at, true
		}
		wall = next + 1 // in the second of two hours with one name
	}
}

// moment returns the first moment with a wall time, or the first one after the gap in which it is missing.
func (t *Times) moment(wall int64) int64 {
	const before = 26 * 60 * 60 // no zone is that far ahead of UTC, so its wall time is earlier
	for from := wall - before; ; {
		offset, start, end := t.segment(from)
		if at := wall - offset; at < end {
			return max(at, start)
		}
		from = end
	}
}

// segment returns the offset from UTC at a moment, and from when until when it counts.
func (t *Times) segment(at int64) (offset, start, end int64) {
	const forever = 1 << 62
	local := time.Unix(at, 0).In(t.zone)
	_, seconds := local.Zone()
	from, to := local.ZoneBounds()
	start, end = -forever, forever
	if !from.IsZero() {
		start = from.Unix()
	}
	if !to.IsZero() {
		end = to.Unix()
	}
	if end <= at { // package time is a day off at the end of leap years from 2040 on
		end = at + 24*60*60
	}
	return int64(seconds), start, end
}

// nextWall returns the first wall time from the given one on that the expression allows. Wall times are counted in
// seconds as if there were no zones.
func (t *Times) nextWall(from int64) (int64, bool) {
	at := time.Unix(from, 0).UTC()
	year, month, day := at.Date()
	date := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	ofDay := int(from - date.Unix())
	for limit := date.AddDate(0, 0, horizonDays); date.Before(limit); ofDay = 0 {
		if t.months&(1<<date.Month()) == 0 {
			date = time.Date(date.Year(), date.Month()+1, 1, 0, 0, 0, 0, time.UTC)
			continue
		}
		if t.allowsDay(date) {
			if s, ok := t.nextOfTheDay(ofDay); ok {
				return date.Unix() + int64(s), true
			}
		}
		date = date.AddDate(0, 0, 1)
	}
	return 0, false
}

// allowsDay reports whether the expression fires on a day. If both its day of month and its day of week say less than
// every day, one of them is enough.
func (t *Times) allowsDay(date time.Time) bool {
	ofMonth, ofWeek := t.days&(1<<date.Day()) != 0, t.weekdays&(1<<date.Weekday()) != 0
	if all(t.days, 1, 31) || all(t.weekdays, 0, 6) {
		return ofMonth && ofWeek
	}
	return ofMonth || ofWeek
}

// nextOfTheDay returns the first second of a day from the given one on.
func (t *Times) nextOfTheDay(from int) (int, bool) {
	hour, minute, second := from/3600, from/60%60, from%60
	for ; ; minute, second = 0, 0 {
		h, ok := nextBit(t.hours, hour)
		if !ok {
			return 0, false
		}
		if h > hour {
			minute, second = 0, 0
		}
		if m, s, ok := t.nextOfTheHour(minute, second); ok {
			return h*3600 + m*60 + s, true
		}
		hour = h + 1
	}
}

func (t *Times) nextOfTheHour(minute, second int) (m, s int, ok bool) {
	for ; ; second = 0 {
		if m, ok = nextBit(t.minutes, minute); !ok {
			return 0, 0, false
		}
		if m > minute {
			second = 0
		}
		if s, ok = nextBit(t.seconds, second); ok {
			return m, s, true
		}
		minute = m + 1
	}
}

// nextBit returns the first value of a set from the given one on.
func nextBit(set uint64, from int) (int, bool) {
	if set >>= from; set == 0 {
		return 0, false
	}
	return from + bits.TrailingZeros64(set), true
}
