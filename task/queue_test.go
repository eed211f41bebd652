package task

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func ptr[T any](v T) *T { return &v }

func TestQueueChangeValidate(t *testing.T) {
	rate := func(count uint32, per time.Duration, burst uint32) QueueChange {
		return QueueChange{Queue: "q", Rate: &Rate{count, per, burst}}
	}
	for name, c := range map[string]QueueChange{
		"no queue":              {Paused: ptr(true)},
		"bad type":              {Queue: "q", Type: "a\x00b", Paused: ptr(true)},
		"nothing":               {Queue: "q"},
		"reason of no pause":    {Queue: "q", Concurrency: ptr(uint32(1)), Reason: "r"},
		"reason of a resume":    {Queue: "q", Paused: ptr(false), Reason: "r"},
		"control character":     {Queue: "q", Paused: ptr(true), Reason: "a\nb"},
		"not UTF-8":             {Queue: "q", Paused: ptr(true), Reason: "\xff"},
		"concurrency":           {Queue: "q", Concurrency: ptr(uint32(MaxConcurrency + 1))},
		"depth":                 {Queue: "q", Depth: ptr(uint64(MaxDepth + 1))},
		"bytes":                 {Queue: "q", Bytes: ptr(uint64(MaxQueueBytes + 1))},
		"aging of a type":       {Queue: "q", Type: "t", Aging: ptr(time.Minute)},
		"aging too short":       {Queue: "q", Aging: ptr(time.Millisecond)},
		"aging too long":        {Queue: "q", Aging: ptr(MaxAging + time.Second)},
		"aging negative":        {Queue: "q", Aging: ptr(-time.Second)},
		"aging in half seconds": {Queue: "q", Aging: ptr(1500 * time.Millisecond)},
		"rate of nothing":       rate(0, time.Second, 1),
		"rate too high":         rate(MaxRateCount+1, time.Second, 1),
		"rate per nothing":      rate(1, 0, 1),
		"rate per less":         rate(1, -time.Second, 1),
		"rate per too long":     rate(1, MaxRatePer+time.Second, 1),
		"rate in nanoseconds":   rate(1, time.Second+1, 1),
		"no burst":              rate(1, time.Second, 0),
		"burst too high":        rate(1, time.Second, MaxRateCount+1),
	} {
		if err := c.Validate(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	long := QueueChange{Queue: "q", Paused: ptr(true), Reason: strings.Repeat("r", MaxReason+1)}
	if err := long.Validate(); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	for name, c := range map[string]QueueChange{
		"pause": {Queue: "q", Type: "t", Paused: ptr(true), Reason: "deploy"}, "resume": {Queue: "q", Paused: ptr(false)},
		"no limits": {Queue: "q", Type: "t", Concurrency: ptr(uint32(0)), Depth: ptr(uint64(0)), Bytes: ptr(uint64(0)), Rate: &Rate{}, Aging: ptr(time.Duration(0))},
		"largest":   {Queue: "q", Concurrency: ptr(uint32(MaxConcurrency)), Depth: ptr(uint64(MaxDepth)), Bytes: ptr(uint64(MaxQueueBytes)), Aging: ptr(MaxAging)},
		"rate":      rate(MaxRateCount, MinRatePer, MaxRateCount),
	} {
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestQueueChangeApply(t *testing.T) {
	s := QueueSettings{Queue: "q", Type: "t"}
	c := QueueChange{Queue: "q", Type: "t", Paused: ptr(true), Reason: "r", Depth: ptr(uint64(5))}
	c.Apply(&s)
	if want := (QueueSettings{Queue: "q", Type: "t", Paused: true, Reason: "r", Depth: 5}); s != want || s.IsUnset() {
		t.Errorf("%+v", s)
	}
	c = QueueChange{Concurrency: ptr(uint32(2))}
	c.Apply(&s)
	if !s.Paused || s.Reason != "r" || s.Concurrency != 2 {
		t.Errorf("%+v", s)
	}
	c = QueueChange{Paused: ptr(false), Depth: ptr(uint64(0)), Concurrency: ptr(uint32(0))}
	c.Apply(&s)
	if !s.IsUnset() {
		t.Errorf("%+v", s)
	}
}
