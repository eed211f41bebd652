package wire

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

var update = flag.Bool("update", false, "write the golden frames anew")

// golden is one frame of a golden file: up for a frame of a client, down for one of the server.
type golden struct {
	comment string
	up      bool
	kind    Type
	id      uint32
	message Message
}

// goldens returns the frames of each file, in order.
func goldens(t *testing.T) map[string][]golden {
	files := taskGoldens()
	for name, frames := range readGoldens() {
		files[name] = frames
	}
	for name, frames := range bulkGoldens() {
		files[name] = frames
	}
	for name, frames := range tokenGoldens() {
		files[name] = frames
	}
	for name, frames := range nodeGoldens(t) {
		files[name] = frames
	}
	return files
}

var (
	goldenAt   = time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC)
	goldenID   = task.ID{0x01, 0x89, 0x0a, 0x5d, 0xac, 0x96, 0x77, 0x4b, 0xbc, 0xce, 0xb3, 0x02, 0x09, 0x9a, 0x80, 0x57}
	goldenID2  = task.ID{0x01, 0x89, 0x0a, 0x5d, 0xac, 0x96, 0x77, 0x4b, 0xbc, 0xce, 0xb3, 0x02, 0x09, 0x9a, 0x80, 0x58}
	goldenNode = member.ID{0x10, 15: 0x01}
	goldenTown = member.ID{0xc0, 15: 0x0c}
)

func goldenTask() *task.Task {
	return &task.Task{
		ID: goldenID, Type: "email", Queue: "mail", Payload: []byte("hello"), PayloadSize: 5, Priority: 200,
		CreatedAt:   goldenAt,
		ScheduledAt: goldenAt, Status: task.InProgress, MaxRetries: 3, MaxCrashes: 3, TimeoutSeconds: 60, WorkerID: "w1",
		Session: session, LeaseID: 77, LeaseDuration: 30 * time.Second, LeaseExpiresAt: goldenAt.Add(30 * time.Second),
		StartedAt: goldenAt, Attempt: 1, UpdatedAt: goldenAt, Seq: 76,
	}
}

// goldenFull has every field set.
func goldenFull() *task.Task {
	f := goldenTask()
	f.RetryCount, f.CrashCount, f.Result, f.ResultSize, f.Error, f.Reason = 1, 1, []byte("r"), 1, "no", task.Poison
	f.Dependencies, f.WaitingFor, f.OnDependencyFailure = []task.ID{goldenID2}, 1, task.PolicyBlock
	f.Headers, f.UniqueKey, f.ExpiresAt, f.Retention = []task.Header{{Name: "a", Value: "1"}}, "u",
		goldenAt.Add(time.Hour), time.Minute
	f.Backoff = task.Backoff{Initial: time.Second, FactorPercent: 200, Max: time.Minute, JitterPercent: 10}
	f.Progress = task.Progress{Percent: 40, Message: "half", Cursor: []byte("c")}
	f.UniqueScope, f.UniqueUntil, f.UniqueHeld, f.ReplacedBy = task.UniqueTTL, goldenAt.Add(time.Minute), true, goldenID2
	f.History = []task.Attempt{{Number: 1, WorkerID: "w0", StartedAt: goldenAt, EndedAt: goldenAt.Add(time.Second),
		Outcome: task.Failure, Error: "no"}}
	f.CancelRequested, f.DeleteAt = true, goldenAt.Add(time.Hour)
	return f
}

func goldenSpec() *task.Spec {
	priority, retries, crashes := task.Priority(0), uint32(0), uint32(5)
	return &task.Spec{
		ID: goldenID2, Type: "email", Queue: "mail", Payload: []byte("hello"), Priority: &priority, ScheduledAt: goldenAt,
		MaxRetries: &retries, MaxCrashes: &crashes, TimeoutSeconds: 60, Dependencies: []task.ID{goldenID},
		OnDependencyFailure: task.PolicyIgnore,
		Headers:             []task.Header{{Name: "a", Value: "1"}}, UniqueKey: "u", ExpiresAt: goldenAt.Add(time.Hour),
		Retention: time.Minute,
		Backoff:   task.Backoff{Initial: time.Second, FactorPercent: 200, Max: time.Minute, JitterPercent: 10},
	}
}

func goldenClaim() *wirepb.ClaimRequest {
	return ClaimToPB(&task.ClaimRequest{WorkerID: "w1", Queues: []string{"mail"}, Types: []string{"email", "sms"},
		Max: 10, Wait: 30 * time.Second, Lease: 30 * time.Second})
}

func taskGoldens() map[string][]golden {
	plain := &task.Spec{ID: goldenID, Type: "email", Payload: []byte("hello")}
	delayed := &task.Spec{ID: goldenID, Type: "email", Delay: 1500 * time.Millisecond}
	refused := fmt.Errorf("%w: %s", task.ErrConflict, goldenID2)
	unique := &task.Spec{
		ID: goldenID2, Type: "email", UniqueKey: "u", UniqueScope: task.UniqueTTL, UniqueTTL: time.Minute,
		OnConflict: task.ConflictReject, ExpiresIn: time.Hour,
	}
	held := fmt.Errorf("%w: task %s", task.ErrUniqueConflict, goldenID)
	return map[string][]golden{
		"SubmitTask": {
			{"one task with type and payload only", true, SubmitTask, 1,
				&wirepb.SubmitRequest{Tasks: []*wirepb.TaskSpec{SpecToPB(plain)}}},
			{"it was accepted", false, Ack, 1, &wirepb.SubmitReply{Receipts: ReceiptsToPB([]task.Receipt{{ID: goldenID}})}},
			{"two tasks, all or nothing: one with a delay of 1.5 s, one with every other field", true, SubmitTask, 2,
				&wirepb.SubmitRequest{Atomic: true, Tasks: []*wirepb.TaskSpec{SpecToPB(delayed), SpecToPB(goldenSpec())}}},
			{"the second was refused, so the first was aborted", false, Ack, 2, &wirepb.SubmitReply{Receipts: ReceiptsToPB(
				[]task.Receipt{{ID: goldenID, Err: task.ErrAborted}, {ID: goldenID2, Err: refused}})}},
			{"one task with a unique key for a minute, that expires after an hour", true, SubmitTask, 3,
				&wirepb.SubmitRequest{Tasks: []*wirepb.TaskSpec{SpecToPB(unique)}}},
			{"another holds the key, and the policy is to reject", false, Ack, 3,
				&wirepb.SubmitReply{Receipts: ReceiptsToPB([]task.Receipt{{ID: goldenID2, Err: held}})}},
			{"the same, if the policy is to return the other", false, Ack, 4,
				&wirepb.SubmitReply{Receipts: ReceiptsToPB([]task.Receipt{{ID: goldenID, Existing: true}})}},
		},
		"ClaimTask": {
			{"up to 10 tasks of two types, waiting up to 30 s", true, ClaimTask, 3, goldenClaim()},
			{"one task", false, Ack, 3, &wirepb.ClaimReply{Tasks: TasksToPB([]*task.Task{goldenTask()})}},
			{"one task with every field", false, Ack, 4, &wirepb.ClaimReply{Tasks: TasksToPB([]*task.Task{goldenFull()})}},
			{"nothing came within the wait", false, Ack, 5, &wirepb.ClaimReply{}},
		},
		"TaskResult": {
			{"a success and a failure that is retried after 5 s, and the next claim", true, TaskResult, 6, &wirepb.ResultRequest{
				Outcomes: []*wirepb.Outcome{
					OutcomeToPB(&task.Outcome{ID: goldenID, LeaseID: 77, Kind: task.Success, Result: []byte("done")}),
					OutcomeToPB(&task.Outcome{ID: goldenID2, LeaseID: 78, Kind: task.Failure, Error: "no route",
						RetryAfter: 5 * time.Second}),
				}, Next: goldenClaim()}},
			{"the first had been reported before, the second came too late; a next task", false, Ack, 6, &wirepb.ResultReply{
				Receipts: ReceiptsToPB([]task.Receipt{{ID: goldenID, Duplicate: true}, {ID: goldenID2, Err: task.ErrStaleLease}}),
				Next:     &wirepb.ClaimReply{Tasks: TasksToPB([]*task.Task{goldenTask()})}}},
		},
		"Heartbeat": {
			{"two leases, the second with progress", true, Heartbeat, 7, HeartbeatToPB(&task.Heartbeat{Leases: []task.LeaseRef{
				{ID: goldenID, LeaseID: 77}, {ID: goldenID2, LeaseID: 78, Progress: task.Progress{Percent: 50, Message: "half",
					Cursor: []byte("c")}}}})},
			{"the first is lost, the second shall be cancelled, and the worker shall drain", false, Ack, 7,
				HeartbeatReplyToPB(&task.HeartbeatReply{Lost: []task.ID{goldenID}, Cancelled: []task.ID{goldenID2}, Drain: true})},
		},
		"CancelTask": {
			{"two tasks", true, CancelTask, 8, &wirepb.CancelRequest{Ids: IDsToPB([]task.ID{goldenID, goldenID2})}},
			{"the second is not there", false, Ack, 8, &wirepb.CancelReply{
				Receipts: ReceiptsToPB([]task.Receipt{{ID: goldenID}, {ID: goldenID2, Err: task.ErrNotFound}})}},
		},
		"Push": {
			{"running tasks of the session that shall be cancelled", false, Push, 0,
				&wirepb.Push{Cancel: IDsToPB([]task.ID{goldenID})}},
			{"the node goes down", false, Push, 0, &wirepb.Push{Drain: true}},
		},
		"Nack": {
			{"busy: try again after 250 ms", false, Nack, 9, NackFromError(&task.RetryLater{Err: task.ErrBusy,
				After: 250 * time.Millisecond}, "")},
			{"not the leader, with the leader's address", false, Nack, 10, NackFromError(task.ErrNotLeader, "10.0.0.2:7420")},
		},
	}
}

func readGoldens() map[string][]golden {
	high := task.Priority(255)
	counts := task.QueueCounts{Queue: "mail", Type: "email", Pending: 6, Ready: 1, Scheduled: 2, Blocked: 3,
		InProgress: 4, Completed: 5, Failed: 6, DeadLetter: 7, Cancelled: 8}
	total := counts
	total.Queue, total.Type = "", ""
	done := goldenTask()
	done.Status, done.Result, done.ResultSize, done.Payload, done.LeaseExpiresAt = task.Completed, []byte("done"), 4, nil,
		time.Time{}
	return map[string][]golden{
		"QueryStatus": {
			{"one task, waiting up to 10 s for its end, with payload and result", true, QueryStatus, 11,
				QueryToPB(&task.Query{IDs: []task.ID{goldenID}, WithPayload: true, Wait: 10 * time.Second})},
			{"it has completed", false, Ack, 11, &wirepb.QueryReply{Tasks: TasksToPB([]*task.Task{done}), AppliedIndex: 1000}},
		},
		"ListTasks": {
			{"dead letters of one queue and type, priorities 10 to 255, from any node", true, ListTasks, 12,
				FilterToPB(&task.Filter{Queue: "mail",
					Type: "email", Status: task.DeadLetter, MinPriority: 10, MaxPriority: &high, Limit: 2, Cursor: []byte("cursor"),
					WithPayload: true, Stale: true})},
			{"one task, and more to come", false, Ack, 12, PageToPB(&task.Page{Tasks: []*task.Task{goldenTask()},
				Next: []byte("next"), AppliedIndex: 1000})},
			{"what depends on a task, newest first", true, ListTasks, 12, FilterToPB(&task.Filter{DependsOn: task.ID{1, 2, 3}, Order: task.OrderByNewest})},
			{"what is scheduled within a minute, earliest first", true, ListTasks, 12, FilterToPB(&task.Filter{
				Order: task.OrderByScheduled, ScheduledFrom: goldenAt, ScheduledTo: goldenAt.Add(time.Minute)})},
			{"what failed of a timeout and has not changed since", true, ListTasks, 12, FilterToPB(&task.Filter{
				Status: task.DeadLetter, UpdatedBefore: goldenAt, ErrorContains: "timeout"})},
			{"what has not changed for 36 hours", true, ListTasks, 12, FilterToPB(&task.Filter{Idle: 36 * time.Hour})},
			{"nothing", false, Ack, 12, PageToPB(&task.Page{AppliedIndex: 1001})},
		},
		"GetStats": {
			{"of everything, from any node", true, GetStats, 13, StatsQueryToPB(&task.StatsQuery{Stale: true})},
			{"one queue and type", false, Ack, 13, StatsToPB(&task.Stats{Total: total, Queues: []task.QueueCounts{counts},
				AppliedIndex: 1000, DispatchPaused: true})},
			{"of one queue and type", true, GetStats, 14, StatsQueryToPB(&task.StatsQuery{Queue: "mail", Type: "email"})},
			{"its counts", false, Ack, 14, StatsToPB(&task.Stats{Total: counts, Queues: []task.QueueCounts{counts},
				AppliedIndex: 1000})},
		},
	}
}

func nodeGoldens(t *testing.T) map[string][]golden {
	node := member.Member{ID: goldenNode, Name: "n1", Address: "10.0.0.1:7420", HTTPAddress: "10.0.0.1:7480",
		Role: member.Leader, Voter: true, MaxCommandVersion: 1}
	status, err := StatusToPB(&member.Status{ClusterID: goldenTown, NodeID: goldenNode, NodeName: "n1", State: "leader",
		Term: 3, CommitIndex: 12,
		AppliedIndex: 11, LeaderAddress: "10.0.0.1:7420", Members: []member.Member{node}, LastMark: &member.Mark{Index: 9,
			StateHash: strings.Repeat("5a", 32)}, Version: "1.0.0", DispatchPaused: true, NodeState: &member.State{
			LogBytes: 4096, LogFirst: 5, LogLast: 12,
			Snapshot:  &member.Snapshot{Index: 8, At: goldenAt, Received: true, Bytes: 300},
			Followers: []member.FollowerLag{{ID: goldenNode, Lag: 2}},
			Disk:      member.Disk{Free: 1 << 33, Total: 1 << 35, Limit: 1 << 30, Refuses: true},
			Database: &member.Database{Memtables: 1, BlockCache: 2, BlockCacheCapacity: 3, Tables: 4, LiveData: 5,
				PendingCompaction: 6, WAL: 7, Files: []uint64{2, 0, 1}, Compactions: 8, Flushes: 9, StalledUS: 10,
				WriteStopped: true, WriteRate: 11}}})
	if err != nil {
		t.Fatal(err)
	}
	yes, five, thousand, aging := true, uint32(5), uint64(1000), time.Minute
	daily := &task.Schedule{Name: "nightly", Expression: "0 3 * * *", Zone: "Europe/Berlin",
		Task: task.Spec{Type: "report", Payload: []byte("all")}, CatchUp: task.CatchUpOne}
	kept := *daily
	kept.Task.Payload, kept.Next, kept.LastFire, kept.LastTask = nil, goldenAt.Add(time.Hour), goldenAt, goldenID
	kept.Fired, kept.CreatedAt, kept.UpdatedAt = 1, goldenAt, goldenAt
	mail := task.Retention{Type: "email", Completed: time.Hour, DeadLetter: task.KeepForever}
	return map[string][]golden{
		"Hello": {
			{"a worker with a session", true, Hello, 1, GreetingToPB(&Greeting{Version: Version, ClientName: "w1",
				Token: member.TokenText("4f2a9c0b7d1e", strings.Repeat("5ac3", 12)), Session: session, ClusterID: goldenTown})},
			{"the leader answers", false, Ack, 1, WelcomeToPB(&Welcome{Version: Version, NodeID: goldenNode, NodeName: "n1",
				ClusterID:     goldenTown,
				LeaderAddress: "10.0.0.1:7420", IsLeader: true, HeartbeatInterval: 10 * time.Second, MinLease: 6 * time.Second,
				MaxInFlight: 1024, ServerVersion: "1.0.0"})},
			{"a member relays for that worker", true, Hello, 2, GreetingToPB(&Greeting{Version: Version, ClientName: "w1",
				Session: session, ClusterID: goldenTown,
				Forwarded: &Forwarded{NodeID: goldenNode, Principal: "anonymous"}})},
			{"of a cluster with tokens", false, Ack, 2, WelcomeToPB(&Welcome{Version: Version, NodeID: goldenNode,
				Access: member.Access{Authentication: true, Token: "4f2a9c", Name: "mailers", Role: member.RoleWorker,
					Queues: []string{"mail"}, ExpiresAt: goldenAt}})},
		},
		"ClusterStatus": {
			{"", true, ClusterStatus, 14, &wirepb.ClusterStatusRequest{}},
			{"", false, Ack, 14, status},
		},
		"Join": {
			{"a new node", true, Join, 15, JoinToPB(&member.Join{Member: node, AppliedIndex: 11, ClusterID: goldenTown})},
			{"a member says that its disk is nearly full", true, Join, 16, JoinToPB(&member.Join{Member: node, AppliedIndex: 11,
				ClusterID: goldenTown, DiskFull: true})},
			{"it is a member, not yet a voter", false, Ack, 15, &wirepb.JoinReply{ClusterId: MemberIDToPB(goldenTown)}},
		},
		"Remove": {{"", true, Remove, 16, &wirepb.RemoveRequest{NodeId: MemberIDToPB(goldenNode)}}, {"", false, Ack, 16,
			&wirepb.RemoveReply{}}},
		"Leave": {{"", true, Leave, 17, &wirepb.LeaveRequest{}}, {"", false, Ack, 17, &wirepb.LeaveReply{}}},
		"Transfer": {{"", true, Transfer, 18, &wirepb.TransferRequest{NodeId: MemberIDToPB(goldenNode)}}, {"", false, Ack,
			18, &wirepb.TransferReply{LeaderAddress: "10.0.0.1:7420"}}},
		"Mark": {{"", true, Mark, 19, &wirepb.MarkRequest{}}, {"", false, Ack, 19, &wirepb.MarkReply{Index: 1001}}},
		"Doctor": {
			{"at the mark at 1001", true, Doctor, 21, &wirepb.DoctorRequest{Index: 1001}},
			{"a third is done", false, Ack, 21, doctorReply(t, &member.Examination{Index: 1001, StateHash: strings.Repeat("5a", 32),
				Done: 1000, Total: 3000})},
			{"an entry too much, a counter that is wrong", false, Ack, 22, doctorReply(t, &member.Examination{Index: 1001,
				StateHash: strings.Repeat("5a", 32), Done: 3000, Total: 3000, Finished: true, Found: task.Verification{
					Records: 900, Checked: 2101, Removed: 1, Corrected: 1, Problems: []string{"a", "b"}, Elapsed: time.Second}})},
		},
		"Adopt": {
			{"", true, Adopt, 20, &wirepb.AdoptRequest{Addresses: []string{"10.0.0.1:7420", "10.0.0.2:7420"}}},
			{"", false, Ack, 20, &wirepb.AdoptReply{}},
			{"a cluster with tokens", true, Adopt, 21, &wirepb.AdoptRequest{Addresses: []string{"10.0.0.1:7420"}, Token: "haiku_a_b"}},
		},
		"SaveSnapshot": {
			{"begin a snapshot that holds what was applied up to entry 1000", true, SaveSnapshot, 21,
				&wirepb.SaveSnapshotRequest{MinIndex: 1000}},
			{"its first bytes", false, Ack, 21, &wirepb.SaveSnapshotReply{Data: []byte("HAIKUSNP"), Size: 123456}},
			{"go on", true, SaveSnapshot, 22, &wirepb.SaveSnapshotRequest{Offset: 8}},
		},
		"SetDispatch": {{"", true, SetDispatch, 23, &wirepb.SetDispatchRequest{Paused: true}}, {"", false, Ack, 23,
			&wirepb.SetDispatchReply{}}},
		"SetQueue": {
			{"pause a type in a queue, and let 100 a second through, 20 at once, once it is resumed", true, SetQueue, 26,
				QueueChangeToPB(&task.QueueChange{Queue: "mail", Type: "email", Paused: &yes, Reason: "deploy",
					Rate: &task.Rate{Count: 100, Per: time.Second, Burst: 20}})},
			{"", false, Ack, 26, &wirepb.SetQueueReply{}},
			{"a queue: 5 run at once, 1000 wait, no limit of bytes and of rate; order by aging", true, SetQueue, 27,
				QueueChangeToPB(&task.QueueChange{Queue: "mail", Concurrency: &five, Depth: &thousand, Bytes: new(uint64),
					Rate: &task.Rate{}, Aging: &aging})},
		},
		"Queues": {
			{"one queue, from any node", true, Queues, 28, &wirepb.QueuesRequest{Queue: "mail", Stale: true}},
			{"the sum of its types, and its one type", false, Ack, 28, QueueStatesToPB([]task.QueueState{
				{QueueSettings: task.QueueSettings{Queue: "mail", Concurrency: 5, Depth: 1000, Aging: time.Minute},
					Counts: task.QueueCounts{Queue: "mail", Pending: 3, Ready: 3, InProgress: 1}, WaitingBytes: 300},
				{QueueSettings: task.QueueSettings{Queue: "mail", Type: "email", Paused: true, Reason: "deploy", Bytes: 1 << 20,
					Rate: task.Rate{Count: 100, Per: time.Second, Burst: 20}},
					Counts: task.QueueCounts{Queue: "mail", Type: "email", Pending: 3, Ready: 3, InProgress: 1}, WaitingBytes: 300,
					NextSince: time.UnixMicro(1_700_000_000_000_000).UTC()},
			})},
		},
		"Workers": {
			{"at most two, from the one after a session on", true, Workers, 29,
				WorkersQueryToPB(&WorkersQuery{After: session, Limit: 2})},
			{"one with a lease, and another that has just come and takes all types; there are more", false, Ack, 29,
				WorkersToPB([]member.Worker{
					{Session: session, IDs: []string{"w0", "w1"}, ClientName: "mailer", Node: goldenNode, Queues: []string{"mail"},
						Types: []string{"email", "sms"}, Leases: 1, Connected: goldenAt, LastHeartbeat: goldenAt.Add(time.Minute)},
					{Session: task.SessionID{0xff}, IDs: []string{"w2"}, Queues: []string{"default"}, Connected: goldenAt},
				}, true)},
			{"ask all workers called w1 to end", true, Workers, 30, WorkersQueryToPB(&WorkersQuery{Drain: "w1"})},
			{"the one that was asked", false, Ack, 30, WorkersToPB([]member.Worker{
				{Session: session, IDs: []string{"w1"}, Queues: []string{"mail"}, Connected: goldenAt, Draining: true}}, false)},
			{"and what it is sent", false, Push, 0, &wirepb.Push{End: true}},
		},
		"Retention": {
			{"what is set", true, Retention, 24, &wirepb.RetentionRequest{}},
			{"nothing for all types, and for one: completed tasks an hour, dead letters for ever", false, Ack, 24,
				RetentionsToPB([]task.Retention{{}, mail})},
			{"set it", true, Retention, 25, &wirepb.RetentionRequest{Set: RetentionToPB(&mail)}},
		},
		"SetSchedule": {
			{"each night at three in Berlin", true, SetSchedule, 26,
				ScheduleChangeToPB(&task.ScheduleChange{Action: task.ScheduleSet, Schedule: *daily})},
			{"as it is now", false, Ack, 26, &wirepb.SetScheduleReply{Schedule: ScheduleToPB(&kept)}},
			{"pause it", true, SetSchedule, 27,
				ScheduleChangeToPB(&task.ScheduleChange{Action: task.SchedulePause, Name: "nightly", Reason: "holidays"})},
			{"submit its task now", true, SetSchedule, 28,
				ScheduleChangeToPB(&task.ScheduleChange{Action: task.ScheduleTrigger, Name: "nightly", TaskID: goldenID2})},
			{"it was accepted", false, Ack, 28, &wirepb.SetScheduleReply{Receipt: ReceiptsToPB([]task.Receipt{{ID: goldenID2}})[0]}},
		},
		"Schedules": {
			{"one with its next two fires", true, Schedules, 29, ScheduleQueryToPB(&task.ScheduleQuery{Name: "nightly", Fires: 2})},
			{"here it is", false, Ack, 29, SchedulePageToPB(&task.SchedulePage{Schedules: []*task.Schedule{&kept},
				Upcoming: []time.Time{goldenAt.Add(time.Hour), goldenAt.Add(25 * time.Hour)}})},
			{"a list, from after a name on", true, Schedules, 30, ScheduleQueryToPB(&task.ScheduleQuery{After: "m", Limit: 1})},
			{"there are more", false, Ack, 30, SchedulePageToPB(&task.SchedulePage{Schedules: []*task.Schedule{&kept}, Next: "nightly"})},
		},
	}
}

func doctorReply(t *testing.T, e *member.Examination) Message {
	t.Helper()
	m, err := ExaminationToPB(e)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestGolden checks every frame both ways: the message encodes to the file's bytes, and the bytes decode and convert
// to a message that encodes to them again.
func TestGolden(t *testing.T) {
	kinds := map[Type]bool{}
	for name, frames := range goldens(t) {
		path := filepath.Join("testdata", name+".hex")
		var encoded [][]byte
		for _, g := range frames {
			raw, err := AppendMessage(nil, g.kind, g.id, g.message)
			if err != nil {
				t.Fatal(err)
			}
			encoded = append(encoded, raw)
		}
		if *update {
			if err := os.WriteFile(path, goldenText(name, frames, encoded), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		blocks := parseHex(t, string(text))
		if len(blocks) != len(frames) {
			t.Errorf("%s: %d frames, want %d", path, len(blocks), len(frames))
			continue
		}
		for i, g := range frames {
			kinds[g.kind] = true
			if blocks[i].up != g.up || !bytes.Equal(blocks[i].bytes, encoded[i]) {
				t.Errorf("%s frame %d: the file has\n%x, the message is\n%x", path, i, blocks[i].bytes, encoded[i])
				continue
			}
			m := NewRequest(g.kind)
			if g.kind == Ack {
				m = NewReply(frames[0].kind)
			}
			checkBack(t, fmt.Sprintf("%s frame %d", path, i), blocks[i].bytes, m)
		}
	}
	for _, kind := range Types {
		if !kinds[kind] {
			t.Errorf("%s has no golden frame", kind)
		}
	}
	files, err := filepath.Glob("testdata/*.hex")
	if err != nil || len(files) != len(goldens(t)) {
		t.Errorf("%d golden files for %d lists, %v", len(files), len(goldens(t)), err)
	}
}

// checkBack reads a frame into m, converts it to the domain and back, and wants the same bytes.
func checkBack(t *testing.T, what string, raw []byte, m Message) {
	t.Helper()
	f, err := ReadFrame(bufio.NewReader(bytes.NewReader(raw)), 0)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	if err := Decode(f, m); err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	// The standard library reads the same message and writes the same bytes: so do other languages'.
	standard := m.(proto.Message).ProtoReflect().New().Interface()
	if err := proto.Unmarshal(f.Body, standard); err != nil || !proto.Equal(standard, m.(proto.Message)) {
		t.Errorf("%s: the standard library reads %v, %v", what, standard, err)
	}
	if body, err := proto.Marshal(standard); err != nil || !bytes.Equal(body, f.Body) {
		t.Errorf("%s: the standard library writes %x, %v", what, body, err)
	}
	back, err := through(m)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	again, err := AppendMessage(nil, f.Type, f.RequestID, back)
	if err != nil || !bytes.Equal(again, raw) {
		t.Errorf("%s: came back as\n%x, %v, was\n%x", what, again, err, raw)
	}
}

// block is one frame in a text: lines of hex behind > (client to server) or < (server to client). A frame ends at a
// line without either; what follows # is a comment.
type block struct {
	up    bool
	bytes []byte
}

func parseHex(t testing.TB, text string) (blocks []block) {
	t.Helper()
	open := false
	for _, line := range strings.Split(text, "\n") {
		up, down := strings.HasPrefix(line, "> "), strings.HasPrefix(line, "< ")
		if !up && !down {
			open = false
			continue
		}
		line, _, _ = strings.Cut(line[2:], "#")
		raw, err := hex.DecodeString(strings.ReplaceAll(line, " ", ""))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if !open {
			blocks = append(blocks, block{up: up})
		}
		open = true
		blocks[len(blocks)-1].bytes = append(blocks[len(blocks)-1].bytes, raw...)
	}
	return blocks
}

// goldenText lays out frames as parseHex reads them: the head on its own line, then 16 bytes a line.
func goldenText(name string, frames []golden, encoded [][]byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Golden frames: %s. > is sent by the client, < by the server; what follows # is a comment.\n", name)
	fmt.Fprintf(&b, "# Written by: go test ./wire -run TestGolden -update\n")
	for i, g := range frames {
		fmt.Fprintln(&b)
		if g.comment != "" {
			fmt.Fprintf(&b, "# %s\n", g.comment)
		}
		arrow, raw := "<", encoded[i]
		if g.up {
			arrow = ">"
		}
		fmt.Fprintf(&b, "%s % x  # length %d, %s, request id %d\n", arrow, raw[:Overhead], len(raw)-lengthSize, g.kind, g.id)
		for rest := raw[Overhead:]; len(rest) > 0; {
			n := min(16, len(rest))
			fmt.Fprintf(&b, "%s % x\n", arrow, rest[:n])
			rest = rest[n:]
		}
	}
	return b.Bytes()
}
