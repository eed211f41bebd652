package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/task"
)

// Get returns the tasks that exist, in the order of the ids, and the applied index they were read at. With Wait and one
// id it waits until the task has ended.
func (n *Node) Get(ctx context.Context, q task.Query) ([]*task.Task, uint64, error) {
	if err := checkCount("ids", len(q.IDs)); err != nil {
		return nil, 0, err
	}
	if q.Wait < 0 || q.Wait > task.MaxWait {
		return nil, 0, fmt.Errorf("%w: wait %s is not within 0 and %s", task.ErrInvalid, q.Wait, task.MaxWait)
	}
	if q.Wait > 0 && (len(q.IDs) != 1 || q.Stale) {
		return nil, 0, fmt.Errorf("%w: only one task can be waited for, and not with stale", task.ErrInvalid)
	}
	if q.Wait > 0 {
		return n.getEnded(ctx, q)
	}
	return n.getNow(ctx, q)
}

func (n *Node) getNow(ctx context.Context, q task.Query) (tasks []*task.Task, index uint64, err error) {
	size := 0
	err = n.read(ctx, q.Stale, func(l *leadership) error {
		tasks, index, size = nil, n.store.Applied().Index, 0
		for _, id := range q.IDs {
			t, err := n.store.Task(id, q.WithPayload)
			if err != nil {
				return err
			}
			if t == nil {
				continue
			}
			if size += len(t.Payload) + len(t.Result); size > maxReadBytes && len(tasks) > 0 {
				return fmt.Errorf("%w: the tasks have more than %d bytes together; ask for fewer at once", task.ErrTooLarge, maxReadBytes)
			}
			l.amend(t)
			tasks = append(tasks, t)
		}
		return nil
	})
	return tasks, index, err
}

// maxReadBytes bounds the payloads and results of one answer, so that it fits in a frame.
const maxReadBytes = 15 << 20

// getEnded answers when the task has ended, or with what it is when the wait is over.
func (n *Node) getEnded(ctx context.Context, q task.Query) ([]*task.Task, uint64, error) {
	l, err := n.leading()
	if err != nil {
		return nil, 0, err
	}
	over := time.NewTimer(q.Wait)
	defer over.Stop()
	for last := false; ; {
		woken, stop := n.endings.watch(q.IDs[0])
		tasks, index, err := n.getNow(ctx, q)
		if err != nil || last || len(tasks) == 0 || tasks[0].Status.IsTerminal() {
			stop()
			return tasks, index, err
		}
		select {
		case <-woken:
		case <-over.C:
			last = true
		case <-ctx.Done():
			err = ctx.Err()
		case <-l.ctx.Done():
			err = task.ErrNotLeader
		}
		stop()
		if err != nil {
			return nil, 0, err
		}
	}
}

// List returns one page of the tasks that a filter selects.
func (n *Node) List(ctx context.Context, f task.Filter) (page task.Page, err error) {
	err = n.read(ctx, f.Stale, func(l *leadership) error {
		now := time.Now()
		if l != nil {
			now = l.clock.Now()
		}
		f.Resolve(now)
		page, err = n.store.List(f)
		for _, t := range page.Tasks {
			l.amend(t)
		}
		return err
	})
	return page, err
}

// Stats returns the kept counts that a query selects.
func (n *Node) Stats(ctx context.Context, q task.StatsQuery) (stats task.Stats, err error) {
	err = n.read(ctx, q.Stale, func(*leadership) error {
		stats = n.store.Counts(q.Queue, q.Type)
		var err error
		stats.DispatchPaused, err = fsm.DispatchPaused(n.store)
		return err
	})
	return stats, err
}

// read runs fn on this node's state. Unless stale will do, the node must lead, and still lead after fn: then fn saw
// everything that was acknowledged before the call. l is nil when stale.
func (n *Node) read(ctx context.Context, stale bool, fn func(l *leadership) error) error {
	if stale {
		n.fsm.Settle()
		return fn(nil)
	}
	l, err := n.leading()
	if err != nil {
		return err
	}
	if err := fn(l); err != nil {
		return err
	}
	return l.verifier.verify(ctx)
}

// amend puts into a running task, read by the caller alone, what heartbeats told: when its lease really expires and how
// far it is. They are not replicated.
func (l *leadership) amend(t *task.Task) {
	if l == nil || t.Status != task.InProgress {
		return
	}
	if at, progress, ok := l.leases.state(t.ID, t.LeaseID); ok {
		t.LeaseExpiresAt, t.Progress = l.clock.Now().Add(time.Until(at)).Truncate(time.Microsecond), progress
	}
}

// endings tells those who wait for a task that it may have ended.
type endings struct {
	mu       sync.Mutex
	watchers map[task.ID]map[chan struct{}]struct{}
}

func newEndings() *endings { return &endings{watchers: make(map[task.ID]map[chan struct{}]struct{})} }

// watch returns a channel that is closed when the task may have ended, and a function that ends the watch.
func (e *endings) watch(id task.ID) (<-chan struct{}, func()) {
	c := make(chan struct{})
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.watchers[id] == nil {
		e.watchers[id] = make(map[chan struct{}]struct{})
	}
	e.watchers[id][c] = struct{}{}
	return c, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if of := e.watchers[id]; of != nil {
			delete(of, c)
			if len(of) == 0 {
				delete(e.watchers, id)
			}
		}
	}
}

func (e *endings) tell(ids []task.ID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.watchers) == 0 {
		return
	}
	for _, id := range ids {
		for c := range e.watchers[id] {
			close(c)
		}
		delete(e.watchers, id)
	}
}
