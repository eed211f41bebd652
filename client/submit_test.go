package client

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haiku-queue/haiku/internal/fakenode"
	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/internal/trace"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

func TestOptions(t *testing.T) {
	n := fakenode.Start(t)
	c := newClient(t, nil, n)
	id, parent, at := task.NewID(), task.NewID(), time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	priority, retries, crashes := task.Priority(9), uint32(0), uint32(2)
	want := task.Spec{
		ID: id, Type: "t", Queue: "q", Payload: []byte("p"), Priority: &priority, ScheduledAt: at, MaxRetries: &retries,
		MaxCrashes:     &crashes,
		TimeoutSeconds: 2, Dependencies: []task.ID{parent}, OnDependencyFailure: task.PolicyBlock,
		Headers: []task.Header{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}}, UniqueKey: "u",
		UniqueScope: task.UniqueTTL, UniqueTTL: time.Minute, OnConflict: task.ConflictReject, ExpiresAt: at.Add(time.Hour),
		Retention: time.Minute, Backoff: task.Backoff{Initial: time.Second},
	}
	done := later(func() error {
		_, err := c.Submit(within(t), "t", []byte("p"), ID(id), Queue("q"), Priority(9), At(at), MaxRetries(0), MaxCrashes(2),
			Timeout(1100*time.Millisecond), DependsOn(parent), OnDependencyFailure(task.PolicyBlock), Header("a", "1"),
			Header("b", "2"),
			UniqueFor("u", time.Minute, task.ConflictReject), ExpiresAt(at.Add(time.Hour)), Retention(time.Minute), Backoff(task.Backoff{Initial: time.Second}))
		return err
	})
	r := n.Next(wire.SubmitTask)
	if diff := cmp.Diff(want, r.Submitted()[0]); diff != "" {
		t.Error(diff)
	}
	r.Accept(false)
	mustBe(t, <-done, nil)
	done = later(func() error { _, err := c.Submit(within(t), "t", nil, Delay(time.Second)); return err })
	r = n.Next(wire.SubmitTask)
	s := r.Submitted()[0]
	if s.Delay != time.Second || s.ID.Validate() != nil || s.Priority != nil {
		t.Errorf("got %+v", s)
	}
	r.Accept(false)
	mustBe(t, <-done, nil)
	done = later(func() error {
		receipt, err := c.Submit(within(t), "t", nil, UniqueKey("u"), ExpiresIn(time.Second))
		if receipt.ID != parent || !receipt.Existing {
			t.Errorf("receipt %+v", receipt)
		}
		return err
	})
	r = n.Next(wire.SubmitTask)
	if s := r.Submitted()[0]; s.UniqueKey != "u" || s.UniqueScope != task.UniqueUntilDone || s.ExpiresIn != time.Second {
		t.Errorf("got %+v", s)
	}
	r.Ack(&wirepb.SubmitReply{Receipts: wire.ReceiptsToPB([]task.Receipt{{ID: parent, Existing: true}})})
	mustBe(t, <-done, nil)
	done = later(func() error {
		_, err := c.Submit(within(t), "t", nil, Unique("u", task.UniquePending, task.ConflictReplace))
		return err
	})
	r = n.Next(wire.SubmitTask)
	if s := r.Submitted()[0]; s.UniqueScope != task.UniquePending || s.OnConflict != task.ConflictReplace {
		t.Errorf("got %+v", s)
	}
	r.Ack(&wirepb.SubmitReply{Receipts: wire.ReceiptsToPB([]task.Receipt{{ID: parent, Err: task.ErrUniqueConflict}})})
	mustBe(t, <-done, task.ErrUniqueConflict)
	_, err := c.Submit(within(t), "t", nil, Unique("", task.UniquePending)) // is not sent
	mustBe(t, err, task.ErrInvalid)
	_, err = c.Submit(within(t), "t", nil, UniqueKey(strings.Repeat("k", 1<<20)))
	mustBe(t, err, task.ErrTooLarge)
	_, err = c.Submit(within(t), "t", nil, Delay(time.Second), At(at))
	mustBe(t, err, task.ErrInvalid)
	n.None(wire.SubmitTask)
}

// TestSubmitMany: any number of tasks, split by count and by bytes, in order, each with its own answer.
func TestSubmitMany(t *testing.T) {
	n := fakenode.Start(t)
	var mu sync.Mutex
	var frames []int
	n.Handle(wire.SubmitTask, func(r *fakenode.Request) (wire.Message, error) {
		mu.Lock()
		defer mu.Unlock()
		var m wirepb.SubmitRequest
		r.Read(&m)
		frames = append(frames, len(m.Tasks))
		reply := &wirepb.SubmitReply{}
		for _, p := range m.Tasks {
			receipt := task.Receipt{ID: task.ID(p.Id)}
			if p.Type == "twice" {
				receipt.Err = task.ErrConflict
			}
			reply.Receipts = append(reply.Receipts, wire.ReceiptToPB(&receipt))
		}
		if m.Atomic {
			t.Error("the tasks became all or none")
		}
		return reply, nil
	})
	c := newClient(t, nil, n)
	specs := make([]task.Spec, 2500)
	for i := range specs {
		specs[i].Type = "t"
	}
	specs[10].Type, specs[1200].Type = "", "twice"
	receipts, err := c.SubmitMany(within(t), specs)
	mustBe(t, err, nil)
	seen := map[task.ID]bool{}
	for i, r := range receipts {
		want := map[int]error{10: task.ErrInvalid, 1200: task.ErrConflict}[i]
		if !errors.Is(r.Err, want) || seen[r.ID] || r.ID.Validate() != nil {
			t.Errorf("receipt %d: %+v", i, r)
		}
		seen[r.ID] = true
	}
	if diff := cmp.Diff([]int{1000, 1000, 499}, frames); diff != "" {
		t.Error(diff)
	}
	if specs[0].ID != (task.ID{}) {
		t.Error("the caller's specs are changed")
	}
	frames = nil
	large := make([]task.Spec, 5)
	for i := range large {
		large[i] = task.Spec{Type: "t", Payload: make([]byte, maxChunk/2)}
	}
	large[4].Payload = make([]byte, task.MaxPayload)
	_, err = c.SubmitMany(within(t), large)
	mustBe(t, err, nil)
	if diff := cmp.Diff([]int{1, 1, 1, 1, 1}, frames); diff != "" {
		t.Error(diff)
	}
	if receipts, err = c.SubmitMany(within(t), nil); err != nil || len(receipts) != 0 {
		t.Errorf("nothing: %v, %v", receipts, err)
	}
}

// TestSubmitManyFails: what was not reached can be submitted again with the ids of the receipts.
func TestSubmitManyFails(t *testing.T) {
	n := fakenode.Start(t)
	c := newClient(t, nil, n)
	specs := make([]task.Spec, 2500)
	for i := range specs {
		specs[i].Type = "t"
	}
	var receipts []task.Receipt
	done := later(func() (err error) { receipts, err = c.SubmitMany(within(t), specs); return err })
	n.Next(wire.SubmitTask).Accept(false)
	n.Next(wire.SubmitTask).Nack(task.ErrNotAllowed, "")
	mustBe(t, <-done, task.ErrNotAllowed)
	for i, r := range receipts {
		if (r.Err != nil) != (i >= 1000) || r.ID == (task.ID{}) {
			t.Fatalf("receipt %d: %+v", i, r)
		}
	}
}

func TestChunkCountsParents(t *testing.T) {
	parents := make([]task.ID, 900)
	for i := range parents {
		parents[i] = task.ID{byte(i), byte(i >> 8)}
	}
	specs := make([]task.Spec, 30)
	for i := range specs {
		specs[i] = task.Spec{Type: "t", Dependencies: parents}
	}
	b := newBatch(specs, new(trace.Sending))
	if end := b.chunk(0); end != task.MaxBatchParents/900 {
		t.Errorf("%d tasks with 900 parents each in one frame", end)
	}
}

func TestSubmitAtomic(t *testing.T) {
	n := fakenode.Start(t)
	c := newClient(t, nil, n)
	ids := []task.ID{task.NewID(), task.NewID()}
	specs := []task.Spec{{ID: ids[0], Type: "t"}, {ID: ids[1], Type: "t", Dependencies: ids[:1]}}
	var receipts []task.Receipt
	submit := func() (err error) { receipts, err = c.SubmitAtomic(within(t), specs); return err }
	done := later(submit)
	r := n.Next(wire.SubmitTask)
	var m wirepb.SubmitRequest
	if r.Read(&m); !m.Atomic || len(m.Tasks) != 2 {
		t.Errorf("got %v", &m)
	}
	r.Accept(false)
	mustBe(t, <-done, nil)

	done = later(submit)
	n.Next(wire.SubmitTask).Ack(&wirepb.SubmitReply{Receipts: wire.ReceiptsToPB([]task.Receipt{
		{ID: ids[0], Err: task.ErrAborted}, {ID: ids[1], Err: task.ErrUnknownDependency},
	})})
	err := <-done
	mustBe(t, err, task.ErrAborted)
	mustBe(t, err, task.ErrUnknownDependency)
	mustBe(t, receipts[0].Err, task.ErrAborted)

	done = later(submit)
	n.Next(wire.SubmitTask).Nack(task.ErrTooLarge, "")
	mustBe(t, <-done, task.ErrTooLarge)
	mustBe(t, receipts[1].Err, task.ErrTooLarge)

	specs[1].Type = ""
	err = submit() // is not sent
	mustBe(t, err, task.ErrInvalid)
	mustBe(t, err, task.ErrAborted)
	mustBe(t, receipts[0].Err, task.ErrAborted)
	_, err = c.SubmitAtomic(within(t), make([]task.Spec, task.MaxItems+1))
	mustBe(t, err, task.ErrTooLarge)
	receipts, err = c.SubmitAtomic(within(t), nil)
	if err != nil || receipts != nil {
		t.Errorf("nothing: %v, %v", receipts, err)
	}
	n.None(wire.SubmitTask)
}
