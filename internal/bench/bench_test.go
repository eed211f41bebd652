package bench

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/task"
)

func valid() Config {
	return Config{
		Addrs: []string{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"}, Queue: "q", Producers: 1, Workers: 1, Tasks: 1,
		PayloadSize: 200, Batch: 1, ClaimMax: 1, Types: 1, Limit: time.Second,
	}
}

func TestValidate(t *testing.T) {
	c := valid()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	c.PayloadSize, c.Batch, c.Queue, c.Limit = headerSize-1, task.MaxItems+1, "", 0
	err := c.Validate()
	for _, want := range []string{"--payload-size 15", "--batch 1001", "--limit", "queue is empty"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

func TestPayload(t *testing.T) {
	p := newPayloads(200)
	made := p.make(77)
	if n, ours := p.number(made); n != 77 || !ours || len(made) != 200 {
		t.Errorf("payload of task 77 reads %d, %t, with %d bytes", n, ours, len(made))
	}
	if _, ours := newPayloads(200).number(made); ours {
		t.Error("another run took the payload for its own")
	}
	if _, ours := p.number(made[:199]); ours {
		t.Error("a shortened payload was taken")
	}
}

// follow lets one task go through a tracker, as often as told.
func follow(t *tracker, number, claims, acks int) {
	got := &task.Task{ID: task.NewID(), Payload: t.payloads.make(number)}
	for range claims {
		t.claimed(got, t.now())
	}
	for i := range acks {
		t.reported(&task.Receipt{ID: got.ID, Duplicate: i > 0}, t.now())
	}
}

func TestTrackerNotices(t *testing.T) {
	tracker := newTracker(200, 3)
	follow(tracker, 0, 1, 1)
	follow(tracker, 1, 2, 1)
	select {
	case <-tracker.complete:
		t.Fatal("complete with two of three tasks")
	default:
	}
	tracker.claimed(&task.Task{Payload: []byte("of someone else")}, 1)
	tracker.claimed(&task.Task{Payload: tracker.payloads.make(3)}, 1)
	tracker.reported(&task.Receipt{Err: task.ErrStaleLease}, 1)
	follow(tracker, 2, 1, 2)
	<-tracker.complete
	r := Result{
		Again: tracker.again.Load(), Twice: tracker.twice.Load(), Refused: tracker.refused.Load(), Strange: tracker.strange.Load(),
	}
	if r.Again != 1 || r.Twice != 1 || r.Refused != 1 || r.Strange != 2 || len(r.Problems()) != 4 {
		t.Errorf("noticed %+v: %v", r, r.Problems())
	}
}

func TestDrainTrackerNoticesAgain(t *testing.T) {
	tracker := newDrainTracker(2)
	got := &task.Task{ID: task.NewID(), Payload: []byte("anything")}
	tracker.claimed(got, 1)
	tracker.claimed(got, 2)
	if tracker.again.Load() != 1 || tracker.strange.Load() != 0 {
		t.Errorf("again %d, strange %d", tracker.again.Load(), tracker.strange.Load())
	}
	<-newDrainTracker(0).complete
}

func TestProblemsOfAGoodResult(t *testing.T) {
	if p := (&Result{Tasks: 5}).Problems(); p != nil {
		t.Error(p)
	}
}

func TestPercentiles(t *testing.T) {
	a, b := newHistogram(), newHistogram()
	for i := range 1000 {
		part := a
		if i%2 == 0 {
			part = b
		}
		part.record(time.Duration(i+1) * time.Microsecond)
	}
	a.record(0)
	b.record(2 * time.Hour)
	p := merge([]*histogram{a, b})
	if p.Count != 1002 || p.P50 != 500 || p.P90 != 901 || p.P99 < 990 || p.P99 > 992 || p.Max < longest {
		t.Errorf("%+v", p)
	}
	if merge([]*histogram{newHistogram()}) != nil {
		t.Error("percentiles of nothing")
	}
}

func TestCrewSharesConnections(t *testing.T) {
	cfg := valid()
	c, err := newCrew(&cfg, 40)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	users := make([]int, len(c.clients))
	for i := range 40 {
		users[c.place(i)]++
	}
	if len(users) != 3 || slices.Min(users) < 13 || slices.Max(users) > 14 {
		t.Errorf("40 members share connections as %v", users)
	}
}

func TestNobodyAnswers(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := Run(ctx, Lifecycle, valid()); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
