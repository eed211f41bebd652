package worker

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// TestEnqueue: what a handler enqueues goes with its success, and not with a failure.
func TestEnqueue(t *testing.T) {
	fail := errors.New("no")
	b := start(t, Config{Concurrency: 1}, func(ctx context.Context, v *task.Task) ([]byte, error) {
		for _, typ := range []string{"mail", "bill"} {
			if id, err := Enqueue(ctx, client.NewSpec(typ, []byte(typ), client.DependsOn(v.ID))); err != nil || id.Validate() != nil {
				t.Errorf("enqueue: %v %v", id, err)
			}
		}
		if _, err := Enqueue(ctx, task.Spec{}); !errors.Is(err, task.ErrInvalid) {
			t.Errorf("a task without type: %v", err)
		}
		if v.Attempt == 2 {
			return nil, fail
		}
		return []byte("done"), nil
	})
	first := b.task(nil)
	b.give(first)
	o := b.reported()
	if o.Kind != task.Success || len(o.Submit) != 2 || o.Submit[1].Type != "bill" || o.Submit[0].Dependencies[0] != first.ID {
		t.Fatalf("reported %+v", o)
	}
	b.give(b.task(func(v *task.Task) { v.Attempt = 2 }))
	if o := b.reported(); o.Kind != task.Failure || o.Submit != nil {
		t.Fatalf("reported %+v", o)
	}
	if _, err := Enqueue(context.Background(), client.NewSpec("t", nil)); !errors.Is(err, task.ErrInvalid) {
		t.Errorf("enqueue outside of a handler: %v", err)
	}
}

// TestRefusedEnqueueIsAFailure: a success whose tasks the broker refuses is reported again, as a failure that says why.
func TestRefusedEnqueueIsAFailure(t *testing.T) {
	b := start(t, Config{Concurrency: 1}, func(ctx context.Context, _ *task.Task) ([]byte, error) {
		_, err := Enqueue(ctx, client.NewSpec("t", nil, client.DependsOn(task.NewID())))
		return nil, err
	})
	b.give(b.task(nil))
	r := b.n.Next(wire.TaskResult)
	list, _ := outcomes(r)
	r.Ack(&wirepb.ResultReply{Receipts: []*wirepb.Receipt{wire.ReceiptToPB(&task.Receipt{ID: list[0].ID, Err: task.ErrUnknownDependency})}})
	o := b.reported()
	if o.Kind != task.Failure || !strings.Contains(o.Error, "unknown dependency") || o.LeaseID != list[0].LeaseID || o.Submit != nil {
		t.Fatalf("reported %+v", o)
	}
}
