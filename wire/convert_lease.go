package wire

import (
	"fmt"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
)

// ClaimToPB says a claim on the wire; its session is that of the Hello. nil gives nil.
func ClaimToPB(c *task.ClaimRequest) *wirepb.ClaimRequest {
	if c == nil {
		return nil
	}
	return &wirepb.ClaimRequest{
		WorkerId: c.WorkerID, Queues: c.Queues, Types: c.Types, Max: uint32(max(c.Max, 0)),
		WaitUs: c.Wait.Microseconds(), LeaseUs: c.Lease.Microseconds(),
	}
}

// ClaimFromPB reads a claim of a session. The error wraps task.ErrInvalid and names the field. ClaimRequest.Validate is
// left to the caller.
func ClaimFromPB(p *wirepb.ClaimRequest, session task.SessionID) (task.ClaimRequest, error) {
	c := task.ClaimRequest{Session: session, WorkerID: p.GetWorkerId(), Queues: p.GetQueues(), Types: p.GetTypes()}
	if p.GetMax() > task.MaxItems {
		return c, fmt.Errorf("%w: max %d is not within 1 and %d", task.ErrInvalid, p.GetMax(), task.MaxItems)
	}
	c.Max = int(p.GetMax())
	var err error
	if c.Wait, err = duration("wait_us", p.GetWaitUs()); err != nil {
		return c, err
	}
	c.Lease, err = duration("lease_us", p.GetLeaseUs())
	return c, err
}

// OutcomeToPB says an outcome on the wire.
func OutcomeToPB(o *task.Outcome) *wirepb.Outcome {
	p := &wirepb.Outcome{
		Id: bytesOf(o.ID), LeaseId: o.LeaseID, Kind: uint32(o.Kind), Result: o.Result, Error: o.Error,
		RetryAfterUs: o.RetryAfter.Microseconds(),
	}
	for i := range o.Submit {
		p.Submit = append(p.Submit, SpecToPB(&o.Submit[i]))
	}
	return p
}

// OutcomeFromPB reads an outcome. The error wraps task.ErrInvalid and names the field. Outcome.Validate is left to the
// caller.
func OutcomeFromPB(p *wirepb.Outcome) (task.Outcome, error) {
	o := task.Outcome{LeaseID: p.GetLeaseId(), Result: p.GetResult(), Error: p.GetError()}
	var err error
	if o.ID, err = id16[task.ID]("id", p.GetId()); err != nil {
		return o, err
	}
	if o.Kind, err = outcomeKindFromPB(p.GetKind()); err != nil {
		return o, err
	}
	if o.RetryAfter, err = duration("retry_after_us", p.GetRetryAfterUs()); err != nil {
		return o, err
	}
	if len(p.GetSubmit()) > 0 {
		o.Submit = make([]task.Spec, len(p.GetSubmit()))
	}
	for i, spec := range p.GetSubmit() {
		if o.Submit[i], err = SpecFromPB(spec); err != nil {
			return o, fmt.Errorf("submit, item %d: %w", i, err)
		}
	}
	return o, nil
}

// ReceiptToPB says a receipt on the wire.
func ReceiptToPB(r *task.Receipt) *wirepb.Receipt {
	return &wirepb.Receipt{Id: bytesOf(r.ID), Duplicate: r.Duplicate, Existing: r.Existing, Error: NackFromError(r.Err, "")}
}

// ReceiptFromPB reads a receipt. The error wraps task.ErrInvalid; the receipt's own error is in Err.
func ReceiptFromPB(p *wirepb.Receipt) (task.Receipt, error) {
	r := task.Receipt{Duplicate: p.GetDuplicate(), Existing: p.GetExisting(), Err: ErrorFromNack(p.GetError())}
	var err error
	r.ID, err = optionalID16[task.ID]("id", p.GetId()) // a refused item may have had no id of 16 bytes
	return r, err
}

// ReceiptsToPB says receipts on the wire.
func ReceiptsToPB(receipts []task.Receipt) []*wirepb.Receipt {
	if len(receipts) == 0 {
		return nil
	}
	out := make([]*wirepb.Receipt, len(receipts))
	for i := range receipts {
		out[i] = ReceiptToPB(&receipts[i])
	}
	return out
}

// ReceiptsFromPB reads receipts. The error wraps task.ErrInvalid and names the place and the field.
func ReceiptsFromPB(receipts []*wirepb.Receipt) ([]task.Receipt, error) {
	return each(receipts, ReceiptFromPB)
}

// HeartbeatToPB says a heartbeat on the wire; its session is that of the Hello.
func HeartbeatToPB(h *task.Heartbeat) *wirepb.HeartbeatRequest {
	p := &wirepb.HeartbeatRequest{}
	for i := range h.Leases {
		l := &h.Leases[i]
		p.Leases = append(p.Leases, &wirepb.LeaseRef{Id: bytesOf(l.ID), LeaseId: l.LeaseID,
			Progress: progressToPB(l.Progress)})
	}
	return p
}

// HeartbeatFromPB reads a heartbeat of a session. The error wraps task.ErrInvalid and names the field.
// Heartbeat.Validate is left to the caller.
func HeartbeatFromPB(p *wirepb.HeartbeatRequest, session task.SessionID) (h task.Heartbeat, err error) {
	h.Session = session
	h.Leases, err = each(p.GetLeases(), func(l *wirepb.LeaseRef) (task.LeaseRef, error) {
		id, err := id16[task.ID]("id", l.GetId())
		return task.LeaseRef{ID: id, LeaseID: l.GetLeaseId(), Progress: progressFromPB(l.GetProgress())}, err
	})
	return h, err
}

// HeartbeatReplyToPB says the answer to a heartbeat on the wire.
func HeartbeatReplyToPB(h *task.HeartbeatReply) *wirepb.HeartbeatReply {
	return &wirepb.HeartbeatReply{Lost: IDsToPB(h.Lost), Cancelled: IDsToPB(h.Cancelled), Drain: h.Drain}
}

// HeartbeatReplyFromPB reads the answer to a heartbeat. The error wraps task.ErrInvalid and names the field.
func HeartbeatReplyFromPB(p *wirepb.HeartbeatReply) (h task.HeartbeatReply, err error) {
	h.Drain = p.GetDrain()
	if h.Lost, err = IDsFromPB("lost", p.GetLost()); err != nil {
		return h, err
	}
	h.Cancelled, err = IDsFromPB("cancelled", p.GetCancelled())
	return h, err
}
