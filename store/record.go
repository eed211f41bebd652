package store

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/haiku-queue/haiku/internal/pb/recordpb"
	"github.com/haiku-queue/haiku/task"
)

// A record is the value of a task in its status family:
//
//	| version 1 | recordpb.Record |
//
// The id is the key, the status is the family. A payload or result up to task.InlineBytes stands in the record, whose
// size field is then 0; a larger one is in blobs and only its size is here. The queue "default" is left out.
// Encoding is deterministic: fields in the order of their numbers, no maps, nothing unknown.
// To change it see record.proto and the procedure in keys.go.

// encodeRecord fills r from t; r shares memory with t.
func encodeRecord(r *recordpb.Record, t *task.Task) {
	*r = recordpb.Record{
		Type: t.Type, Priority: uint32(t.Priority),
		CreatedAtUs: micros(t.CreatedAt), ScheduledAtUs: micros(t.ScheduledAt), UpdatedAtUs: micros(t.UpdatedAt),
		MaxRetries: t.MaxRetries, RetryCount: t.RetryCount, MaxCrashes: t.MaxCrashes, CrashCount: t.CrashCount,
		TimeoutSeconds: t.TimeoutSeconds, WorkerId: t.WorkerID, LeaseId: t.LeaseID,
		LeaseDurationUs: t.LeaseDuration.Microseconds(), LeaseExpiresAtUs: micros(t.LeaseExpiresAt),
		StartedAtUs: micros(t.StartedAt), PriorStartUs: micros(t.PriorStart), Attempt: t.Attempt, Error: t.Error, Reason: string(t.Reason),
		WaitingFor: t.WaitingFor, OnDependencyFailure: uint32(t.OnDependencyFailure), UniqueKey: t.UniqueKey,
		ExpiresAtUs: micros(t.ExpiresAt), RetentionUs: t.Retention.Microseconds(), DeleteAtUs: micros(t.DeleteAt),
		CancelRequested: t.CancelRequested, Recount: t.Recount, Seq: t.Seq, Hash: t.Hash[:],
		AgingSeconds: agingSeconds(t),
		UniqueScope:  uint32(t.UniqueScope), UniqueUntilUs: micros(t.UniqueUntil), UniqueHeld: t.UniqueHeld,
	}
	if t.Queue != task.DefaultQueue {
		r.Queue = t.Queue
	}
	if t.PayloadSize <= task.InlineBytes {
		r.Payload = t.Payload
	} else {
		r.PayloadSize = t.PayloadSize
	}
	if t.ResultSize <= task.InlineBytes {
		r.Result = t.Result
	} else {
		r.ResultSize = t.ResultSize
	}
	if !t.Session.IsZero() {
		r.Session = t.Session[:]
	}
	encodeParts(r, t)
}

// encodeParts fills the fields that most tasks have not.
func encodeParts(r *recordpb.Record, t *task.Task) {
	if t.ReplacedBy != (task.ID{}) {
		r.ReplacedBy = t.ReplacedBy[:]
	}
	for i := range t.Dependencies {
		r.Dependencies = append(r.Dependencies, t.Dependencies[i][:]...)
	}
	for i := range t.Headers {
		r.Headers = append(r.Headers, &recordpb.Header{Name: t.Headers[i].Name, Value: t.Headers[i].Value})
	}
	if b := &t.Backoff; !b.IsZero() {
		r.Backoff = &recordpb.Backoff{
			InitialUs: b.Initial.Microseconds(), FactorPercent: b.FactorPercent,
			MaxUs: b.Max.Microseconds(), JitterPercent: b.JitterPercent,
		}
	}
	if p := &t.Progress; !p.IsZero() {
		r.Progress = &recordpb.Progress{Percent: p.Percent, Message: p.Message, Cursor: p.Cursor}
	}
	for i := range t.History {
		a := &t.History[i]
		r.History = append(r.History, &recordpb.Attempt{
			Number: a.Number, WorkerId: a.WorkerID, StartedAtUs: micros(a.StartedAt), EndedAtUs: micros(a.EndedAt),
			Outcome: uint32(a.Outcome), Error: a.Error,
		})
	}
	if l := &t.LastLease; *l != (task.LastLease{}) {
		r.LastLease = &recordpb.LastLease{LeaseId: l.LeaseID, Kind: uint32(l.Kind)}
		if l.Digest != [16]byte{} {
			r.LastLease.Digest = l.Digest[:]
		}
	}
}

// decodeRecord reads the value of task id in the family of status. The task owns its memory. The error wraps
// errCorrupt; a field that this version does not know is one.
func decodeRecord(id task.ID, status task.Status, value []byte) (*task.Task, error) {
	v, err := readVersion(statusFamily(status), value)
	if err != nil {
		return nil, err
	}
	var r recordpb.Record
	if err := r.UnmarshalVT(v); err != nil {
		return nil, fmt.Errorf("%w: record of task %s: %w", errCorrupt, id, err)
	}
	t, err := taskOf(&r)
	if err != nil {
		return nil, fmt.Errorf("%w: record of task %s: %w", errCorrupt, id, err)
	}
	t.ID, t.Status = id, status
	return t, nil
}

func taskOf(r *recordpb.Record) (*task.Task, error) {
	if err := checkRecord(r); err != nil {
		return nil, err
	}
	t := &task.Task{
		Type: r.Type, Queue: r.Queue, Payload: r.Payload, PayloadSize: r.PayloadSize, Priority: task.Priority(r.Priority),
		CreatedAt: moment(r.CreatedAtUs), ScheduledAt: moment(r.ScheduledAtUs), UpdatedAt: moment(r.UpdatedAtUs),
		MaxRetries: r.MaxRetries, RetryCount: r.RetryCount, MaxCrashes: r.MaxCrashes, CrashCount: r.CrashCount,
		TimeoutSeconds: r.TimeoutSeconds, WorkerID: r.WorkerId, LeaseID: r.LeaseId,
		LeaseDuration: duration(r.LeaseDurationUs), LeaseExpiresAt: moment(r.LeaseExpiresAtUs),
		StartedAt: moment(r.StartedAtUs), PriorStart: moment(r.PriorStartUs), Attempt: r.Attempt, Result: r.Result, ResultSize: r.ResultSize, Error: r.Error,
		Reason: task.Reason(r.Reason), WaitingFor: r.WaitingFor,
		OnDependencyFailure: task.DependencyPolicy(r.OnDependencyFailure), UniqueKey: r.UniqueKey,
		ExpiresAt: moment(r.ExpiresAtUs), Retention: duration(r.RetentionUs), DeleteAt: moment(r.DeleteAtUs),
		CancelRequested: r.CancelRequested, Recount: r.Recount, Seq: r.Seq, Hash: [16]byte(r.Hash),
		Aging:       time.Duration(r.AgingSeconds) * time.Second,
		UniqueScope: task.UniqueScope(r.UniqueScope), UniqueUntil: moment(r.UniqueUntilUs), UniqueHeld: r.UniqueHeld,
	}
	copy(t.ReplacedBy[:], r.ReplacedBy)
	if t.Queue == "" {
		t.Queue = task.DefaultQueue
	}
	if len(r.Payload) > 0 {
		t.PayloadSize = uint32(len(r.Payload))
	}
	if len(r.Result) > 0 {
		t.ResultSize = uint32(len(r.Result))
	}
	copy(t.Session[:], r.Session)
	decodeParts(t, r)
	return t, nil
}

func decodeParts(t *task.Task, r *recordpb.Record) {
	if n := len(r.Dependencies) / 16; n > 0 {
		t.Dependencies = make([]task.ID, n)
		for i := range t.Dependencies {
			copy(t.Dependencies[i][:], r.Dependencies[16*i:])
		}
	}
	for _, h := range r.Headers {
		t.Headers = append(t.Headers, task.Header{Name: h.Name, Value: h.Value})
	}
	if b := r.Backoff; b != nil {
		t.Backoff = task.Backoff{
			Initial: duration(b.InitialUs), FactorPercent: b.FactorPercent, Max: duration(b.MaxUs), JitterPercent: b.JitterPercent,
		}
	}
	if p := r.Progress; p != nil {
		t.Progress = task.Progress{Percent: p.Percent, Message: p.Message, Cursor: p.Cursor}
	}
	for _, a := range r.History {
		t.History = append(t.History, task.Attempt{
			Number: a.Number, WorkerID: a.WorkerId, StartedAt: moment(a.StartedAtUs), EndedAt: moment(a.EndedAtUs),
			Outcome: task.OutcomeKind(a.Outcome), Error: a.Error,
		})
	}
	if l := r.LastLease; l != nil {
		t.LastLease = task.LastLease{LeaseID: l.LeaseId, Kind: task.OutcomeKind(l.Kind)}
		copy(t.LastLease.Digest[:], l.Digest)
	}
}

// checkRecord refuses what encodeRecord never writes.
func checkRecord(r *recordpb.Record) error {
	switch {
	case len(r.Hash) != 16:
		return fmt.Errorf("hash has %d bytes", len(r.Hash))
	case len(r.Session) != 0 && len(r.Session) != 16:
		return fmt.Errorf("session has %d bytes", len(r.Session))
	case len(r.ReplacedBy) != 0 && len(r.ReplacedBy) != 16:
		return fmt.Errorf("replaced_by has %d bytes", len(r.ReplacedBy))
	case r.UniqueScope > 255 || r.UniqueHeld && r.UniqueKey == "":
		return fmt.Errorf("unique scope %d, held %t, key of %d bytes", r.UniqueScope, r.UniqueHeld, len(r.UniqueKey))
	case len(r.Dependencies)%16 != 0:
		return fmt.Errorf("dependencies have %d bytes", len(r.Dependencies))
	case r.Priority > 255 || r.OnDependencyFailure > 255:
		return fmt.Errorf("priority %d or policy %d out of range", r.Priority, r.OnDependencyFailure)
	case len(r.Payload) > 0 && r.PayloadSize > 0, len(r.Result) > 0 && r.ResultSize > 0:
		return fmt.Errorf("bytes both inline and in blobs")
	case hasUnknown(r), r.Backoff != nil && hasUnknown(r.Backoff), r.Progress != nil && hasUnknown(r.Progress),
		r.LastLease != nil && hasUnknown(r.LastLease):
		return errUnknownField
	}
	for _, h := range r.Headers {
		if hasUnknown(h) {
			return errUnknownField
		}
	}
	for _, a := range r.History {
		if hasUnknown(a) || a.Outcome > 255 {
			return errUnknownField
		}
	}
	return nil
}

func hasUnknown(m interface{ ProtoReflect() protoreflect.Message }) bool {
	return len(m.ProtoReflect().GetUnknown()) > 0
}

func agingSeconds(t *task.Task) uint32 { return uint32(t.Aging / time.Second) }

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func duration(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
