package web

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/internal/trace"
	"github.com/haiku-queue/haiku/task"
)

// Receipt says what became of one task of a request.
type Receipt struct {
	ID        task.ID `json:"id" format:"uuid"`
	Duplicate bool    `json:"duplicate" doc:"It had taken effect before"`
	Existing  bool    `json:"existing,omitempty" doc:"The id is that of the task that holds the unique key"`
	Error     string  `json:"error,omitempty" doc:"Why it did not take effect"`
	Code      string  `json:"code,omitempty" doc:"The wire protocol's name of that error"`
}

func receiptOf(r task.Receipt) Receipt {
	out := Receipt{ID: r.ID, Duplicate: r.Duplicate, Existing: r.Existing}
	if r.Err != nil {
		p := problemOf(r.Err)
		out.Error, out.Code = p.Detail, p.Code
	}
	return out
}

func receiptsOf(list []task.Receipt) []Receipt {
	out := make([]Receipt, len(list))
	for i := range list {
		out[i] = receiptOf(list[i])
	}
	return out
}

// Receipts are those of a request with several tasks.
type Receipts struct {
	Receipts []Receipt `json:"receipts"`
}

type submitInput struct {
	Key         string `header:"Idempotency-Key" maxLength:"255" doc:"Sent again with the same key, the request is the same task: its id is derived from the key and the token"`
	TraceParent string `header:"traceparent" doc:"W3C trace context: goes into the headers of each task that has none; ignored if it is malformed"`
	TraceState  string `header:"tracestate" doc:"Belongs to traceparent"`
	Body        SubmitBody
}

// SubmitBody is one task, or several in tasks.
type SubmitBody struct {
	Submission
	Tasks  []Submission `json:"tasks,omitempty" maxItems:"1000" doc:"Several tasks, in place of one"`
	Atomic bool         `json:"atomic,omitempty" doc:"With tasks: all of them or none"`
}

type submitOutput struct {
	Status int
	Body   SubmitReply
}

// SubmitReply is the receipt of one task, or those of several.
type SubmitReply struct {
	ID        *task.ID  `json:"id,omitempty" format:"uuid"`
	Duplicate bool      `json:"duplicate" doc:"It had been submitted before"`
	Existing  bool      `json:"existing,omitempty" doc:"The id is that of the task that holds the unique key"`
	Receipts  []Receipt `json:"receipts,omitempty" doc:"With tasks: one for each"`
}

func (s *Server) submit(ctx context.Context, in *submitInput) (*submitOutput, error) {
	list := in.Body.Tasks
	many := list != nil
	switch {
	case !many && in.Body.Atomic:
		return nil, fault("body.atomic", "atomic belongs to tasks")
	case !many:
		list = []Submission{in.Body.Submission}
	case !in.Body.isZero():
		return nil, fault("body.tasks", "tasks stands in place of the fields of one task")
	case len(list) == 0:
		return nil, fault("body.tasks", "tasks is empty")
	}
	ctx, cancel := within(ctx)
	defer cancel()
	var out *submitOutput
	err := s.call(ctx, func(c *client.Client) error {
		ids, err := s.idsFor(ctx, c, in.Key)
		if err != nil {
			return err
		}
		specs, err := specsOf(list, ids)
		if err != nil {
			return err
		}
		for i := range specs {
			specs[i].Headers = trace.Carry(specs[i].Headers, in.TraceParent, in.TraceState)
		}
		if many {
			out, err = submitMany(ctx, c, specs, in.Body.Atomic)
			return err
		}
		r, err := c.SubmitSpec(ctx, specs[0])
		if err != nil {
			return fmt.Errorf("task %s: %w", r.ID, err)
		}
		out = &submitOutput{Status: http.StatusCreated, Body: SubmitReply{ID: &r.ID, Duplicate: r.Duplicate, Existing: r.Existing}}
		if r.Duplicate || r.Existing {
			out.Status = http.StatusOK
		}
		return nil
	})
	return out, err
}

func submitMany(ctx context.Context, c *client.Client, specs []task.Spec, atomic bool) (*submitOutput, error) {
	var receipts []task.Receipt
	var err error
	if atomic {
		receipts, err = c.SubmitAtomic(ctx, specs)
	} else {
		receipts, err = c.SubmitMany(ctx, specs)
		if err != nil && receipts[0].Err == nil {
			err = nil // the first ones were submitted: the receipts tell
		}
	}
	if err != nil {
		return nil, err
	}
	return &submitOutput{Status: http.StatusOK, Body: SubmitReply{Receipts: receiptsOf(receipts)}}, nil
}

// isZero reports whether no field of one task is given.
func (b *Submission) isZero() bool {
	return b.Name == "" && b.After == nil && b.ID == nil && b.Type == "" && b.Queue == "" && b.Payload.IsZero() &&
		b.PayloadBase64.IsZero() && b.PayloadText == nil && b.PayloadJSON == nil && b.Priority == nil && b.DelaySeconds == 0 && b.ScheduledAt == nil &&
		b.MaxRetries == nil && b.MaxCrashes == nil && b.TimeoutSeconds == 0 && b.Dependencies == nil &&
		b.OnDependencyFailure == "" && b.Headers == nil && b.UniqueKey == nil && b.UniqueScope == "" &&
		b.UniqueTTLSeconds == 0 && b.OnConflict == "" && b.ExpiresAt == nil && b.ExpiresInSeconds == 0 &&
		b.RetentionSeconds == 0 && b.Backoff == nil
}

// idsFor says which ids the tasks of a request get: fresh ones, or those of its idempotency key. An id carries the
// beginning of the period in which the key was first used. A key that is not known from the period before counts as new,
// so it holds for half of the dedup window at least.
func (s *Server) idsFor(ctx context.Context, c *client.Client, key string) (func(i int) task.ID, error) {
	if key == "" {
		return func(int) task.ID { return task.NewID() }, nil
	}
	before, begin := s.keyPeriods()
	token := tokenIn(ctx)
	_, err := c.Get(ctx, keyedID(token, key, before, 0))
	switch {
	case err == nil:
		begin = before
	case !errors.Is(err, task.ErrNotFound):
		return nil, err
	}
	return func(i int) task.ID { return keyedID(token, key, begin, i) }, nil
}

// keyPeriods are the beginnings of the period before and of the one that it is now.
func (s *Server) keyPeriods() (before, now time.Time) {
	period := max(s.cfg.DedupWindow/2, time.Second)
	now = time.Now().Truncate(period)
	return now.Add(-period), now
}

// keyedID is the id of the i-th task of a request with an idempotency key: a UUID of version 7 with the time of its
// period, whose other bits are the first of SHA-256 over
//
//	SHA-256(token) 32 | SHA-256(key) 32 | i uint32 | time int64, milliseconds
func keyedID(token, key string, begin time.Time, i int) (id task.ID) {
	of, by := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(key))
	b := append(append(make([]byte, 0, 76), of[:]...), by[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(i))
	b = binary.BigEndian.AppendUint64(b, uint64(begin.UnixMilli()))
	sum := sha256.Sum256(b)
	copy(id[6:], sum[:])
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(begin.UnixMilli()))
	copy(id[:6], ms[2:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}
