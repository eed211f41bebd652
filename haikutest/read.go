package haikutest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// Get is transport.Broker's.
func (q *queue) Get(ctx context.Context, query task.Query) ([]*task.Task, uint64, error) {
	if err := query.Validate(); err != nil {
		return nil, 0, err
	}
	over := time.NewTimer(query.Wait)
	defer over.Stop()
	for last := query.Wait == 0; ; {
		q.mu.Lock()
		var found []*task.Task
		for _, id := range query.IDs {
			if t := q.tasks[id]; t != nil {
				found = append(found, q.show(t, query.WithPayload))
			}
		}
		changed, index := q.changed, q.changes
		q.mu.Unlock()
		if last || len(found) == 0 || found[0].Status.IsTerminal() {
			return found, index, nil
		}
		select {
		case <-changed:
		case <-over.C:
			last = true
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
}

// show is a task as a client sees it.
func (q *queue) show(t *task.Task, payload bool) *task.Task {
	t = t.Clone()
	if l := q.leases[t.ID]; l != nil {
		t.Progress = l.progress
	}
	if !payload {
		t.Payload, t.Result = nil, nil
	}
	return t
}

// List is transport.Broker's. A cursor is the number of tasks that came before, so it is not valid across changes.
func (q *queue) List(_ context.Context, f task.Filter) (task.Page, error) {
	if err := f.Validate(); err != nil {
		return task.Page{}, err
	}
	f.Resolve(q.clock())
	skip := 0
	if f.Cursor != nil {
		var err error
		if skip, err = strconv.Atoi(string(f.Cursor)); err != nil || skip < 0 {
			return task.Page{}, fmt.Errorf("%w: cursor %q is none of this broker's", task.ErrInvalid, f.Cursor)
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	var found []*task.Task
	for _, t := range q.tasks {
		if selects(&f, t) {
			found = append(found, t)
		}
	}
	slices.SortFunc(found, func(a, b *task.Task) int {
		switch {
		case f.Order == task.OrderByPriority:
			return task.Compare(a, b)
		case f.Order == task.OrderByScheduled && !a.ScheduledAt.Equal(b.ScheduledAt):
			return a.ScheduledAt.Compare(b.ScheduledAt)
		case f.Order == task.OrderByNewest:
			a, b = b, a
		}
		return slices.Compare(a.ID[:], b.ID[:])
	})
	page := task.Page{AppliedIndex: q.changes}
	for i := min(skip, len(found)); i < len(found); i++ {
		if len(page.Tasks) == f.Limit {
			page.Next = []byte(strconv.Itoa(i))
			break
		}
		page.Tasks = append(page.Tasks, q.show(found[i], f.WithPayload))
	}
	return page, nil
}

// selects reports whether a list has a place for a task.
func selects(f *task.Filter, t *task.Task) bool {
	switch {
	case !f.HasQueue(t.Queue), f.Type != "" && t.Type != f.Type, f.Status != 0 && t.Status != f.Status,
		t.Priority < f.MinPriority, f.MaxPriority != nil && t.Priority > *f.MaxPriority,
		f.DependsOn != task.ID{} && !slices.Contains(t.Dependencies, f.DependsOn), !f.UpdatedBefore.IsZero() && !t.UpdatedAt.Before(f.UpdatedBefore), !strings.Contains(t.Error, f.ErrorContains),
		t.ScheduledAt.Before(f.ScheduledFrom), !f.ScheduledTo.IsZero() && !t.ScheduledAt.Before(f.ScheduledTo):
		return false
	case f.Order == task.OrderByPriority:
		return t.Claimable()
	case f.Order == task.OrderByScheduled:
		return t.Status == task.Failed || t.Status == task.Pending && t.ScheduledAt.After(t.UpdatedAt)
	}
	return true
}

// Stats is transport.Broker's.
func (q *queue) Stats(_ context.Context, query task.StatsQuery) (task.Stats, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	type pair struct{ queue, typ string }
	counts := make(map[pair]*task.QueueCounts)
	for _, t := range q.tasks {
		if query.Queue != "" && t.Queue != query.Queue || query.Type != "" && t.Type != query.Type {
			continue
		}
		at := pair{t.Queue, t.Type}
		if counts[at] == nil {
			counts[at] = &task.QueueCounts{Queue: t.Queue, Type: t.Type}
		}
		count(counts[at], t)
	}
	stats := task.Stats{
		Total: task.QueueCounts{Queue: query.Queue, Type: query.Type}, AppliedIndex: q.changes, DispatchPaused: q.paused,
	}
	for _, c := range counts {
		stats.Total.Add(c)
		stats.Queues = append(stats.Queues, *c)
	}
	slices.SortFunc(stats.Queues, func(a, b task.QueueCounts) int {
		return slices.Compare([]string{a.Queue, a.Type}, []string{b.Queue, b.Type})
	})
	return stats, nil
}

func count(c *task.QueueCounts, t *task.Task) {
	switch t.Status {
	case task.Pending:
		c.Pending++
		switch t.Phase() {
		case task.Ready:
			c.Ready++
		case task.Scheduled:
			c.Scheduled++
		default:
			c.Blocked++
		}
	case task.InProgress:
		c.InProgress++
	case task.Completed:
		c.Completed++
	case task.Failed:
		c.Failed++
	case task.DeadLetter:
		c.DeadLetter++
	case task.Cancelled:
		c.Cancelled++
	}
}
