package transport

import (
	"context"
	"io"
	"time"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// Broker is what clients work with: the queue, as the leader sees it. Calls are concurrent. Requests come with what
// task's Validate methods allow, the specs and outcomes in them unchecked, so that each can have its own receipt. The
// context of a call ends with the connection that it came from, that of reads and claims also when the node drains; an
// effect that was begun by then is the broker's to finish or take back.
type Broker interface {
	Guard
	// Submit returns one receipt for each spec, in order, or one error for the whole request.
	Submit(ctx context.Context, specs []task.Spec, atomic bool) ([]task.Receipt, error)
	// Claim waits up to the request's Wait for a first task. No task is no error.
	Claim(ctx context.Context, req task.ClaimRequest) ([]*task.Task, error)
	// Finish reports outcomes, one receipt each, and makes the next claim if there is one, which holds the receipts
	// back no longer than the outcomes themselves. Receipts may come with an error, which is then that of the next
	// claim.
	Finish(ctx context.Context, session task.SessionID, outcomes []task.Outcome, next *task.ClaimRequest) (
		[]task.Receipt, []*task.Task, error)
	Heartbeat(ctx context.Context, h task.Heartbeat) (task.HeartbeatReply, error)
	Cancel(ctx context.Context, ids []task.ID) ([]task.Receipt, error)
	Retry(ctx context.Context, ids []task.ID) ([]task.Receipt, error)
	Delete(ctx context.Context, ids []task.ID) ([]task.Receipt, error)
	// Get returns the tasks that exist, in the order of the ids, and the applied index they were read at.
	Get(ctx context.Context, q task.Query) ([]*task.Task, uint64, error)
	List(ctx context.Context, f task.Filter) (task.Page, error)
	Stats(ctx context.Context, q task.StatsQuery) (task.Stats, error)

	// Leader returns the leader's advertised HOST:PORT, "" if unknown, and whether that is this node. It is asked for
	// every request, so it has to be cheap.
	Leader() (address string, self bool)
	// LeaderChanged returns a channel that is closed when what Leader returns changes next.
	LeaderChanged() <-chan struct{}
	// OpenSession tells that a connection of the session exists at this leader, until the returned function is called,
	// once. A session may have several. push does not block and may be called until then, and after it without effect; end
	// asks the session's worker to end.
	OpenSession(id task.SessionID, from member.Origin, push func(cancelled []task.ID, end bool)) (closeSession func())
	// IsMember reports whether a node belongs to the cluster, and so may relay for clients.
	IsMember(id member.ID) bool
}

// Admin is what operators do with a node and its cluster. Calls are concurrent. Status, Examine, Leave, Adopt and
// SaveSnapshot concern the node that gets them; the others are for the leader.
type Admin interface {
	Status(ctx context.Context) (member.Status, error)
	Mark(ctx context.Context) (uint64, error)
	// Examine tells how far this node is with examining its own state at the mark at an index, which it begins.
	Examine(ctx context.Context, index uint64) (member.Examination, error)
	Join(ctx context.Context, j member.Join) (cluster member.ID, voter bool, err error)
	Remove(ctx context.Context, id member.ID) error
	Leave(ctx context.Context) error
	Transfer(ctx context.Context, to member.ID) (leader string, err error)
	Adopt(ctx context.Context, a member.Adoption) error
	// SaveSnapshot opens a snapshot of this node's state once it has applied Raft's log up to an index, and says how many
	// bytes it has. A read may take long at its end; it fails when ctx ends.
	SaveSnapshot(ctx context.Context, minIndex uint64) (r io.ReadCloser, size int64, err error)
	SetDispatch(ctx context.Context, paused bool) error
	// Workers lists up to limit of the sessions that claim tasks, in the order of their ids from the one after after on,
	// and says whether there are more.
	Workers(ctx context.Context, after task.SessionID, limit int) (list []member.Worker, more bool, err error)
	// DrainWorker asks the workers to end that a session or a worker id means, and returns them: one at least.
	DrainWorker(ctx context.Context, name string) ([]member.Worker, error)
	SetQueue(ctx context.Context, c task.QueueChange) error
	// Queues lists queues with tasks or settings, each with the sum of its types first.
	Queues(ctx context.Context, q task.QueuesQuery) ([]task.QueueState, error)
	// Retentions lists how long ended tasks are kept: for all types first.
	Retentions(ctx context.Context, stale bool) ([]task.Retention, error)
	// SetRetention changes nothing unless match is empty or the tag of all settings.
	SetRetention(ctx context.Context, r task.Retention, match string) error
	// ChangeSchedule returns the schedule as it is then, nil after it was triggered or removed, and the receipt of the
	// task that was triggered.
	ChangeSchedule(ctx context.Context, c task.ScheduleChange) (*task.Schedule, task.Receipt, error)
	Schedules(ctx context.Context, q task.ScheduleQuery) (task.SchedulePage, error)
	// StartOperation returns the operation as it is; the same order again is the same operation.
	StartOperation(ctx context.Context, o task.OperationOrder) (task.Operation, error)
	// TryOperation counts what an operation would change, from a cursor on and as far as one call looks; next is nil at
	// the end.
	TryOperation(ctx context.Context, o task.OperationOrder, cursor []byte) (would task.Operation, next []byte, err error)
	Operations(ctx context.Context, stale bool) ([]task.Operation, error)
	CancelOperation(ctx context.Context, id task.ID) error
	// CreateToken makes a token, or returns it as it is if it is there. RevokeToken ends one, the last valid one of an admin
	// only by force.
	CreateToken(ctx context.Context, t member.NewToken) (member.Token, error)
	Tokens(ctx context.Context, stale bool) ([]member.Token, error)
	RevokeToken(ctx context.Context, id string, force bool) (member.Token, error)
}

// Identity is who this node is, as its answer to a Hello says.
type Identity struct {
	NodeID, ClusterID member.ID
	NodeName, Version string
	HeartbeatInterval time.Duration // longest pause between two heartbeats of a session
	MinLease          time.Duration
	Advertise         string // HOST:PORT under which others reach this node
}
