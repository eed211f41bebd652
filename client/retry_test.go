package client

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/internal/fakenode"
	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// TestSubmitAfterUnknownOutcome: whatever leaves the outcome open, the same task is submitted again with the same id.
func TestSubmitAfterUnknownOutcome(t *testing.T) {
	for name, fail := range map[string]func(*fakenode.Request){
		"connection breaks":  func(r *fakenode.Request) { r.Conn.Close() },
		"node does not know": func(r *fakenode.Request) { r.Nack(task.ErrUnknownOutcome, "") },
		"garbage":            func(r *fakenode.Request) { r.Raw(wire.Ack, []byte{0xff}) },
		"no answer":          func(r *fakenode.Request) { r.Raw(wire.Type(99), nil) },
		"answer to nothing":  func(r *fakenode.Request) { r.Conn.Stray() },
	} {
		t.Run(name, func(t *testing.T) {
			n := fakenode.Start(t)
			c := newClient(t, nil, n)
			var receipt task.Receipt
			done := later(func() (err error) { receipt, err = c.Submit(within(t), "t", []byte("p")); return err })
			first := n.Next(wire.SubmitTask)
			id := first.Submitted()[0].ID
			fail(first)
			second := n.Next(wire.SubmitTask)
			if again := second.Submitted()[0]; again.ID != id || string(again.Payload) != "p" {
				t.Fatalf("submitted again as %+v", again)
			}
			second.Accept(true)
			mustBe(t, <-done, nil)
			if receipt.ID != id || !receipt.Duplicate {
				t.Errorf("receipt %+v", receipt)
			}
		})
	}
}

// TestClaimIsNotRepeated: a claim is sent again only if the node says that nothing took effect.
func TestClaimIsNotRepeated(t *testing.T) {
	for name, fail := range map[string]func(*fakenode.Request){
		"connection breaks":  func(r *fakenode.Request) { r.Conn.Close() },
		"node does not know": func(r *fakenode.Request) { r.Nack(task.ErrUnknownOutcome, "") },
	} {
		t.Run(name, func(t *testing.T) {
			n := fakenode.Start(t)
			n.Handle(wire.Heartbeat, func(*fakenode.Request) (wire.Message, error) { return &wirepb.HeartbeatReply{}, nil })
			c := newClient(t, nil, n)
			done := later(func() error { _, err := c.Claim(within(t), task.ClaimRequest{WorkerID: "w", Max: 1}); return err })
			fail(n.Next(wire.ClaimTask))
			mustBe(t, <-done, task.ErrUnknownOutcome)
			_, err := c.Heartbeat(within(t), nil)
			mustBe(t, err, nil)
			n.None(wire.ClaimTask)
		})
	}
	n := fakenode.Start(t)
	c := newClient(t, nil, n)
	var tasks []*task.Task
	done := later(func() (err error) {
		tasks, err = c.Claim(within(t), task.ClaimRequest{WorkerID: "w",
			Max: 1})
		return err
	})
	for _, definite := range []error{task.ErrNoLeader, task.ErrNotLeader, task.ErrBusy, task.ErrTimeout} {
		n.Next(wire.ClaimTask).Nack(definite, "")
	}
	n.Next(wire.ClaimTask).Ack(&wirepb.ClaimReply{})
	mustBe(t, <-done, nil)
	if len(tasks) != 0 {
		t.Errorf("got %v", tasks)
	}
}

// TestUnsentIsRepeated: what was still in the queue when the connection broke was surely not sent.
func TestUnsentIsRepeated(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	n := &conn{c: &Client{}, net: ours, wake: make(chan struct{}, 1), done: make(chan struct{}),
		calls: map[uint32]*call{}, lastID: 1<<32 - 2}
	sentID, sent, err := n.enqueue(wire.ClaimTask, &wirepb.ClaimRequest{Max: 1}, false)
	mustBe(t, err, nil)
	if len(n.take()) == 0 {
		t.Fatal("nothing is queued")
	}
	unsentID, unsent, err := n.enqueue(wire.ClaimTask, &wirepb.ClaimRequest{Max: 1}, false)
	mustBe(t, err, nil)
	if sentID != 1<<32-1 || unsentID != 1 {
		t.Errorf("request ids %d and %d: 0 is the server's", sentID, unsentID)
	}
	n.fail(errors.New("broken"))
	if err := (<-sent.answer).err; mayRepeat(err, false) || !mayRepeat(err, true) {
		t.Errorf("sent: %v", err)
	}
	if err := (<-unsent.answer).err; !mayRepeat(err, false) || errors.Is(err, task.ErrUnknownOutcome) {
		t.Errorf("unsent: %v", err)
	}
	if _, _, err := n.enqueue(wire.ClaimTask, &wirepb.ClaimRequest{}, false); !mayRepeat(err, false) {
		t.Errorf("after the end: %v", err)
	}
}

func TestFinalErrors(t *testing.T) {
	n := fakenode.Start(t)
	c := newClient(t, nil, n)
	for _, final := range []error{
		task.ErrInvalid, task.ErrTooLarge, task.ErrConflict, task.ErrNotAllowed, task.ErrIDExpired, task.ErrInternal,
		task.ErrUnknownType,
	} {
		n.Handle(wire.SubmitTask, func(*fakenode.Request) (wire.Message, error) { return nil, final })
		_, err := c.Submit(within(t), "t", nil)
		mustBe(t, err, final)
		// The same as the answer for the one task.
		n.Handle(wire.SubmitTask, func(r *fakenode.Request) (wire.Message, error) {
			return &wirepb.SubmitReply{Receipts: wire.ReceiptsToPB([]task.Receipt{{ID: r.Submitted()[0].ID, Err: final}})}, nil
		})
		receipt, err := c.Submit(within(t), "t", nil)
		mustBe(t, err, final)
		mustBe(t, receipt.Err, final)
	}
	n.Handle(wire.SubmitTask, func(*fakenode.Request) (wire.Message, error) { return &wirepb.SubmitReply{}, nil })
	_, err := c.Submit(within(t), "t", nil)
	mustBe(t, err, task.ErrInternal)
}

// TestTimeUpSaysWhy: when the context ends, the error says what the attempts before came to, too.
func TestTimeUpSaysWhy(t *testing.T) {
	n := fakenode.Start(t)
	c := newClient(t, nil, n)
	ctx, cancel := context.WithCancel(within(t))
	done := later(func() error { _, err := c.List(ctx, task.Filter{}); return err })
	n.Next(wire.ListTasks).Nack(task.ErrNoLeader, "")
	n.Next(wire.ListTasks) // it is never answered
	cancel()
	err := <-done
	mustBe(t, err, task.ErrNoLeader)
	mustBe(t, err, context.Canceled)
}

// TestOutcomeStaysOpen: an attempt that may have taken effect is not forgotten over later ones that did not.
func TestOutcomeStaysOpen(t *testing.T) {
	for name, fail := range map[string]func(*fakenode.Request){
		"connection breaks":  func(r *fakenode.Request) { r.Conn.Close() },
		"node does not know": func(r *fakenode.Request) { r.Nack(task.ErrUnknownOutcome, "") },
	} {
		t.Run(name, func(t *testing.T) {
			n := fakenode.Start(t)
			c := newClient(t, func(cfg *Config) { cfg.RetryFor = 200 * time.Millisecond }, n)
			done := later(func() error { _, err := c.Submit(within(t), "t", nil); return err })
			fail(n.Next(wire.SubmitTask))
			n.Handle(wire.SubmitTask, func(*fakenode.Request) (wire.Message, error) { return nil, task.ErrNoLeader })
			err := <-done
			mustBe(t, err, task.ErrUnknownOutcome)
			if wire.Retryable(err) || errors.Is(err, task.ErrNoLeader) {
				t.Errorf("taken for one that had no effect: %v", err)
			}
		})
	}
}

// TestRetryFor: the client gives up in time, with the last error.
func TestRetryFor(t *testing.T) {
	n := fakenode.Start(t)
	n.Handle(wire.SubmitTask, func(*fakenode.Request) (wire.Message, error) { return nil, task.ErrNoLeader })
	for _, limit := range []time.Duration{-1, 30 * time.Millisecond} {
		c := newClient(t, func(cfg *Config) { cfg.RetryFor = limit }, n)
		_, err := c.Submit(within(t), "t", nil)
		mustBe(t, err, task.ErrNoLeader)
	}
	n.Handle(wire.SubmitTask, func(*fakenode.Request) (wire.Message, error) {
		return nil, &task.RetryLater{Err: task.ErrBusy, After: time.Hour}
	})
	c := newClient(t, nil, n)
	_, err := c.Submit(within(t), "t", nil)
	mustBe(t, err, task.ErrBusy) // at once: the node wants more patience than there is
	ctx, cancel := context.WithCancel(context.Background())
	patient := newClient(t, func(cfg *Config) { cfg.RetryFor = 2 * time.Hour }, n)
	n.Handle(wire.SubmitTask, nil)
	done := later(func() error { _, err := patient.Submit(ctx, "t", nil); return err })
	n.Next(wire.SubmitTask).Nack(&task.RetryLater{Err: task.ErrBusy, After: time.Hour}, "")
	cancel()
	err = <-done
	if !errors.Is(err, context.Canceled) && !errors.Is(err, task.ErrBusy) {
		t.Errorf("got %v", err)
	}
	n.None(wire.SubmitTask)
}

func TestRetryAfterIsKept(t *testing.T) {
	n := fakenode.Start(t)
	c := newClient(t, nil, n)
	done := later(func() error { _, err := c.Submit(within(t), "t", nil); return err })
	const pause = 150 * time.Millisecond
	n.Next(wire.SubmitTask).Nack(&task.RetryLater{Err: task.ErrBusy, After: pause}, "")
	refused := time.Now()
	n.Next(wire.SubmitTask).Accept(false)
	if waited := time.Since(refused); waited < pause-10*time.Millisecond {
		t.Errorf("came again after %s", waited)
	}
	mustBe(t, <-done, nil)
}

// TestFinish: outcomes are repeated until answered, the claim beside them is not.
func TestFinish(t *testing.T) {
	n := fakenode.Start(t)
	c := newClient(t, nil, n)
	o := task.Outcome{ID: task.NewID(), LeaseID: 5, Kind: task.Success, Result: []byte("r")}
	next := &task.ClaimRequest{WorkerID: "w", Max: 3}
	var receipts []task.Receipt
	var tasks []*task.Task
	finish := func() (err error) {
		receipts, tasks, err = c.Finish(within(t), []task.Outcome{o}, next)
		return err
	}
	read := func(r *fakenode.Request) *wirepb.ResultRequest {
		var m wirepb.ResultRequest
		r.Read(&m)
		if len(m.Outcomes) != 1 || string(m.Outcomes[0].Result) != "r" || m.Outcomes[0].LeaseId != 5 {
			t.Errorf("reported %v", &m)
		}
		return &m
	}
	reply := func(duplicate bool) *wirepb.ResultReply {
		return &wirepb.ResultReply{Receipts: wire.ReceiptsToPB([]task.Receipt{{ID: o.ID, Duplicate: duplicate}})}
	}

	done := later(finish)
	r := n.Next(wire.TaskResult)
	if m := read(r); m.Next.GetMax() != 3 {
		t.Errorf("next claim %v", m.Next)
	}
	r.Nack(task.ErrNoLeader, "") // nothing took effect: all of it is sent again
	r = n.Next(wire.TaskResult)
	if m := read(r); m.Next == nil {
		t.Error("the claim is gone although it took no effect")
	}
	r.Conn.Close()
	r = n.Next(wire.TaskResult)
	if m := read(r); m.Next != nil {
		t.Error("a claim of unknown outcome is repeated")
	}
	r.Ack(reply(true))
	mustBe(t, <-done, task.ErrUnknownOutcome)
	if len(receipts) != 1 || !receipts[0].Duplicate || receipts[0].Err != nil || len(tasks) != 0 {
		t.Errorf("receipts %v, tasks %v", receipts, tasks)
	}

	done = later(finish)
	full := reply(false)
	id := task.NewID()
	full.Next = &wirepb.ClaimReply{Tasks: []*wirepb.Task{{Id: id[:], Status: 2, LeaseId: 9}}}
	n.Next(wire.TaskResult).Ack(full)
	mustBe(t, <-done, nil)
	if len(tasks) != 1 || tasks[0].ID != id {
		t.Errorf("tasks %v", tasks)
	}
	bad := o
	bad.Kind = task.LeaseExpired
	receipts, _, err := c.Finish(within(t), []task.Outcome{bad}, nil) // is not sent at all
	mustBe(t, err, nil)
	mustBe(t, receipts[0].Err, task.ErrInvalid)
	_, _, err = c.Finish(within(t), nil, next)
	mustBe(t, err, task.ErrInvalid)
	n.None(wire.TaskResult)
}

// TestFinishSplits: results that do not fit one frame go in several, and the claim with the last.
func TestFinishSplits(t *testing.T) {
	n := fakenode.Start(t)
	var frames, claims int
	n.Handle(wire.TaskResult, func(r *fakenode.Request) (wire.Message, error) {
		var m wirepb.ResultRequest
		r.Read(&m)
		frames++
		if m.Next != nil {
			claims++
			if frames != 3 {
				t.Errorf("the claim came with frame %d", frames)
			}
		}
		reply := &wirepb.ResultReply{}
		for _, o := range m.Outcomes {
			reply.Receipts = append(reply.Receipts, &wirepb.Receipt{Id: o.Id})
		}
		return reply, nil
	})
	c := newClient(t, nil, n)
	var outcomes []task.Outcome
	for i := range 5 {
		outcomes = append(outcomes, task.Outcome{ID: task.NewID(), LeaseID: uint64(i + 1), Kind: task.Success,
			Result: make([]byte, maxChunk/2-100)})
	}
	receipts, _, err := c.Finish(within(t), outcomes, &task.ClaimRequest{WorkerID: "w", Max: 1})
	mustBe(t, err, nil)
	for i, r := range receipts {
		if r.ID != outcomes[i].ID || r.Err != nil {
			t.Errorf("receipt %d: %+v", i, r)
		}
	}
	if frames != 3 || claims != 1 {
		t.Errorf("%d frames, %d claims", frames, claims)
	}
}
