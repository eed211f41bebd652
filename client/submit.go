package client

import (
	"context"
	"fmt"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/internal/trace"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// maxChunk bounds the bytes of one frame of many items; a larger item goes alone.
const maxChunk = 2 << 20

// Submit submits one task. The receipt holds its id, fresh unless the option ID gave one; with Existing it is that of the
// task which holds the unique key. The error is also what the
// broker said of the task: task.ErrInvalid, task.ErrConflict and so on. After one that wraps task.ErrUnknownOutcome the
// task may exist; submitting it again with the receipt's id settles it.
func (c *Client) Submit(ctx context.Context, typ string, payload []byte, opts ...Option) (task.Receipt, error) {
	return c.SubmitSpec(ctx, NewSpec(typ, payload, opts...))
}

// NewSpec describes a task, for SubmitMany, SubmitAtomic and worker.Enqueue.
func NewSpec(typ string, payload []byte, opts ...Option) task.Spec {
	spec := task.Spec{Type: typ, Payload: payload}
	for _, set := range opts {
		set(&spec)
	}
	return spec
}

// SubmitSpec is Submit for a whole spec.
func (c *Client) SubmitSpec(ctx context.Context, spec task.Spec) (task.Receipt, error) {
	receipts, err := c.SubmitMany(ctx, []task.Spec{spec})
	if err == nil {
		err = receipts[0].Err
	}
	return receipts[0], err
}

// SubmitMany submits any number of tasks, in their order and independent of each other. There is one receipt for each,
// whose Err is set if that task was refused. The error is that of a request that failed as a whole; the receipts of its
// tasks and of those after it then hold the error, too, and they can be submitted again with the receipts' ids.
//
// With an OpenTelemetry SDK the submit is one span, whose context goes into the headers of each task that has none.
func (c *Client) SubmitMany(ctx context.Context, specs []task.Spec) ([]task.Receipt, error) {
	span := c.spans.Send(ctx, specs)
	receipts, err := c.submitMany(ctx, newBatch(specs, &span))
	c.sent(&span, receipts, err)
	return receipts, err
}

func (c *Client) submitMany(ctx context.Context, batch *batch) ([]task.Receipt, error) {
	for begin := 0; begin < len(batch.places); {
		end := batch.chunk(begin)
		req := &wirepb.SubmitRequest{Tasks: batch.tasks[begin:end]}
		receipts, err := c.submit(ctx, req)
		if err != nil {
			for _, place := range batch.places[begin:] {
				batch.receipts[place].Err = err
			}
			return batch.receipts, err
		}
		for i, place := range batch.places[begin:end] {
			batch.receipts[place] = receipts[i]
		}
		begin = end
	}
	return batch.receipts, nil
}

// SubmitAtomic submits up to task.MaxItems tasks, all or none. They may depend on each other. If one is refused the
// error wraps task.ErrAborted and its own error, and the receipts tell which it is.
func (c *Client) SubmitAtomic(ctx context.Context, specs []task.Spec) ([]task.Receipt, error) {
	if len(specs) > task.MaxItems {
		return nil, fmt.Errorf("%w: %d tasks, at most %d are allowed at once", task.ErrTooLarge, len(specs), task.MaxItems)
	}
	span := c.spans.Send(ctx, specs)
	receipts, err := c.submitAtomic(ctx, newBatch(specs, &span))
	c.sent(&span, receipts, err)
	return receipts, err
}

func (c *Client) submitAtomic(ctx context.Context, batch *batch) ([]task.Receipt, error) {
	if len(batch.places) < len(batch.receipts) {
		for _, place := range batch.places {
			batch.receipts[place].Err = task.ErrAborted
		}
		return batch.receipts, refusal(batch.receipts)
	}
	if len(batch.tasks) == 0 {
		return nil, nil
	}
	receipts, err := c.submit(ctx, &wirepb.SubmitRequest{Tasks: batch.tasks, Atomic: true})
	if err != nil {
		for i := range batch.receipts {
			batch.receipts[i].Err = err
		}
		return batch.receipts, err
	}
	return receipts, refusal(receipts)
}

// sent ends the span of a submit, if there is one.
func (c *Client) sent(span *trace.Sending, receipts []task.Receipt, err error) {
	if !span.Recorded() {
		return
	}
	var server string
	c.mu.Lock()
	if c.conn != nil {
		server = c.conn.address
	}
	c.mu.Unlock()
	span.End(receipts, err, server, func(err error) string { return wire.CodeOf(err).String() })
}

// refusal says which item of an atomic batch was refused.
func refusal(receipts []task.Receipt) error {
	var aborted error
	for i, r := range receipts {
		switch {
		case r.Err == nil:
		case wire.CodeOf(r.Err) == wire.CodeOf(task.ErrAborted):
			aborted = r.Err
		default:
			return fmt.Errorf("%w: item %d: %w", task.ErrAborted, i, r.Err)
		}
	}
	return aborted
}

func (c *Client) submit(ctx context.Context, req *wirepb.SubmitRequest) ([]task.Receipt, error) {
	var reply wirepb.SubmitReply
	if err := c.do(ctx, wire.SubmitTask, req, &reply, true); err != nil {
		return nil, err
	}
	return receiptsOf(reply.Receipts, len(req.Tasks))
}

// receiptsOf reads the receipts of want items.
func receiptsOf(list []*wirepb.Receipt, want int) ([]task.Receipt, error) {
	if len(list) != want {
		return nil, fmt.Errorf("%w: the node sent %d receipts for %d items", task.ErrInternal, len(list), want)
	}
	return wire.ReceiptsFromPB(list)
}

// batch is a list of tasks on its way. Those that break a rule have their receipt already and are not sent.
type batch struct {
	receipts []task.Receipt
	tasks    []*wirepb.TaskSpec // to be sent
	places   []int              // of each in receipts
}

func newBatch(specs []task.Spec, span *trace.Sending) *batch {
	b := &batch{receipts: make([]task.Receipt, len(specs))}
	for i, spec := range specs { // a copy: the caller's specs stay as they are
		if spec.ID == (task.ID{}) {
			spec.ID = task.NewID()
		}
		b.receipts[i].ID = spec.ID
		spec.Headers = span.Headers(spec.Headers)
		if b.receipts[i].Err = spec.Validate(); b.receipts[i].Err == nil {
			b.tasks = append(b.tasks, wire.SpecToPB(&spec))
			b.places = append(b.places, i)
		}
	}
	return b
}

// chunk returns the end of the part from begin that goes into one frame.
func (b *batch) chunk(begin int) (end int) {
	size, parents := 0, 0
	for end = begin; end < len(b.tasks) && end-begin < task.MaxItems; end++ {
		size += b.tasks[end].SizeVT() + 8
		parents += len(b.tasks[end].Dependencies)
		if end > begin && (size > maxChunk || parents > task.MaxBatchParents) {
			break
		}
	}
	return end
}
