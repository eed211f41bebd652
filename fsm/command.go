package fsm

import (
	"time"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// Kind numbers a command in the log. Numbers are never reused.
type Kind uint8

// The kinds of commands.
const (
	KindSubmit         Kind = 1
	KindClaim          Kind = 2
	KindFinish         Kind = 3
	KindCancel         Kind = 4
	KindRelease        Kind = 5
	KindPromote        Kind = 6
	KindStep           Kind = 7
	KindSetMember      Kind = 8
	KindRemoveMember   Kind = 9
	KindFound          Kind = 10
	KindMark           Kind = 11
	KindRequeue        Kind = 20
	KindSetRetention   Kind = 22
	KindReap           Kind = 23
	KindSetDispatch    Kind = 24
	KindSetQueue       Kind = 25
	KindRetry          Kind = 29
	KindDelete         Kind = 30
	KindStartOperation Kind = 31
	KindStepOperation  Kind = 32
	KindEndOperation   Kind = 33
	KindExpire         Kind = 34
	KindCreateToken    Kind = 35
	KindRevokeToken    Kind = 36
)

// MaxCommandVersion is the newest command version that this program applies. A leader proposes no command above the
// lowest MaxCommandVersion of its members.
const MaxCommandVersion = 3

// Command is one change that is proposed, replicated and applied. The concrete types of this file are all there are.
type Command interface{ Kind() Kind }

// Submit adds tasks. The specs are validated before they are proposed.
type Submit struct {
	Specs       []task.Spec
	Hashes      [][16]byte // ContentHash of each spec as the client sent it
	Atomic      bool       // all or nothing
	DedupWindow time.Duration
}

// Claim leases ready tasks to a worker. Wait is not part of it.
type Claim struct {
	Session  task.SessionID
	WorkerID string
	Queues   []string
	Types    []string // all types of the queues if empty
	Max      int
	Lease    time.Duration
}

// Finish ends leases with what the workers report. Delays holds, for each outcome, the wait until a retry or the end
// of a snooze, jitter included. Hashes holds, for each outcome, the content hashes of the tasks that are submitted with it.
type Finish struct {
	Outcomes    []task.Outcome
	Delays      []time.Duration
	Hashes      [][][16]byte
	DedupWindow time.Duration
}

// Cancel cancels waiting tasks and asks running ones to stop.
type Cancel struct{ IDs []task.ID }

// Release ends leases on the broker's own account. Only the leader makes it.
type Release struct{ Ended []Ended }

// Ended is one lease that the broker ends.
type Ended struct {
	ID       task.ID
	LeaseID  uint64
	Kind     task.OutcomeKind // one of those that the broker decides
	Crash    bool             // counts towards max_crashes
	Delay    time.Duration    // with TimedOut: until the retry
	Progress task.Progress    // what heartbeats told last
}

// Promote moves up to Max due tasks, scheduled or to be retried, into the ready order. Only the leader makes it.
type Promote struct{ Max int }

// Step goes on with work that an earlier command left because it would have touched too many tasks. Only the leader
// makes it.
type Step struct{}

// SetMember stores what a node tells of itself. Role and Voter are not stored: Raft knows them.
type SetMember struct{ Member member.Member }

// RemoveMember forgets a node.
type RemoveMember struct{ ID member.ID }

// Found gives a new cluster its id; refused when there is one.
type Found struct{ ClusterID member.ID }

// Mark makes every node take a snapshot for its state hash at the mark's index.
type Mark struct{}

// SetRetention changes how long tasks are kept that end from now on.
type SetRetention struct{ Retention task.Retention }

// Reap deletes up to Max tasks whose retention is over, and forgets removed ones whose ids are older than the dedup
// window. Only the leader makes it.
type Reap struct {
	Max         int
	DedupWindow time.Duration
}

// SetDispatch stops or resumes the handing out of tasks: while it is paused, claims get nothing.
type SetDispatch struct{ Paused bool }

// SetQueue changes settings of a queue or of a type in it. The change is validated before it is proposed.
type SetQueue struct{ Change task.QueueChange }

// Requeue puts up to Max running tasks back to wait, in the order of their ids from the one after After on. Recovery
// makes it.
type Requeue struct {
	After task.ID // zero for the first
	Max   int
}

// Retry has tasks run again that have ended without success, or wait for a retry.
type Retry struct{ IDs []task.ID }

// Delete deletes tasks that do not run. Those that wait are cancelled first.
type Delete struct {
	IDs         []task.ID
	DedupWindow time.Duration
}

// StartOperation begins a change of many tasks, which StepOperation carries out.
type StartOperation struct{ Order task.OperationOrder }

// StepOperation changes those of IDs that the operation's selection still selects, and moves its cursor on. Only the
// leader makes it, from what it read: a step for another cursor than the operation's does nothing.
type StepOperation struct {
	ID          task.ID
	Action      task.Action // the operation's
	From, To    task.ID     // the cursor before and after
	IDs         []task.ID   // what the selection selects between them, in order
	Examined    int         // tasks looked at between them
	Last        bool        // nothing is left after To
	DedupWindow time.Duration
}

// EndOperation cancels a running operation; what it has changed stays.
type EndOperation struct{ ID task.ID }

// Expire ends up to Max tasks that were not started before their ExpiresAt. Only the leader makes it.
type Expire struct{ Max int }

// CreateToken makes a token. The same again changes nothing.
type CreateToken struct {
	Token       member.NewToken
	NodeSecret  [32]byte // by which members know each other, made by the leader; kept with the first token
	UnlessAdmin bool     // refused if an admin's token is valid
}

// RevokeToken ends a token. The last valid one of an admin stays unless Force is set.
type RevokeToken struct {
	ID    string
	Force bool
}

// Kind and its siblings name the commands' numbers.
func (*Submit) Kind() Kind         { return KindSubmit }
func (*Claim) Kind() Kind          { return KindClaim }
func (*Finish) Kind() Kind         { return KindFinish }
func (*Cancel) Kind() Kind         { return KindCancel }
func (*Release) Kind() Kind        { return KindRelease }
func (*Promote) Kind() Kind        { return KindPromote }
func (*Step) Kind() Kind           { return KindStep }
func (*SetMember) Kind() Kind      { return KindSetMember }
func (*RemoveMember) Kind() Kind   { return KindRemoveMember }
func (*Found) Kind() Kind          { return KindFound }
func (*Mark) Kind() Kind           { return KindMark }
func (*SetRetention) Kind() Kind   { return KindSetRetention }
func (*Reap) Kind() Kind           { return KindReap }
func (*SetDispatch) Kind() Kind    { return KindSetDispatch }
func (*SetQueue) Kind() Kind       { return KindSetQueue }
func (*Requeue) Kind() Kind        { return KindRequeue }
func (*Retry) Kind() Kind          { return KindRetry }
func (*Delete) Kind() Kind         { return KindDelete }
func (*StartOperation) Kind() Kind { return KindStartOperation }
func (*StepOperation) Kind() Kind  { return KindStepOperation }
func (*EndOperation) Kind() Kind   { return KindEndOperation }
func (*Expire) Kind() Kind         { return KindExpire }
func (*CreateToken) Kind() Kind    { return KindCreateToken }
func (*RevokeToken) Kind() Kind    { return KindRevokeToken }
