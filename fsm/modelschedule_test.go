package fsm

import (
	"errors"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// This part of the model is schedules. Ids and versions of schedules are not foretold: they are what the FSM says.

// setSchedule makes or changes a schedule, if nobody else did meanwhile.
func (m *model) setSchedule(s task.Schedule) (set bool) {
	old := m.schedules[s.Name]
	if old == nil {
		old = &task.Schedule{CreatedAt: m.now}
	}
	if s.Version != old.Version {
		return false
	}
	s.ID, s.CreatedAt, s.UpdatedAt = old.ID, old.CreatedAt, m.now
	s.LastFire, s.LastTask, s.LastError, s.Fired, s.Skipped = old.LastFire, old.LastTask, old.LastError, old.Fired, old.Skipped
	m.schedules[s.Name] = &s
	return true
}

// fire submits a schedule's task for a moment, once. It returns the answer to the submit, if there was one.
func (m *model) fire(c *Fire) (answer *task.Receipt, faults, refused []error) {
	s := m.schedules[c.Name]
	if c.Trigger != (task.ID{}) {
		return m.trigger(s, c.Trigger)
	}
	if s == nil || s.Version != c.Version || s.Next.IsZero() || !s.Next.Equal(c.Due) {
		return nil, nil, nil
	}
	if s.Next = c.Next; c.At.IsZero() {
		return nil, nil, nil
	}
	s.LastFire = c.At
	if m.overlaps(s) {
		s.Skipped++
		return nil, nil, nil
	}
	answer, faults = m.submitFor(s, task.FireID(m.cluster, s.ID, c.At), c.At)
	return answer, faults, nil
}

func (m *model) trigger(s *task.Schedule, id task.ID) (answer *task.Receipt, faults, refused []error) {
	if s == nil {
		return nil, nil, []error{task.ErrNotFound}
	}
	if _, _, known := m.fate(id); known {
		return &task.Receipt{ID: id, Duplicate: true}, nil, nil
	}
	if m.overlaps(s) {
		return nil, nil, []error{task.ErrTransition}
	}
	s.LastFire = m.now
	answer, faults = m.submitFor(s, id, m.now)
	return answer, faults, nil
}

// overlaps tells whether the last fire's task stands against another.
func (m *model) overlaps(s *task.Schedule) bool {
	status, _, known := m.fate(s.LastTask)
	return s.Overlap == task.OverlapSkip && known && !status.IsTerminal()
}

func (m *model) submitFor(s *task.Schedule, id task.ID, at time.Time) (*task.Receipt, []error) {
	spec := s.Submission(id, at)
	answers, faults := m.submitEach(&Submit{Specs: []task.Spec{spec}, Hashes: [][16]byte{spec.ContentHash()}, DedupWindow: task.MaxDelay})
	if faults[0] != nil {
		s.LastError = errors.Join(faults[0]...).Error()
	} else {
		s.LastTask, s.LastError = answers[0].ID, ""
		s.Fired++
	}
	return &answers[0], faults[0]
}
