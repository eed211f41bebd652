package fsm

import (
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/commandpb"
	"github.com/haiku-queue/haiku/task"
)

func submitToPB(c *Submit) (*commandpb.Submit, error) {
	if len(c.Hashes) != len(c.Specs) {
		return nil, fmt.Errorf("%w: %d specs, %d hashes", errField, len(c.Specs), len(c.Hashes))
	}
	m := &commandpb.Submit{Specs: make([]*commandpb.Spec, len(c.Specs)), Atomic: c.Atomic, DedupWindowUs: c.DedupWindow.Microseconds()}
	for i := range c.Specs {
		m.Specs[i] = specToPB(&c.Specs[i], c.Hashes[i][:])
	}
	return m, nil
}

func specToPB(s *task.Spec, hash []byte) *commandpb.Spec {
	m := &commandpb.Spec{
		Id: s.ID[:], Type: s.Type, Queue: s.Queue, Payload: s.Payload, DelayUs: s.Delay.Microseconds(),
		ScheduledAtUs: timeToMicros(s.ScheduledAt), MaxRetries: s.MaxRetries, MaxCrashes: s.MaxCrashes,
		TimeoutSeconds: s.TimeoutSeconds, Dependencies: joinIDs(s.Dependencies), OnDependencyFailure: uint32(s.OnDependencyFailure),
		UniqueKey: s.UniqueKey, ExpiresAtUs: timeToMicros(s.ExpiresAt), RetentionUs: s.Retention.Microseconds(),
		BackoffInitialUs: s.Backoff.Initial.Microseconds(), BackoffFactorPercent: s.Backoff.FactorPercent,
		BackoffMaxUs: s.Backoff.Max.Microseconds(), BackoffJitterPercent: s.Backoff.JitterPercent, Hash: hash,
		UniqueScope: uint32(s.UniqueScope), UniqueTtlUs: s.UniqueTTL.Microseconds(), OnConflict: uint32(s.OnConflict),
		ExpiresInUs: s.ExpiresIn.Microseconds(),
	}
	if s.Priority != nil {
		p := uint32(*s.Priority)
		m.Priority = &p
	}
	for _, h := range s.Headers {
		m.Headers = append(m.Headers, &commandpb.Header{Name: h.Name, Value: h.Value})
	}
	return m
}

func submitFromPB(m *commandpb.Submit) (*Submit, error) {
	if err := refuseUnknown(m); err != nil {
		return nil, err
	}
	c := &Submit{Specs: make([]task.Spec, len(m.Specs)), Hashes: make([][16]byte, len(m.Specs)), Atomic: m.Atomic, DedupWindow: micros(m.DedupWindowUs)}
	for i, s := range m.Specs {
		if err := specFromPB(s, &c.Specs[i]); err != nil {
			return nil, err
		}
		if len(s.Hash) != 16 {
			return nil, fmt.Errorf("%w: hash of %d bytes", errField, len(s.Hash))
		}
		c.Hashes[i] = [16]byte(s.Hash)
	}
	return c, nil
}

func specFromPB(m *commandpb.Spec, s *task.Spec) error {
	if err := refuseUnknown(m); err != nil {
		return err
	}
	id, err := task.IDFromBytes(m.Id)
	if err != nil {
		return err
	}
	dependencies, err := splitIDs(m.Dependencies)
	if err != nil {
		return err
	}
	*s = task.Spec{
		ID: id, Type: m.Type, Queue: m.Queue, Payload: m.Payload, Delay: micros(m.DelayUs),
		ScheduledAt: timeFromMicros(m.ScheduledAtUs), MaxRetries: m.MaxRetries, MaxCrashes: m.MaxCrashes,
		TimeoutSeconds: m.TimeoutSeconds, Dependencies: dependencies, OnDependencyFailure: task.DependencyPolicy(m.OnDependencyFailure),
		UniqueKey: m.UniqueKey, ExpiresAt: timeFromMicros(m.ExpiresAtUs), Retention: micros(m.RetentionUs),
		Backoff: task.Backoff{
			Initial: micros(m.BackoffInitialUs), FactorPercent: m.BackoffFactorPercent,
			Max: micros(m.BackoffMaxUs), JitterPercent: m.BackoffJitterPercent,
		},
		UniqueScope: task.UniqueScope(m.UniqueScope), UniqueTTL: micros(m.UniqueTtlUs), OnConflict: task.ConflictPolicy(m.OnConflict),
		ExpiresIn: micros(m.ExpiresInUs),
	}
	if m.Priority != nil {
		p := task.Priority(*m.Priority)
		s.Priority = &p
	}
	for _, h := range m.Headers {
		if err := refuseUnknown(h); err != nil {
			return err
		}
		s.Headers = append(s.Headers, task.Header{Name: h.Name, Value: h.Value})
	}
	return nil
}

// timeToMicros gives 0 for the zero time; 1970 itself is not told from it.
func timeToMicros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func timeFromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
