package cluster

import (
	"testing"
	"time"
)

func TestClockNeverGoesBackAndReturnsToTheWall(t *testing.T) {
	wall := time.Now()
	c := newClock(func() time.Time { return wall }, wall.Add(10*time.Second).UTC())
	before := c.Now()
	if before.Before(wall.Add(9 * time.Second)) {
		t.Fatalf("clock starts at %s, behind the replicated time", before)
	}
	wall = wall.Add(4 * time.Second)
	if got := c.Now().Sub(before); got != 2*time.Second {
		t.Errorf("ahead of the wall it went %s in 4s, want half", got)
	}
	wall = wall.Add(60 * time.Second)
	now := c.Now()
	if behind := wall.Sub(now); behind < 0 || behind > time.Microsecond {
		t.Errorf("after it met the wall it is %s behind", behind)
	}
	wall = wall.Add(3 * time.Second)
	if got := c.Now().Sub(now); got != 3*time.Second {
		t.Errorf("back at the wall it went %s in 3s", got)
	}
}
