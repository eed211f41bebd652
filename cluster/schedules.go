package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/cron"
	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/task"
)

const (
	scheduleTries     = 10      // of a change while others change the same schedule
	schedulePageBytes = 4 << 20 // about what one page of a list may take
)

// ChangeSchedule makes, changes, pauses, resumes, triggers or removes a schedule. It returns the schedule as it is then,
// nil after it was triggered or removed, and the receipt of the task that was triggered.
func (n *Node) ChangeSchedule(ctx context.Context, c task.ScheduleChange) (*task.Schedule, task.Receipt, error) {
	var receipt task.Receipt
	if err := c.Validate(); err != nil {
		return nil, receipt, err
	}
	l, err := n.leading()
	if err == nil && (c.Action == task.ScheduleSet || c.Action == task.ScheduleTrigger) {
		err = n.refusal()
	}
	if err != nil {
		return nil, receipt, err
	}
	switch c.Action {
	case task.ScheduleTrigger:
		receipt, err = n.trigger(ctx, l, &c)
		return nil, receipt, err
	case task.ScheduleRemove:
		r, err := l.do(ctx, &fsm.RemoveSchedule{Name: c.Name})
		if err == nil {
			err = r.Err
		}
		return nil, receipt, err
	}
	s, err := n.editSchedule(ctx, l, &c)
	return s, receipt, err
}

// editSchedule computes what a schedule shall be from what it is, and proposes it. A change that came in between makes
// it compute again.
func (n *Node) editSchedule(ctx context.Context, l *leadership, c *task.ScheduleChange) (*task.Schedule, error) {
	name := c.Name
	if c.Action == task.ScheduleSet {
		name = c.Schedule.Name
	}
	for range scheduleTries {
		old, err := fsm.Schedule(n.store, name)
		if err != nil {
			return nil, fmt.Errorf("read schedule %q: %w", name, err)
		}
		if old == nil && c.Action != task.ScheduleSet {
			return nil, fmt.Errorf("%w: schedule %q", task.ErrNotFound, name)
		}
		if err := matchSchedule(old, c); err != nil {
			return nil, err
		}
		next, err := edited(old, c, l.clock.Now())
		if err != nil {
			return nil, err
		}
		if next == nil {
			old.Task.Payload = nil
			return old, l.verifier.verify(ctx)
		}
		r, err := l.do(ctx, &fsm.SetSchedule{Schedule: *next})
		if err == nil {
			err = r.Err
		}
		if err != nil {
			return nil, err
		}
		if r.Count == 1 {
			s, err := fsm.ScheduleState(n.store, name)
			if err == nil && s == nil {
				err = fmt.Errorf("%w: schedule %q: it has just been removed", task.ErrNotFound, name)
			}
			return s, err
		}
	}
	return nil, fmt.Errorf("%w: schedule %q is being changed by many", task.ErrBusy, name)
}

// matchSchedule refuses to set a schedule that is not as the client saw it.
func matchSchedule(old *task.Schedule, c *task.ScheduleChange) error {
	switch {
	case c.Match == "":
	case c.Match == task.ScheduleAbsent && old != nil:
		return fmt.Errorf("%w: there is a schedule %q", task.ErrPrecondition, old.Name)
	case c.Match != task.ScheduleAbsent && old == nil:
		return fmt.Errorf("%w: there is no schedule %q", task.ErrPrecondition, c.Schedule.Name)
	case c.Match != task.ScheduleAbsent && old.Tag() != c.Match:
		return fmt.Errorf("%w: schedule %q", task.ErrPrecondition, old.Name)
	}
	return nil
}

// edited is what a schedule becomes by a change; nil if it stays as it is.
func edited(old *task.Schedule, c *task.ScheduleChange, now time.Time) (s *task.Schedule, err error) {
	switch {
	case c.Action == task.ScheduleSet:
		if old != nil && old.SameAs(&c.Schedule) {
			return nil, nil
		}
		s = newVersion(old, &c.Schedule, now)
	case c.Action == task.SchedulePause:
		if old.Paused && old.PauseReason == c.Reason {
			return nil, nil
		}
		s = old
		s.Paused, s.PauseReason = true, c.Reason
	case !old.Paused:
		return nil, nil
	default:
		s = old
		s.Paused, s.PauseReason = false, ""
	}
	if s.Next, err = firstFire(s, now); err != nil {
		return nil, err
	}
	if s.Next.IsZero() && c.Action == task.ScheduleSet {
		return nil, fmt.Errorf("%w: schedule %q does not fire between now and its end", task.ErrInvalid, s.Name)
	}
	if s.Paused {
		s.Next = time.Time{}
	}
	return s, nil
}

// newVersion is a schedule as a client sets it, with what the broker keeps of the one before. What @every counts from
// stays while the expression does.
func newVersion(old, set *task.Schedule, now time.Time) *task.Schedule {
	s := *set
	s.Version, s.Paused, s.PauseReason, s.Anchor = 0, false, "", now.Truncate(time.Second)
	if old != nil {
		s.Version, s.Paused, s.PauseReason = old.Version, old.Paused, old.PauseReason
		if s.Expression == old.Expression {
			s.Anchor = old.Anchor
		}
	}
	if !s.Start.IsZero() {
		s.Anchor = s.Start
	}
	return &s
}

// trigger submits a schedule's task now.
func (n *Node) trigger(ctx context.Context, l *leadership, c *task.ScheduleChange) (task.Receipt, error) {
	receipt := task.Receipt{ID: c.TaskID}
	now := l.clock.Now()
	if made := c.TaskID.Time(); made.Before(now.Add(-l.dedup)) || made.After(now.Add(l.dedup)) {
		return receipt, fmt.Errorf("%w: task %s was made more than %s from now", task.ErrIDExpired, c.TaskID, l.dedup)
	}
	r, err := l.do(ctx, &fsm.Fire{Name: c.Name, Trigger: c.TaskID})
	if err == nil {
		err = r.Err
	}
	if err != nil {
		return receipt, err
	}
	return r.Receipts[0], nil
}

// Schedules returns the schedules that a query selects. It fails if one asked for by its name is not there.
func (n *Node) Schedules(ctx context.Context, q task.ScheduleQuery) (page task.SchedulePage, err error) {
	if err := q.Validate(); err != nil {
		return page, err
	}
	err = n.read(ctx, q.Stale, func(*leadership) error {
		if q.Name == "" {
			page, err = n.listSchedules(q)
		} else {
			page, err = n.oneSchedule(q)
		}
		return err
	})
	return page, err
}

func (n *Node) listSchedules(q task.ScheduleQuery) (page task.SchedulePage, err error) {
	size := 0
	err = fsm.EachSchedule(n.store, q.After, func(s *task.Schedule) bool {
		if len(page.Schedules) == q.Limit || size > schedulePageBytes {
			page.Next = page.Schedules[len(page.Schedules)-1].Name
			return false
		}
		for _, h := range s.Task.Headers {
			size += len(h.Name) + len(h.Value)
		}
		size += len(s.Task.UniqueKey) + len(s.LastError) + len(s.PauseReason)
		page.Schedules = append(page.Schedules, s)
		return true
	})
	return page, err
}

func (n *Node) oneSchedule(q task.ScheduleQuery) (page task.SchedulePage, err error) {
	s, err := fsm.Schedule(n.store, q.Name)
	if err != nil {
		return page, err
	}
	if s == nil {
		return page, fmt.Errorf("%w: schedule %q", task.ErrNotFound, q.Name)
	}
	page.Schedules = []*task.Schedule{s}
	if q.Fires == 0 || s.Next.IsZero() {
		return page, nil
	}
	times, err := cron.Parse(s.Expression, s.Zone, s.Anchor)
	if err != nil {
		return page, err
	}
	for at := s.Next; !at.IsZero() && len(page.Upcoming) < q.Fires; at = following(s, times, at) {
		page.Upcoming = append(page.Upcoming, at)
	}
	return page, nil
}
