package cluster

import (
	"sync"
	"time"
)

// clock is leader time: it starts at the later of the wall clock and the last replicated time, goes on with this
// process's monotonic clock, and runs at half speed while it is ahead of the wall, so that a cluster once led by a fast
// clock comes back to the wall without ever going backwards.
type clock struct {
	now func() time.Time // with a monotonic reading

	mu      sync.Mutex
	last    time.Time // leader time at reading
	reading time.Time
}

func newClock(now func() time.Time, replicated time.Time) *clock {
	wall := now()
	c := &clock{now: now, reading: wall, last: wall.Round(0).UTC()}
	if replicated.After(c.last) {
		c.last = replicated
	}
	return c
}

// Now returns leader time, truncated to microseconds.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	passed := max(0, now.Sub(c.reading))
	next := c.last.Add(passed)
	if wall := c.reading.Round(0); c.last.After(wall) {
		next = later(c.last.Add(passed/2), wall.Add(passed)) // it may have met the wall on the way
	}
	c.last, c.reading = next.UTC(), now
	return c.last.Truncate(time.Microsecond)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
