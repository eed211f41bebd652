package store

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haiku-queue/haiku/task"
)

var emailPair = []Pair{{task.DefaultQueue, "email"}}

// claimed is x as a worker holds it.
func claimed(x *task.Task, lease uint64) *task.Task {
	x = x.Clone()
	x.Status, x.LeaseID, x.UpdatedAt = task.InProgress, lease, base
	return x
}

// completed is x with a result.
func completed(x *task.Task, result []byte) *task.Task {
	x = x.Clone()
	x.Status, x.Result, x.ResultSize = task.Completed, result, uint32(len(result))
	return x
}

func TestBatchIsInvisibleUntilCommit(t *testing.T) {
	s := openTest(t)
	b := s.Begin()
	x := newTask(1, nil)
	b.Put(x)
	if got, err := b.Task(x.ID); got != x || err != nil {
		t.Fatalf("the batch does not see its own task: %v %v", got, err)
	}
	if got, err := s.Task(x.ID, true); got != nil || err != nil {
		t.Fatalf("the store sees it already: %v %v", got, err)
	}
	if s.HasReady([]string{"default"}, nil) || len(s.Stats().Queues) != 0 {
		t.Fatal("counters moved before the commit")
	}
	b.Discard()
	if got := s.Stats(); len(got.Queues) != 0 || len(s.d.pairs.byPair) != 0 {
		t.Fatalf("a discarded batch left %+v", got)
	}
	if _, err := b.Task(x.ID); err == nil {
		t.Fatal("a discarded batch still answers")
	}
	submit(t, s, x)
	if got, err := s.Task(x.ID, true); err != nil || cmp.Diff(x, got) != "" {
		t.Fatalf("%v %s", err, cmp.Diff(x, got))
	}
	if !s.HasReady([]string{"default"}, nil) || !s.HasReady([]string{"x", "default"}, []string{"sms", "email"}) ||
		s.HasReady([]string{"default"}, []string{"sms"}) || s.HasReady([]string{"x"}, nil) || s.HasReady(nil, nil) {
		t.Fatal("HasReady is wrong")
	}
}

func TestOneBatchAtATime(t *testing.T) {
	s := openTest(t)
	b := s.Begin()
	defer b.Discard()
	defer func() {
		if recover() == nil {
			t.Fatal("a second batch was opened")
		}
	}()
	s.Begin()
}

func TestCommitReportsNetClaimable(t *testing.T) {
	s := openTest(t)
	sms := newTask(3, func(s *task.Spec) { s.Type = "sms" })
	later := newTask(4, func(s *task.Spec) { s.Delay = time.Second })
	b := s.Begin()
	for _, x := range []*task.Task{newTask(1, nil), newTask(2, nil), sms, later} {
		b.Put(x)
	}
	b.Put(claimed(newTask(1, nil), b.NextSeq())) // in the same batch: nobody else can have it
	b.NextSeq()
	b.NextSeq()
	b.NextSeq()
	got := commit(t, s, b)
	want := []Claimable{{Pair{"default", "email"}, 1}, {Pair{"default", "sms"}, 1}}
	if !slices.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	b = s.Begin()
	b.Put(newTask(5, nil))
	b.NextSeq()
	b.Put(claimed(newTask(2, nil), 1))
	if got := commit(t, s, b); !slices.Equal(got, want[:1]) { // one more stands ready, though another was taken
		t.Fatalf("%v, want %v", got, want[:1])
	}
	mustCheck(t, s)
}

func TestRollback(t *testing.T) {
	s := openTest(t)
	old := newTask(1, nil)
	submit(t, s, old)
	b := s.Begin()
	b.SetTime(5)
	b.PutMeta("a", []byte("kept"))
	b.Put(newTask(2, func(s *task.Spec) { s.Dependencies = []task.ID{testID(1)} }))
	seq := b.NextSeq()
	outer := b.Savepoint()
	for range 2 { // a savepoint can be used again
		b.Put(claimed(old, b.NextSeq()))
		b.PutMeta("a", []byte("changed"))
		inner := b.Savepoint()
		b.DeleteMeta("a")
		b.SetTime(9)
		b.Put(completed(old, []byte("done")))
		b.Put(newTask(3, func(s *task.Spec) { s.Dependencies = []task.ID{testID(1)} }))
		b.Rollback(inner)
		if v, err := b.Meta("a"); string(v) != "changed" || err != nil || b.Time() != 5 {
			t.Fatalf("after the inner rollback: %q %v, time %d", v, err, b.Time())
		}
		if x, err := b.Task(old.ID); err != nil || x.Status != task.InProgress {
			t.Fatalf("after the inner rollback: %v %v", x, err)
		}
		if _, _, ok, err := b.FirstReady(emailPair); ok || err != nil {
			t.Fatal("the claimed task is ready")
		}
		b.Rollback(outer)
	}
	if v, err := b.Meta("a"); string(v) != "kept" || err != nil || b.Seq() != seq {
		t.Fatalf("after the outer rollback: %q %v, seq %d", v, err, b.Seq())
	}
	if id, _, ok, err := b.FirstReady(emailPair); !ok || id != old.ID || err != nil {
		t.Fatalf("after the outer rollback: first ready %v %v %v", id, ok, err)
	}
	if ids, err := b.Dependents(old.ID, task.ID{}, 9); err != nil || !slices.Equal(ids, []task.ID{testID(2)}) {
		t.Fatalf("dependents %v %v", ids, err)
	}
	commit(t, s, b)
	if got := s.Stats().Total; got.Ready != 1 || got.Blocked != 1 || got.InProgress+got.Completed != 0 {
		t.Fatalf("%+v", got)
	}
	mustCheck(t, s)
}

func TestBatchRefusesMistakes(t *testing.T) {
	large := func(n int) *task.Task {
		return newTask(n, func(s *task.Spec) { s.Payload = make([]byte, 5000) })
	}
	for name, do := range map[string]func(b *Batch){
		"payload missing":        func(b *Batch) { b.Put(withoutLarge(large(2))) },
		"inline payload missing": func(b *Batch) { x := newTask(2, nil); x.PayloadSize = 5; b.Put(x) },
		"size wrong":             func(b *Batch) { x := large(2); x.PayloadSize--; b.Put(x) },
		"result missing":         func(b *Batch) { x := completed(newTask(1, nil), nil); x.ResultSize = 5000; b.Put(x) },
		"moved to another type":  func(b *Batch) { x := newTask(1, nil); x.Type = "sms"; b.Put(x) },
		"reserved key":           func(b *Batch) { b.PutMeta("count/x", nil) },
		"local key":              func(b *Batch) { b.DeleteMeta("local/applied") },
	} {
		s := openTest(t)
		submit(t, s, newTask(1, nil))
		before := mustHash(t, s)
		b := s.Begin()
		do(b)
		if _, err := b.Commit(Applied{Index: 2}, [32]byte{9}); err == nil {
			t.Errorf("%s: committed", name)
		}
		if mustHash(t, s) != before || s.Applied().Index != 1 {
			t.Errorf("%s: something was written", name)
		}
		s.Begin().Discard()
	}
}

func TestMetaSurvivesAndIsVersioned(t *testing.T) {
	cfg := testConfig(t)
	s := mustOpen(t, cfg)
	b := s.Begin()
	b.PutMeta("work/1", []byte("w1"))
	b.PutMeta("work/2", nil)
	b.PutMeta("member", []byte("m"))
	b.SetTime(77)
	b.NextSeq()
	hash := [32]byte{4, 2}
	if _, err := b.Commit(Applied{Index: 3, Term: 2}, hash); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = mustOpen(t, cfg)
	b = s.Begin()
	defer b.Discard()
	if b.Time() != 77 || b.Seq() != 1 || b.LogHash() != hash {
		t.Fatalf("time %d, seq %d, log hash %x", b.Time(), b.Seq(), b.LogHash())
	}
	all, err := s.ScanMeta("work/")
	if err != nil || len(all) != 2 || all[0].Key != "work/1" || string(all[0].Value) != "w1" || len(all[1].Value) != 0 {
		t.Fatalf("%v %v", all, err)
	}
	if v, err := s.Meta("work/2"); v == nil || len(v) != 0 || err != nil {
		t.Fatalf("an empty value is not an absent one: %v %v", v, err)
	}
	if v, err := s.Meta("work/3"); v != nil || err != nil {
		t.Fatalf("%v %v", v, err)
	}
	raw, err := s.d.get(famMeta, []byte("work/1"))
	if err != nil || string(raw) != "\x01w1" {
		t.Fatalf("on disk %q %v", raw, err)
	}
}

func TestLargeBytesAreWrittenOnce(t *testing.T) {
	for _, cached := range []bool{true, false} {
		cfg := testConfig(t)
		if !cached {
			cfg.RecordCacheBytes = 0
		}
		s := mustOpen(t, cfg)
		payload, result := bytes.Repeat([]byte("p"), 100<<10), bytes.Repeat([]byte("r"), 50<<10)
		submit(t, s, newTask(1, func(s *task.Spec) { s.Payload = payload }))
		if n := len(s.d.writer.buf); n < len(payload) || n > len(payload)+1000 {
			t.Fatalf("the submit wrote %d bytes", n)
		}
		b := s.Begin()
		id, size, ok, err := b.FirstReady(emailPair)
		if err != nil || !ok || size != uint32(len(payload)) {
			t.Fatalf("%v %d %v %v", id, size, ok, err)
		}
		x, err := b.Task(id)
		if err != nil || x.Payload != nil || x.PayloadSize != uint32(len(payload)) {
			t.Fatalf("%v: payload %d of %d bytes", err, len(x.Payload), x.PayloadSize)
		}
		x = claimed(x, b.NextSeq())
		b.Put(x)
		commit(t, s, b)
		if n := len(s.d.writer.buf); n > 1000 {
			t.Fatalf("the claim wrote %d bytes", n)
		}
		if err := s.Fill(x); err != nil || !bytes.Equal(x.Payload, payload) {
			t.Fatalf("filled %d bytes, %v", len(x.Payload), err)
		}
		b = s.Begin()
		b.Put(completed(x, result)) // with the payload: it is in blobs already
		commit(t, s, b)
		if n := len(s.d.writer.buf); n > len(result)+1000 {
			t.Fatalf("the result wrote %d bytes", n)
		}
		got, err := s.Task(id, true)
		if err != nil || !bytes.Equal(got.Payload, payload) || !bytes.Equal(got.Result, result) {
			t.Fatalf("%v: %d and %d bytes", err, len(got.Payload), len(got.Result))
		}
		b = s.Begin()
		again := got.Clone()
		again.Status, again.Result, again.ResultSize = task.Pending, nil, 0
		b.Put(again)
		commit(t, s, b)
		if v, err := s.d.get(famBlobs, append(id[:], partResult)); v != nil || err != nil {
			t.Fatalf("the result's blob is still there: %d bytes, %v", len(v), err)
		}
		mustCheck(t, s)
	}
}

func TestTombstoneAnswersStatusOnly(t *testing.T) {
	s := openTest(t)
	id := testID(1)
	submit(t, s, completed(newTask(1, nil), nil))
	b := s.Begin()
	b.Delete(id, true)
	commit(t, s, b)
	for _, loadFirst := range []bool{true, false} {
		b := s.Begin()
		if loadFirst {
			if x, err := b.Task(id); x != nil || err != nil {
				t.Fatalf("%v %v", x, err)
			}
		}
		if status, _, ok, err := b.Ended(id); status != task.Completed || !ok || err != nil {
			t.Fatalf("%v %v %v", status, ok, err)
		}
		if x, err := b.Task(id); x != nil || err != nil {
			t.Fatalf("%v %v", x, err)
		}
		b.Discard()
	}
	if x, err := s.Task(id, false); x != nil || err != nil {
		t.Fatalf("%v %v", x, err)
	}
	mustCheck(t, s)
}

func TestEachInProgressAndNextDue(t *testing.T) {
	s := openTest(t)
	if _, ok, err := s.NextDue(DueKind); ok || err != nil {
		t.Fatal(ok, err)
	}
	var tasks []*task.Task
	for n := 1; n <= 5; n++ {
		tasks = append(tasks, newTask(n, func(s *task.Spec) { s.Payload = []byte("x"); s.Delay = time.Duration(10-n) * time.Second }))
	}
	tasks = append(tasks, claimed(newTask(7, nil), 7), claimed(newTask(6, nil), 6))
	submit(t, s, tasks...)
	if us, ok, err := s.NextDue(DueKind); us != base.Add(5*time.Second).UnixMicro() || !ok || err != nil {
		t.Fatal(us, ok, err)
	}
	if _, ok, err := s.NextDue(RetryKind); ok || err != nil {
		t.Fatal(ok, err)
	}
	var got []task.ID
	stop := errors.New("stop")
	if err := s.EachInProgress(func(x *task.Task) error { got = append(got, x.ID); return nil }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, []task.ID{testID(6), testID(7)}) {
		t.Fatal(got)
	}
	if err := s.EachInProgress(func(*task.Task) error { return stop }); !errors.Is(err, stop) {
		t.Fatal(err)
	}
}

// TestIDComesAgainWithAnotherType: a refused submit leaves no trace, even where its retry takes the same place in the
// order of another type.
func TestIDComesAgainWithAnotherType(t *testing.T) {
	s := openTest(t)
	b := s.Begin()
	b.Put(newTask(2, nil))
	sp := b.Savepoint()
	b.Put(newTask(1, nil))
	b.Rollback(sp)
	b.Put(newTask(1, func(s *task.Spec) { s.Type = "sms" }))
	if id, _, ok, err := b.FirstReady(emailPair); !ok || id != testID(2) || err != nil {
		t.Fatalf("first email is %v %v %v", id, ok, err)
	}
	if id, _, ok, err := b.FirstReady([]Pair{{"default", "sms"}}); !ok || id != testID(1) || err != nil {
		t.Fatalf("first sms is %v %v %v", id, ok, err)
	}
	for b.Seq() < 2 {
		b.NextSeq()
	}
	commit(t, s, b)
	mustCheck(t, s)
}

// TestIDComesAgainWithAnotherPayload: a task that was taken back leaves no size behind for one at the same place.
func TestIDComesAgainWithAnotherPayload(t *testing.T) {
	s := openTest(t)
	b := s.Begin()
	defer b.Discard()
	mark := b.Savepoint()
	b.Put(newTask(1, func(s *task.Spec) { s.Payload = make([]byte, 500) }))
	b.Rollback(mark)
	for n := 1; n <= 3; n++ {
		b.Put(newTask(n, func(s *task.Spec) { s.Payload = make([]byte, 100) }))
	}
	for n := 1; n <= 3; n++ {
		id, size, ok, err := b.FirstReady(emailPair)
		if err != nil || !ok || id != testID(n) || size != 100 {
			t.Fatalf("first ready is %s of %d bytes, %v %v", id, size, ok, err)
		}
		x, err := b.Task(id)
		if err != nil {
			t.Fatal(err)
		}
		b.Put(claimed(x, 1))
	}
}
