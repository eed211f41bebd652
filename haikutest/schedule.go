package haikutest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/haiku-queue/haiku/cron"
	"github.com/haiku-queue/haiku/task"
)

// ChangeSchedule is transport.Admin's.
func (c *cluster) ChangeSchedule(_ context.Context, change task.ScheduleChange) (*task.Schedule, task.Receipt, error) {
	if err := change.Validate(); err != nil {
		return nil, task.Receipt{}, err
	}
	q := c.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	defer q.settle()
	key := change.Name
	if change.Action == task.ScheduleSet {
		key = change.Schedule.Name
	}
	old := q.schedules[key]
	if old == nil && change.Action != task.ScheduleSet {
		return nil, task.Receipt{}, fmt.Errorf("%w: schedule %q", task.ErrNotFound, key)
	}
	switch change.Action {
	case task.ScheduleRemove:
		delete(q.schedules, key)
		return nil, task.Receipt{}, nil
	case task.ScheduleTrigger:
		receipt, err := q.trigger(old, change.TaskID)
		return nil, receipt, err
	}
	s, err := q.edit(old, &change)
	if err == nil {
		light := *s
		light.Task.Payload = nil
		s = &light
	}
	return s, task.Receipt{}, err
}

// edit sets, pauses or resumes a schedule and returns it.
func (q *queue) edit(old *task.Schedule, c *task.ScheduleChange) (*task.Schedule, error) {
	var s task.Schedule
	switch {
	case c.Action == task.ScheduleSet:
		if err := matches(old, c); err != nil {
			return nil, err
		}
		if old != nil && old.SameAs(&c.Schedule) {
			return old, nil
		}
		s = q.newVersion(old, &c.Schedule)
	case c.Action == task.SchedulePause:
		s = *old
		s.Paused, s.PauseReason = true, c.Reason
	default:
		s = *old
		s.Paused, s.PauseReason = false, ""
	}
	if c.Action != task.ScheduleSet && s.Paused == old.Paused && s.PauseReason == old.PauseReason {
		return old, nil
	}
	times, err := cron.Parse(s.Expression, s.Zone, s.Anchor)
	if err != nil {
		return nil, err
	}
	s.Next = following(&s, times, q.now)
	switch {
	case s.Next.IsZero() && c.Action == task.ScheduleSet:
		return nil, fmt.Errorf("%w: schedule %q does not fire between now and its end", task.ErrInvalid, s.Name)
	case s.Paused:
		s.Next = time.Time{}
	}
	if old == nil && len(q.schedules) >= task.MaxSchedules {
		return nil, fmt.Errorf("%w: there are %d schedules, no more are allowed", task.ErrTooLarge, task.MaxSchedules)
	}
	q.seq++
	s.Version, s.UpdatedAt = q.seq, q.now
	q.schedules[s.Name] = &s
	return &s, nil
}

// matches refuses to set a schedule that is not as the client saw it.
func matches(old *task.Schedule, c *task.ScheduleChange) error {
	switch {
	case c.Match == "" || old == nil && c.Match == task.ScheduleAbsent || old != nil && old.Tag() == c.Match:
		return nil
	case c.Match == task.ScheduleAbsent:
		return fmt.Errorf("%w: there is a schedule %q", task.ErrPrecondition, old.Name)
	case old == nil:
		return fmt.Errorf("%w: there is no schedule %q", task.ErrPrecondition, c.Schedule.Name)
	}
	return fmt.Errorf("%w: schedule %q", task.ErrPrecondition, old.Name)
}

// newVersion is a schedule as a client sets it, with what stays of the one before.
func (q *queue) newVersion(old, set *task.Schedule) task.Schedule {
	if old == nil {
		q.seq++
		old = &task.Schedule{ID: q.seq, CreatedAt: q.now}
	}
	s := *old
	s.Name, s.Expression, s.Zone, s.Task = set.Name, set.Expression, set.Zone, set.Task
	s.CatchUp, s.Overlap, s.Start, s.End = set.CatchUp, set.Overlap, set.Start, set.End
	if !s.Start.IsZero() {
		s.Anchor = s.Start
	} else if old.Expression != set.Expression {
		s.Anchor = q.now.Truncate(time.Second)
	}
	return s
}

// following returns the fire that follows a moment; zero if there is none before the schedule's end.
func following(s *task.Schedule, times *cron.Times, after time.Time) time.Time {
	if s.Start.After(after) {
		after = s.Start.Add(-time.Microsecond)
	}
	next, ok := times.Next(after)
	if !ok || !s.End.IsZero() && next.After(s.End) {
		return time.Time{}
	}
	return next
}

// fire submits the tasks of the schedules whose moment has come, in the order of their names.
func (q *queue) fire() {
	for _, s := range q.listed("") {
		if s.Next.IsZero() || s.Next.After(q.now) {
			continue
		}
		times, err := cron.Parse(s.Expression, s.Zone, s.Anchor)
		if err != nil {
			continue // it was read when the schedule was set
		}
		next := *s
		next.LastFire, next.Next = s.Next, following(s, times, s.Next)
		if q.overlaps(s) {
			next.Skipped++
		} else {
			q.submitFor(&next, task.FireID(q.cluster, s.ID, s.Next), s.Next)
		}
		q.schedules[s.Name] = &next
	}
}

// trigger submits a schedule's task now.
func (q *queue) trigger(s *task.Schedule, id task.ID) (task.Receipt, error) {
	if _, _, known := q.fate(id); known {
		return task.Receipt{ID: id, Duplicate: true}, nil
	}
	if q.overlaps(s) {
		return task.Receipt{ID: id}, fmt.Errorf("%w: task %s of the last fire of schedule %q has not ended, and they may not overlap",
			task.ErrTransition, s.LastTask, s.Name)
	}
	next := *s
	next.LastFire = q.now
	receipt := q.submitFor(&next, id, q.now)
	q.schedules[s.Name] = &next
	return receipt, nil
}

// overlaps reports whether the task of the fire before has not ended and keeps the next one back.
func (q *queue) overlaps(s *task.Schedule) bool {
	status, _, known := q.fate(s.LastTask)
	return s.Overlap != task.OverlapAllow && known && !status.IsTerminal()
}

func (q *queue) submitFor(s *task.Schedule, id task.ID, at time.Time) task.Receipt {
	receipt := q.addAll([]task.Spec{s.Submission(id, at)}, newGroup(true))[0]
	if receipt.Err != nil {
		s.LastError = task.ClipText(receipt.Err.Error(), task.MaxReason)
	} else {
		s.LastTask, s.LastError = receipt.ID, ""
		s.Fired++
	}
	return receipt
}

// listed are the schedules whose names come after one, in order.
func (q *queue) listed(after string) (list []*task.Schedule) {
	for name, s := range q.schedules {
		if name > after {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b *task.Schedule) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Schedules is transport.Admin's.
func (c *cluster) Schedules(_ context.Context, query task.ScheduleQuery) (page task.SchedulePage, err error) {
	if err := query.Validate(); err != nil {
		return page, err
	}
	q := c.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if query.Name == "" {
		for _, s := range q.listed(query.After) {
			if len(page.Schedules) == query.Limit {
				page.Next = page.Schedules[query.Limit-1].Name
				break
			}
			light := *s
			light.Task.Payload = nil
			page.Schedules = append(page.Schedules, &light)
		}
		return page, nil
	}
	s := q.schedules[query.Name]
	if s == nil {
		return page, fmt.Errorf("%w: schedule %q", task.ErrNotFound, query.Name)
	}
	own := *s
	page.Schedules = []*task.Schedule{&own}
	times, err := cron.Parse(s.Expression, s.Zone, s.Anchor)
	for at := s.Next; err == nil && !at.IsZero() && len(page.Upcoming) < query.Fires; at = following(s, times, at) {
		page.Upcoming = append(page.Upcoming, at)
	}
	return page, err
}
