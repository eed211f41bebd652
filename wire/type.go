package wire

import "fmt"

// Version is the protocol version that this package speaks.
const Version = 1

// Type says what a frame carries. The numbers are on the wire: they are never reused.
type Type uint8

// The frame types. All but Ack, Nack and Push are requests of a client.
const (
	SubmitTask     Type = 1  // SubmitRequest, SubmitReply
	ClaimTask      Type = 2  // ClaimRequest, ClaimReply
	TaskResult     Type = 3  // ResultRequest, ResultReply
	Heartbeat      Type = 4  // HeartbeatRequest, HeartbeatReply
	Ack            Type = 5  // the reply message of the request with the same id
	Nack           Type = 6  // Nack: the request failed as a whole
	QueryStatus    Type = 7  // QueryRequest, QueryReply
	CancelTask     Type = 8  // CancelRequest, CancelReply
	ListTasks      Type = 9  // ListRequest, ListReply
	GetStats       Type = 10 // StatsRequest, StatsReply
	RetryTask      Type = 11 // RetryRequest, RetryReply
	DeleteTask     Type = 12 // DeleteRequest, DeleteReply
	Hello          Type = 16 // Hello, HelloReply: the first frame of a connection
	Push           Type = 17 // Push: from the server, with request id 0
	ClusterStatus  Type = 32 // ClusterStatusRequest, ClusterStatusReply
	Join           Type = 33 // JoinRequest, JoinReply
	Remove         Type = 34 // RemoveRequest, RemoveReply
	Leave          Type = 35 // LeaveRequest, LeaveReply
	Transfer       Type = 36 // TransferRequest, TransferReply
	Mark           Type = 37 // MarkRequest, MarkReply
	Adopt          Type = 38 // AdoptRequest, AdoptReply
	SaveSnapshot   Type = 39 // SaveSnapshotRequest, SaveSnapshotReply
	Doctor         Type = 40 // DoctorRequest, DoctorReply
	Retention      Type = 41 // RetentionRequest, RetentionReply
	SetDispatch    Type = 42 // SetDispatchRequest, SetDispatchReply
	StartOperation Type = 47 // StartOperationRequest, StartOperationReply
	Operations     Type = 48 // OperationsRequest, OperationsReply
	Workers        Type = 49 // WorkersRequest, WorkersReply
	CreateToken    Type = 50 // CreateTokenRequest, CreateTokenReply
	Tokens         Type = 51 // TokensRequest, TokensReply
	RevokeToken    Type = 52 // RevokeTokenRequest, RevokeTokenReply
	SetQueue       Type = 43 // SetQueueRequest, SetQueueReply
	Queues         Type = 44 // QueuesRequest, QueuesReply
	SetSchedule    Type = 45 // SetScheduleRequest, SetScheduleReply
	Schedules      Type = 46 // SchedulesRequest, SchedulesReply
)

// Types lists every frame type in the order of its number.
var Types = [...]Type{SubmitTask, ClaimTask, TaskResult, Heartbeat, Ack, Nack, QueryStatus, CancelTask, ListTasks,
	GetStats, RetryTask, DeleteTask,
	Hello, Push, ClusterStatus, Join, Remove, Leave, Transfer, Mark, Adopt,
	SaveSnapshot, Doctor, Retention, SetDispatch, SetQueue, Queues, SetSchedule, Schedules, StartOperation, Operations, Workers,
	CreateToken, Tokens, RevokeToken}

var typeNames = [...]string{SubmitTask: "SubmitTask", ClaimTask: "ClaimTask", TaskResult: "TaskResult",
	Heartbeat: "Heartbeat",
	Ack:       "Ack", Nack: "Nack", QueryStatus: "QueryStatus", CancelTask: "CancelTask", ListTasks: "ListTasks",
	GetStats: "GetStats", RetryTask: "RetryTask", DeleteTask: "DeleteTask",
	Hello: "Hello", Push: "Push", ClusterStatus: "ClusterStatus", Join: "Join", Remove: "Remove", Leave: "Leave",
	Transfer: "Transfer", Mark: "Mark", Adopt: "Adopt", SaveSnapshot: "SaveSnapshot", Doctor: "Doctor",
	Retention: "Retention", SetDispatch: "SetDispatch",
	SetQueue: "SetQueue", Queues: "Queues", SetSchedule: "SetSchedule", Schedules: "Schedules", Workers: "Workers",
	StartOperation: "StartOperation", Operations: "Operations",
	CreateToken: "CreateToken", Tokens: "Tokens", RevokeToken: "RevokeToken"}

// Known reports whether t is one of Types.
func (t Type) Known() bool { return int(t) < len(typeNames) && typeNames[t] != "" }

// IsRequest reports whether t is a request, which a client sends and the server answers with Ack or Nack.
func (t Type) IsRequest() bool { return t.Known() && t != Ack && t != Nack && t != Push }

func (t Type) String() string {
	if t.Known() {
		return typeNames[t]
	}
	return fmt.Sprintf("type(%d)", uint8(t))
}
