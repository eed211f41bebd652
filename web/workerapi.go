package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// Claim asks for tasks to run.
type Claim struct {
	Session  task.SessionID `json:"session,omitzero" doc:"As the first claim's answer said; left out for a new one"`
	WorkerID string         `json:"worker_id,omitempty" maxLength:"128" doc:"As shown to people; http if left out"`
	Queues   []string       `json:"queues,omitempty" maxItems:"256" doc:"default if left out"`
	Types    []string       `json:"types,omitempty" maxItems:"256" doc:"All types of those queues if left out"`
	Max      int            `json:"max,omitempty" minimum:"1" maximum:"1000" default:"1"`
	WaitMS   int64          `json:"wait_ms,omitempty" minimum:"0" maximum:"600000" doc:"How long to wait for a first task"`
	LeaseMS  int64          `json:"lease_ms,omitempty" minimum:"0" maximum:"43200000" doc:"How long the tasks are this worker's without a heartbeat; 30000 if left out"`
}

// Claimed is tasks that are the session's now, with their payloads.
type Claimed struct {
	Session task.SessionID `json:"session" doc:"Goes into every later request of this worker"`
	Tasks   []Task         `json:"tasks" doc:"None if none came in time. lease_id goes into ack, nack and heartbeat"`
}

// Lease is a task that a worker holds.
type Lease struct {
	ID       task.ID        `json:"id" format:"uuid"`
	LeaseID  uint64         `json:"lease_id"`
	Progress *task.Progress `json:"progress,omitempty" doc:"How far it is; cursor, in base64, reaches the next attempt"`
}

// Beat renews leases.
type Beat struct {
	Session task.SessionID `json:"session"`
	Leases  []Lease        `json:"leases,omitempty" maxItems:"1000" doc:"All that the session holds; left out for all that this node knows it to hold"`
}

// Beaten says what became of the leases. Those in neither list are renewed.
type Beaten struct {
	Lost      []task.ID `json:"lost" doc:"No longer held: stop; a result would not count"`
	Cancelled []task.ID `json:"cancelled" doc:"Still held, but someone asked to cancel the task"`
	Drain     bool      `json:"drain" doc:"Claim nothing more and end"`
}

// Success reports a task that is done.
type Success struct {
	Session    task.SessionID  `json:"session"`
	ID         task.ID         `json:"id" format:"uuid"`
	LeaseID    uint64          `json:"lease_id" minimum:"1"`
	Result     Base64          `json:"result,omitzero" doc:"Base64, up to 4 MiB; or result_text or result_json"`
	ResultText *string         `json:"result_text,omitempty"`
	ResultJSON json.RawMessage `json:"result_json,omitempty"`
	Submit     []Submission    `json:"submit,omitempty" maxItems:"100" doc:"Tasks that are submitted together with it, or nothing of both takes effect"`
}

// Refusal reports a task that is not done.
type Refusal struct {
	Session      task.SessionID `json:"session"`
	ID           task.ID        `json:"id" format:"uuid"`
	LeaseID      uint64         `json:"lease_id" minimum:"1"`
	Error        string         `json:"error,omitempty" doc:"Why, up to 64 KiB"`
	Outcome      string         `json:"outcome,omitempty" enum:"failure,dead,snooze,cancel,interrupted" doc:"failure, which is retried, if left out; dead: a dead letter at once; snooze: again later, without using an attempt; cancel: no retry; interrupted: the attempt is given back"`
	RetryAfterMS int64          `json:"retry_after_ms,omitempty" minimum:"0" doc:"With failure and snooze: not before so long"`
	Dead         bool           `json:"dead,omitempty" doc:"The same as outcome dead"`
	Snooze       bool           `json:"snooze,omitempty" doc:"The same as outcome snooze"`
	Cancel       bool           `json:"cancel,omitempty" doc:"The same as outcome cancel"`
}

func (s *Server) registerWorkerAPI(a *api) {
	const tag = "worker"
	register(a, op{http.MethodPost, pathClaim, "claim-tasks", tag, "Claim tasks, waiting for a first one"}, s.claim)
	register(a, op{http.MethodPost, "/v1/worker/heartbeat", "heartbeat", tag, "Renew leases, and learn which are lost or cancelled"}, s.heartbeat)
	registerWith(a, op{http.MethodPost, "/v1/worker/ack", "ack-task", tag, "Report a task as done, with its result"}, large, s.ack)
	register(a, op{http.MethodPost, "/v1/worker/nack", "nack-task", tag, "Report that a task was not done"}, s.nack)
}

type claimInput struct{ Body Claim }

func (s *Server) claim(ctx context.Context, in *claimInput) (*plain[Claimed], error) {
	one, release, err := s.sessions.take(tokenIn(ctx), in.Body.Session)
	if err != nil {
		return nil, err
	}
	defer release()
	req := task.ClaimRequest{
		Session: one.id, WorkerID: in.Body.WorkerID, Queues: in.Body.Queues, Types: in.Body.Types, Max: max(in.Body.Max, 1),
		Wait: time.Duration(in.Body.WaitMS) * time.Millisecond, Lease: time.Duration(in.Body.LeaseMS) * time.Millisecond,
	}
	if req.WorkerID == "" {
		req.WorkerID = clientName
	}
	if err := req.Validate(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, req.Wait+requestTimeout)
	defer cancel()
	defer context.AfterFunc(s.waits, cancel)() // tasks that come after that are given back
	tasks, err := one.client.Claim(ctx, req)
	if err != nil && s.waits.Err() == nil {
		return nil, err
	}
	s.sessions.claimed(one, tasks)
	return &plain[Claimed]{Claimed{one.id, tasksOf(tasks)}}, nil
}

type heartbeatInput struct{ Body Beat }

func (s *Server) heartbeat(ctx context.Context, in *heartbeatInput) (*plain[Beaten], error) {
	one, release, err := s.sessionIn(ctx, in.Body.Session)
	if err != nil {
		return nil, err
	}
	defer release()
	refs := s.sessions.refs(one)
	if in.Body.Leases != nil {
		refs = make([]task.LeaseRef, len(in.Body.Leases))
		for i, l := range in.Body.Leases {
			refs[i] = task.LeaseRef{ID: l.ID, LeaseID: l.LeaseID}
			if l.Progress != nil {
				refs[i].Progress = *l.Progress
			}
		}
	}
	ctx, cancel := within(ctx)
	defer cancel()
	reply, err := one.client.Heartbeat(ctx, refs)
	if err != nil {
		return nil, err
	}
	s.sessions.renewed(one, refs, reply.Lost)
	return &plain[Beaten]{Beaten{append([]task.ID{}, reply.Lost...), append([]task.ID{}, reply.Cancelled...), reply.Drain}}, nil
}

func (s *Server) sessionIn(ctx context.Context, id task.SessionID) (*session, func(), error) {
	if id.IsZero() {
		return nil, nil, fault("body.session", "session is missing; the answer to a claim says it")
	}
	return s.sessions.take(tokenIn(ctx), id)
}

type ackInput struct{ Body Success }

func (s *Server) ack(ctx context.Context, in *ackInput) (*plain[Receipt], error) {
	b := &in.Body
	o := task.Outcome{ID: b.ID, LeaseID: b.LeaseID, Kind: task.Success}
	content := Content{b.Result.Bytes, b.ResultText, b.ResultJSON}
	var err error
	if o.Result, err = content.bytes("result"); err != nil {
		return nil, err
	}
	if o.Submit, err = specsOf(b.Submit, func(int) task.ID { return task.NewID() }); err != nil {
		return nil, err
	}
	if len(o.Submit) == 0 {
		o.Submit = nil
	}
	return s.finish(ctx, b.Session, o)
}

type nackInput struct{ Body Refusal }

func (s *Server) nack(ctx context.Context, in *nackInput) (*plain[Receipt], error) {
	b := &in.Body
	o := task.Outcome{ID: b.ID, LeaseID: b.LeaseID, Kind: task.Failure, Error: b.Error}
	o.RetryAfter = time.Duration(min(b.RetryAfterMS, task.MaxDelay.Milliseconds()+1)) * time.Millisecond
	given := 0
	for _, f := range []struct {
		set  bool
		kind task.OutcomeKind
	}{
		{b.Dead, task.Reject}, {b.Snooze, task.Snooze}, {b.Cancel, task.Discard}, {b.Outcome != "", 0},
	} {
		if f.set {
			given++
			if f.kind != 0 {
				o.Kind = f.kind
			}
		}
	}
	if given > 1 {
		return nil, fault("body.outcome", "outcome, dead, snooze and cancel exclude each other")
	}
	if b.Outcome != "" {
		if err := o.Kind.UnmarshalText([]byte(b.Outcome)); err != nil {
			return nil, err
		}
	}
	return s.finish(ctx, b.Session, o)
}

// finish reports one outcome.
func (s *Server) finish(ctx context.Context, id task.SessionID, o task.Outcome) (*plain[Receipt], error) {
	one, release, err := s.sessionIn(ctx, id)
	if err != nil {
		return nil, err
	}
	defer release()
	ctx, cancel := within(ctx)
	defer cancel()
	receipts, _, err := one.client.Finish(ctx, []task.Outcome{o}, nil)
	if err == nil {
		err = receipts[0].Err
	}
	if err == nil || errors.Is(err, task.ErrStaleLease) {
		s.sessions.ended(one, o.ID)
	}
	if err != nil {
		return nil, err
	}
	return &plain[Receipt]{receiptOf(receipts[0])}, nil
}
