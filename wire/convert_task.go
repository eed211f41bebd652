package wire

import (
	"fmt"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
)

// TaskToPB says a task on the wire. Its hash and its last lease stay in the broker.
func TaskToPB(t *task.Task) *wirepb.Task {
	return &wirepb.Task{
		Id: bytesOf(t.ID), Type: t.Type, Queue: t.Queue, Payload: t.Payload, PayloadSize: t.PayloadSize,
		Priority:    uint32(t.Priority),
		CreatedAtUs: micros(t.CreatedAt), ScheduledAtUs: micros(t.ScheduledAt), Status: uint32(t.Status),
		MaxRetries: t.MaxRetries, RetryCount: t.RetryCount, MaxCrashes: t.MaxCrashes, CrashCount: t.CrashCount,
		TimeoutSeconds: t.TimeoutSeconds, WorkerId: t.WorkerID, Session: bytesOf(t.Session), LeaseId: t.LeaseID,
		LeaseDurationUs: t.LeaseDuration.Microseconds(), LeaseExpiresAtUs: micros(t.LeaseExpiresAt),
		StartedAtUs: micros(t.StartedAt),
		Attempt:     t.Attempt, Result: t.Result, ResultSize: t.ResultSize, Error: t.Error, Reason: string(t.Reason),
		Dependencies: IDsToPB(t.Dependencies), WaitingFor: t.WaitingFor, OnDependencyFailure: uint32(t.OnDependencyFailure),
		Headers: headersToPB(t.Headers), UniqueKey: t.UniqueKey, ExpiresAtUs: micros(t.ExpiresAt),
		RetentionUs: t.Retention.Microseconds(), DeleteAtUs: micros(t.DeleteAt),
		Backoff: backoffToPB(t.Backoff), Progress: progressToPB(t.Progress), History: historyToPB(t.History),
		CancelRequested: t.CancelRequested, UpdatedAtUs: micros(t.UpdatedAt), Seq: t.Seq,
		UniqueScope: uint32(t.UniqueScope), UniqueUntilUs: micros(t.UniqueUntil), UniqueHeld: t.UniqueHeld,
		ReplacedBy: bytesOf(t.ReplacedBy),
	}
}

// TaskFromPB reads a task. The error wraps task.ErrInvalid and names the field.
func TaskFromPB(p *wirepb.Task) (*task.Task, error) {
	if p == nil {
		return nil, fmt.Errorf("%w: task is missing", task.ErrInvalid)
	}
	t := &task.Task{
		Type: p.Type, Queue: p.Queue, Payload: p.Payload, PayloadSize: p.PayloadSize, MaxRetries: p.MaxRetries,
		RetryCount: p.RetryCount, MaxCrashes: p.MaxCrashes, CrashCount: p.CrashCount, TimeoutSeconds: p.TimeoutSeconds,
		WorkerID: p.WorkerId, LeaseID: p.LeaseId, Attempt: p.Attempt, Result: p.Result, ResultSize: p.ResultSize,
		Error: p.Error, Reason: task.Reason(p.Reason), WaitingFor: p.WaitingFor, Headers: headersFromPB(p.Headers),
		UniqueKey: p.UniqueKey, UniqueHeld: p.UniqueHeld, Progress: progressFromPB(p.Progress), CancelRequested: p.CancelRequested, Seq: p.Seq,
	}
	if err := taskTimes(t, p); err != nil {
		return nil, err
	}
	var f fields
	id, err := id16[task.ID]("id", p.Id)
	t.ID = take(&f, id, err)
	session, err := optionalID16[task.SessionID]("session", p.Session)
	t.Session = take(&f, session, err)
	priority, err := small("priority", p.Priority)
	t.Priority = task.Priority(take(&f, priority, err))
	status, err := statusFromPB(p.Status)
	t.Status = take(&f, status, err)
	ids, err := IDsFromPB("dependencies", p.Dependencies)
	t.Dependencies = take(&f, ids, err)
	policy, err := policyFromPB(p.OnDependencyFailure)
	t.OnDependencyFailure = take(&f, policy, err)
	scope, err := small("unique_scope", p.UniqueScope)
	t.UniqueScope = task.UniqueScope(take(&f, scope, err))
	by, err := optionalID16[task.ID]("replaced_by", p.ReplacedBy)
	t.ReplacedBy = take(&f, by, err)
	backoff, err := backoffFromPB(p.Backoff)
	t.Backoff = take(&f, backoff, err)
	history, err := each(p.History, attemptFromPB)
	t.History = take(&f, history, err)
	if f.err != nil {
		return nil, f.err
	}
	return t, nil
}

func taskTimes(t *task.Task, p *wirepb.Task) (err error) {
	var f fields
	at, err := moment("created_at_us", p.CreatedAtUs)
	t.CreatedAt = take(&f, at, err)
	at, err = moment("scheduled_at_us", p.ScheduledAtUs)
	t.ScheduledAt = take(&f, at, err)
	at, err = moment("lease_expires_at_us", p.LeaseExpiresAtUs)
	t.LeaseExpiresAt = take(&f, at, err)
	at, err = moment("started_at_us", p.StartedAtUs)
	t.StartedAt = take(&f, at, err)
	at, err = moment("expires_at_us", p.ExpiresAtUs)
	t.ExpiresAt = take(&f, at, err)
	at, err = moment("unique_until_us", p.UniqueUntilUs)
	t.UniqueUntil = take(&f, at, err)
	at, err = moment("delete_at_us", p.DeleteAtUs)
	t.DeleteAt = take(&f, at, err)
	at, err = moment("updated_at_us", p.UpdatedAtUs)
	t.UpdatedAt = take(&f, at, err)
	d, err := duration("lease_duration_us", p.LeaseDurationUs)
	t.LeaseDuration = take(&f, d, err)
	d, err = duration("retention_us", p.RetentionUs)
	t.Retention = take(&f, d, err)
	return f.err
}

func statusFromPB(v uint32) (task.Status, error) {
	if v > uint32(task.Cancelled) || !task.Status(v).Valid() {
		return 0, fmt.Errorf("%w: status %d is none of 1 to 6", task.ErrInvalid, v)
	}
	return task.Status(v), nil
}

// TasksToPB says tasks on the wire.
func TasksToPB(tasks []*task.Task) []*wirepb.Task {
	if len(tasks) == 0 {
		return nil
	}
	out := make([]*wirepb.Task, len(tasks))
	for i, t := range tasks {
		out[i] = TaskToPB(t)
	}
	return out
}

// TasksFromPB reads tasks. The error wraps task.ErrInvalid and names the place and the field.
func TasksFromPB(tasks []*wirepb.Task) ([]*task.Task, error) { return each(tasks, TaskFromPB) }

func progressToPB(p task.Progress) *wirepb.Progress {
	if p.IsZero() {
		return nil
	}
	return &wirepb.Progress{Percent: p.Percent, Message: p.Message, Cursor: p.Cursor}
}

func progressFromPB(p *wirepb.Progress) task.Progress {
	return task.Progress{Percent: p.GetPercent(), Message: p.GetMessage(), Cursor: p.GetCursor()}
}

func historyToPB(history []task.Attempt) []*wirepb.Attempt {
	if len(history) == 0 {
		return nil
	}
	out := make([]*wirepb.Attempt, len(history))
	for i := range history {
		a := &history[i]
		out[i] = &wirepb.Attempt{
			Number: a.Number, WorkerId: a.WorkerID, StartedAtUs: micros(a.StartedAt), EndedAtUs: micros(a.EndedAt),
			Outcome: uint32(a.Outcome), Error: a.Error,
		}
	}
	return out
}

func attemptFromPB(p *wirepb.Attempt) (task.Attempt, error) {
	a := task.Attempt{Number: p.GetNumber(), WorkerID: p.GetWorkerId(), Error: p.GetError()}
	var err error
	if a.StartedAt, err = moment("history.started_at_us", p.GetStartedAtUs()); err != nil {
		return a, err
	}
	if a.EndedAt, err = moment("history.ended_at_us", p.GetEndedAtUs()); err != nil {
		return a, err
	}
	a.Outcome, err = outcomeKindFromPB(p.GetOutcome())
	return a, err
}

func outcomeKindFromPB(v uint32) (task.OutcomeKind, error) {
	if v > 255 || !task.OutcomeKind(v).Valid() {
		return 0, fmt.Errorf("%w: unknown outcome %d", task.ErrInvalid, v)
	}
	return task.OutcomeKind(v), nil
}
