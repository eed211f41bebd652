package transport

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// finishFunc is a Finish without its session.
type finishFunc func(ctx context.Context, outcomes []task.Outcome, next *task.ClaimRequest) (
	[]task.Receipt, []*task.Task, error)

// fakeBroker answers what its functions say; those not set answer like an empty queue. It counts what it was asked.
type fakeBroker struct {
	fakeGuard
	submit    func(ctx context.Context, specs []task.Spec, atomic bool) ([]task.Receipt, error)
	claim     func(ctx context.Context, req task.ClaimRequest) ([]*task.Task, error)
	finish    finishFunc
	get       func(ctx context.Context, q task.Query) ([]*task.Task, uint64, error)
	list      func(ctx context.Context, f task.Filter) (task.Page, error)
	heartbeat func(h task.Heartbeat) (task.HeartbeatReply, error)

	mu       sync.Mutex
	address  string
	self     bool
	changed  chan struct{}
	members  map[member.ID]bool
	sessions map[task.SessionID][]func([]task.ID, bool) // pushes of the open ones
	opened   int
	submits  int
	stats    int
}

// newBroker returns the broker of a leader.
func newBroker() *fakeBroker {
	return &fakeBroker{
		self: true, changed: make(chan struct{}), members: map[member.ID]bool{},
		sessions: map[task.SessionID][]func([]task.ID, bool){},
	}
}

// lead changes who leads.
func (b *fakeBroker) lead(address string, self bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.address, b.self = address, self
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *fakeBroker) Submit(ctx context.Context, specs []task.Spec, atomic bool) ([]task.Receipt, error) {
	b.mu.Lock()
	b.submits++
	b.mu.Unlock()
	if b.submit != nil {
		return b.submit(ctx, specs, atomic)
	}
	receipts := make([]task.Receipt, len(specs))
	for i := range specs {
		receipts[i] = task.Receipt{ID: specs[i].ID, Err: specs[i].Validate()}
	}
	return receipts, nil
}

// Claim without a function waits for a task that never comes.
func (b *fakeBroker) Claim(ctx context.Context, req task.ClaimRequest) ([]*task.Task, error) {
	if b.claim != nil {
		return b.claim(ctx, req)
	}
	if req.Wait == 0 {
		return nil, nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func (b *fakeBroker) Finish(ctx context.Context, _ task.SessionID, outcomes []task.Outcome, next *task.ClaimRequest) (
	[]task.Receipt, []*task.Task, error,
) {
	if b.finish != nil {
		return b.finish(ctx, outcomes, next)
	}
	receipts := make([]task.Receipt, len(outcomes))
	for i := range outcomes {
		receipts[i].ID = outcomes[i].ID
	}
	return receipts, nil, nil
}

func (b *fakeBroker) Heartbeat(_ context.Context, h task.Heartbeat) (task.HeartbeatReply, error) {
	if b.heartbeat != nil {
		return b.heartbeat(h)
	}
	return task.HeartbeatReply{}, nil
}

func (b *fakeBroker) Cancel(_ context.Context, ids []task.ID) ([]task.Receipt, error) {
	receipts := make([]task.Receipt, len(ids))
	for i := range ids {
		receipts[i] = task.Receipt{ID: ids[i], Err: task.ErrNotFound}
	}
	return receipts, nil
}

// Retry finds every task, and Delete every other.
func (b *fakeBroker) Retry(_ context.Context, ids []task.ID) ([]task.Receipt, error) {
	receipts := make([]task.Receipt, len(ids))
	for i := range ids {
		receipts[i] = task.Receipt{ID: ids[i]}
	}
	return receipts, nil
}

func (b *fakeBroker) Delete(ctx context.Context, ids []task.ID) ([]task.Receipt, error) {
	receipts, err := b.Retry(ctx, ids)
	for i := range receipts {
		receipts[i].Duplicate = i%2 == 1
	}
	return receipts, err
}

func (b *fakeBroker) Get(ctx context.Context, q task.Query) ([]*task.Task, uint64, error) {
	if b.get != nil {
		return b.get(ctx, q)
	}
	return nil, 7, nil
}

func (b *fakeBroker) List(ctx context.Context, f task.Filter) (task.Page, error) {
	if b.list != nil {
		return b.list(ctx, f)
	}
	return task.Page{AppliedIndex: 8}, nil
}

func (b *fakeBroker) Stats(context.Context, task.StatsQuery) (task.Stats, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats++
	return task.Stats{AppliedIndex: 9}, nil
}

func (b *fakeBroker) Leader() (string, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.address, b.self
}

func (b *fakeBroker) LeaderChanged() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

func (b *fakeBroker) OpenSession(id task.SessionID, from member.Origin, push func([]task.ID, bool)) func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opened++
	b.sessions[id] = append(b.sessions[id], push)
	closed := false
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if closed {
			panic("session closed twice")
		}
		closed = true
		b.sessions[id] = b.sessions[id][1:]
	}
}

// connections returns how many connections of the session are open, and how many sessions were ever opened.
func (b *fakeBroker) connections(id task.SessionID) (open, ever int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.sessions[id]), b.opened
}

func (b *fakeBroker) push(id task.SessionID, cancelled []task.ID, drain bool) {
	b.mu.Lock()
	pushes := slices.Clone(b.sessions[id])
	b.mu.Unlock()
	for _, push := range pushes {
		push(cancelled, drain)
	}
}

func (b *fakeBroker) IsMember(id member.ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.members[id]
}

// fakeAdmin answers with what it was asked.
type fakeAdmin struct {
	name string
	save func(ctx context.Context, minIndex uint64) (io.ReadCloser, int64, error)
}

func (a *fakeAdmin) SaveSnapshot(ctx context.Context, minIndex uint64) (io.ReadCloser, int64, error) {
	if a.save != nil {
		return a.save(ctx, minIndex)
	}
	return nil, 0, fmt.Errorf("%w: %s at %d", task.ErrTimeout, a.name, minIndex)
}

func (a *fakeAdmin) SetDispatch(_ context.Context, paused bool) error {
	return fmt.Errorf("%w: paused %t", task.ErrConflict, paused)
}

func (a *fakeAdmin) Status(context.Context) (member.Status, error) {
	return member.Status{NodeName: a.name, State: "leader", Term: 3}, nil
}
func (a *fakeAdmin) Mark(context.Context) (uint64, error) { return 42, nil }
func (a *fakeAdmin) Examine(_ context.Context, index uint64) (member.Examination, error) {
	if index > 100 {
		return member.Examination{}, fmt.Errorf("%w: no mark at %d", task.ErrNotFound, index)
	}
	return member.Examination{Index: index, Finished: true, Found: task.Verification{Removed: 3, Problems: []string{a.name}}}, nil
}
func (a *fakeAdmin) Join(_ context.Context, j member.Join) (member.ID, bool, error) {
	return j.Member.ID, j.AppliedIndex > 5, nil
}
func (a *fakeAdmin) Remove(_ context.Context, id member.ID) error {
	return fmt.Errorf("%w: node %s", task.ErrNotFound, id)
}
func (a *fakeAdmin) Leave(context.Context) error {
	return fmt.Errorf("%w: %s", task.ErrNotAllowed, a.name)
}
func (a *fakeAdmin) Transfer(_ context.Context, to member.ID) (string, error) {
	return "to-" + to.String(), nil
}
func (a *fakeAdmin) Adopt(_ context.Context, ad member.Adoption) error {
	return fmt.Errorf("%w: %s", task.ErrConflict, ad.Addresses[0])
}

func (a *fakeAdmin) SetQueue(_ context.Context, c task.QueueChange) error { return c.Validate() }
func (a *fakeAdmin) Queues(_ context.Context, q task.QueuesQuery) ([]task.QueueState, error) {
	return []task.QueueState{{QueueSettings: task.QueueSettings{Queue: q.Queue, Paused: q.Stale}}}, q.Validate()
}

func (a *fakeAdmin) Workers(_ context.Context, after task.SessionID, limit int) ([]member.Worker, bool, error) {
	return []member.Worker{{Session: after, IDs: []string{a.name}, Leases: uint32(limit)}}, true, nil
}
func (a *fakeAdmin) DrainWorker(_ context.Context, name string) ([]member.Worker, error) {
	if name == "nobody" {
		return nil, task.ErrNotFound
	}
	return []member.Worker{{Session: task.SessionID{1}, IDs: []string{name}, Draining: true}}, nil
}

func (a *fakeAdmin) Retentions(context.Context, bool) ([]task.Retention, error) {
	return []task.Retention{{}, {Type: a.name, Completed: time.Hour}}, nil
}
func (a *fakeAdmin) ChangeSchedule(_ context.Context, c task.ScheduleChange) (*task.Schedule, task.Receipt, error) {
	if c.Action == task.ScheduleTrigger {
		return nil, task.Receipt{ID: c.TaskID}, nil
	}
	return &c.Schedule, task.Receipt{}, c.Validate()
}

func (a *fakeAdmin) Schedules(_ context.Context, q task.ScheduleQuery) (task.SchedulePage, error) {
	s := &task.Schedule{Name: q.Name, Task: task.Spec{Type: a.name}}
	return task.SchedulePage{Schedules: []*task.Schedule{s}, Upcoming: make([]time.Time, q.Fires), Next: q.After}, nil
}

func (a *fakeAdmin) CreateToken(_ context.Context, t member.NewToken) (member.Token, error) {
	return member.Token{ID: t.ID, Role: t.Role}, nil
}
func (a *fakeAdmin) Tokens(_ context.Context, stale bool) ([]member.Token, error) {
	return []member.Token{{ID: a.name, Role: member.RoleAdmin}}, nil
}
func (a *fakeAdmin) RevokeToken(_ context.Context, id string, force bool) (member.Token, error) {
	if !force {
		return member.Token{}, fmt.Errorf("%w: token %s", task.ErrNotAllowed, id)
	}
	return member.Token{ID: id, Role: member.RoleAdmin}, nil
}

func (a *fakeAdmin) SetRetention(_ context.Context, r task.Retention, _ string) error {
	return r.Validate()
}

func (a *fakeAdmin) StartOperation(_ context.Context, o task.OperationOrder) (task.Operation, error) {
	return task.Operation{OperationOrder: o, State: task.OperationRunning}, nil
}
func (a *fakeAdmin) TryOperation(_ context.Context, o task.OperationOrder, cursor []byte) (task.Operation, []byte, error) {
	return task.Operation{OperationOrder: o, Changed: 5}, append(cursor, 1), nil
}
func (a *fakeAdmin) Operations(context.Context, bool) ([]task.Operation, error) {
	id := task.ID{1, 6: 0x70, 8: 0x80}
	return []task.Operation{{OperationOrder: task.OperationOrder{ID: id, Action: task.ActionCancel}}, {OperationOrder: task.OperationOrder{Action: task.ActionRetry}}}, nil
}
func (a *fakeAdmin) CancelOperation(_ context.Context, id task.ID) error {
	return fmt.Errorf("%w: operation %s", task.ErrTransition, id)
}
