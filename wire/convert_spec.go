package wire

import (
	"fmt"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
)

// SpecToPB says a spec on the wire.
func SpecToPB(s *task.Spec) *wirepb.TaskSpec {
	p := &wirepb.TaskSpec{
		Id: bytesOf(s.ID), Type: s.Type, Queue: s.Queue, Payload: s.Payload, DelayUs: s.Delay.Microseconds(),
		ScheduledAtUs: micros(s.ScheduledAt), MaxRetries: s.MaxRetries, MaxCrashes: s.MaxCrashes,
		TimeoutSeconds: s.TimeoutSeconds,
		Dependencies:   IDsToPB(s.Dependencies), OnDependencyFailure: uint32(s.OnDependencyFailure),
		Headers:   headersToPB(s.Headers),
		UniqueKey: s.UniqueKey, ExpiresAtUs: micros(s.ExpiresAt), RetentionUs: s.Retention.Microseconds(),
		Backoff: backoffToPB(s.Backoff), UniqueScope: uint32(s.UniqueScope), UniqueTtlUs: s.UniqueTTL.Microseconds(),
		OnConflict: uint32(s.OnConflict), ExpiresInUs: s.ExpiresIn.Microseconds(),
	}
	if s.Priority != nil {
		v := uint32(*s.Priority)
		p.Priority = &v
	}
	return p
}

// SpecFromPB reads a spec. The error wraps task.ErrInvalid and names the field. The limits of Spec.Validate are left to
// the caller, so that each item of a request can have its own answer.
func SpecFromPB(p *wirepb.TaskSpec) (task.Spec, error) {
	var f fields
	s := task.Spec{
		Type: p.GetType(), Queue: p.GetQueue(), Payload: p.GetPayload(), TimeoutSeconds: p.GetTimeoutSeconds(),
		Headers: headersFromPB(p.GetHeaders()), UniqueKey: p.GetUniqueKey(),
	}
	if p == nil {
		return s, fmt.Errorf("%w: task is missing", task.ErrInvalid)
	}
	s.MaxRetries, s.MaxCrashes = p.MaxRetries, p.MaxCrashes
	id, err := id16[task.ID]("id", p.Id)
	s.ID = take(&f, id, err)
	if p.Priority != nil {
		v, err := small("priority", *p.Priority)
		priority := task.Priority(take(&f, v, err))
		s.Priority = &priority
	}
	delay, err := duration("delay_us", p.DelayUs)
	s.Delay = take(&f, delay, err)
	at, err := moment("scheduled_at_us", p.ScheduledAtUs)
	s.ScheduledAt = take(&f, at, err)
	ids, err := IDsFromPB("dependencies", p.Dependencies)
	s.Dependencies = take(&f, ids, err)
	policy, err := policyFromPB(p.OnDependencyFailure)
	s.OnDependencyFailure = take(&f, policy, err)
	at, err = moment("expires_at_us", p.ExpiresAtUs)
	s.ExpiresAt = take(&f, at, err)
	in, err := duration("expires_in_us", p.ExpiresInUs)
	s.ExpiresIn = take(&f, in, err)
	kept, err := duration("retention_us", p.RetentionUs)
	s.Retention = take(&f, kept, err)
	scope, err := small("unique_scope", p.UniqueScope)
	s.UniqueScope = task.UniqueScope(take(&f, scope, err))
	ttl, err := duration("unique_ttl_us", p.UniqueTtlUs)
	s.UniqueTTL = take(&f, ttl, err)
	conflict, err := small("on_conflict", p.OnConflict)
	s.OnConflict = task.ConflictPolicy(take(&f, conflict, err))
	backoff, err := backoffFromPB(p.Backoff)
	s.Backoff = take(&f, backoff, err)
	return s, f.err
}

func policyFromPB(v uint32) (task.DependencyPolicy, error) {
	if v > uint32(task.PolicyBlock) {
		return 0, fmt.Errorf("%w: on_dependency_failure %d; allowed are 0 cancel, 1 ignore, 2 block", task.ErrInvalid, v)
	}
	return task.DependencyPolicy(v), nil
}

func headersToPB(headers []task.Header) []*wirepb.Header {
	if len(headers) == 0 {
		return nil
	}
	out := make([]*wirepb.Header, len(headers))
	for i, h := range headers {
		out[i] = &wirepb.Header{Name: h.Name, Value: h.Value}
	}
	return out
}

func headersFromPB(headers []*wirepb.Header) []task.Header {
	if len(headers) == 0 {
		return nil
	}
	out := make([]task.Header, len(headers))
	for i, h := range headers {
		out[i] = task.Header{Name: h.GetName(), Value: h.GetValue()}
	}
	return out
}

func backoffToPB(b task.Backoff) *wirepb.Backoff {
	if b.IsZero() {
		return nil
	}
	return &wirepb.Backoff{InitialUs: b.Initial.Microseconds(), FactorPercent: b.FactorPercent,
		MaxUs: b.Max.Microseconds(), JitterPercent: b.JitterPercent}
}

func backoffFromPB(p *wirepb.Backoff) (b task.Backoff, err error) {
	if p == nil {
		return b, nil
	}
	b.FactorPercent, b.JitterPercent = p.FactorPercent, p.JitterPercent
	if b.Initial, err = duration("backoff.initial_us", p.InitialUs); err != nil {
		return b, err
	}
	b.Max, err = duration("backoff.max_us", p.MaxUs)
	return b, err
}
