package wire

import (
	"fmt"
	"slices"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
)

// Message is a protobuf message of the protocol: a pointer to one of the structs of package wirepb.
type Message interface {
	SizeVT() int
	MarshalToSizedBufferVT([]byte) (int, error)
	UnmarshalVT([]byte) error
}

// AppendMessage appends a frame with m as its body to dst and returns the longer slice. The error wraps
// task.ErrTooLarge if the frame would be larger than MaxFrame; dst is then returned as it was.
func AppendMessage(dst []byte, t Type, requestID uint32, m Message) ([]byte, error) {
	size := m.SizeVT()
	if size > MaxFrame-minLength {
		return dst, fmt.Errorf("%w: %s of %d bytes, at most %d fit a frame", task.ErrTooLarge, t, size, MaxFrame-minLength)
	}
	start := len(dst)
	out := slices.Grow(dst, Overhead+size)
	out = appendHead(out, t, requestID, size)
	out = out[:start+Overhead+size]
	if _, err := m.MarshalToSizedBufferVT(out[start+Overhead:]); err != nil {
		return dst, fmt.Errorf("%w: encode %s: %w", task.ErrInternal, t, err)
	}
	return out, nil
}

// Decode reads the body of f into m. The error wraps task.ErrInvalid if it is no such message, task.ErrTooLarge if a
// list in it has more items than allowed.
func Decode(f Frame, m Message) error {
	if err := checkCounts(f.Body, countsOf(m)); err != nil {
		return fmt.Errorf("%s: %w", f.Type, err)
	}
	if err := m.UnmarshalVT(f.Body); err != nil {
		return fmt.Errorf("%w: %s does not decode: %w", task.ErrInvalid, f.Type, err)
	}
	return nil
}

// NewRequest returns an empty message of the kind that a frame of type t carries, or nil for Ack, whose body depends on
// what it answers, and for unknown types.
func NewRequest(t Type) Message {
	switch t {
	case SubmitTask:
		return new(wirepb.SubmitRequest)
	case ClaimTask:
		return new(wirepb.ClaimRequest)
	case TaskResult:
		return new(wirepb.ResultRequest)
	case Heartbeat:
		return new(wirepb.HeartbeatRequest)
	case Nack:
		return new(wirepb.Nack)
	case QueryStatus:
		return new(wirepb.QueryRequest)
	case CancelTask:
		return new(wirepb.CancelRequest)
	case ListTasks:
		return new(wirepb.ListRequest)
	case GetStats:
		return new(wirepb.StatsRequest)
	case RetryTask:
		return new(wirepb.RetryRequest)
	case DeleteTask:
		return new(wirepb.DeleteRequest)
	case Hello:
		return new(wirepb.Hello)
	case Push:
		return new(wirepb.Push)
	}
	return newAdminRequest(t)
}

func newAdminRequest(t Type) Message {
	switch t {
	case ClusterStatus:
		return new(wirepb.ClusterStatusRequest)
	case Join:
		return new(wirepb.JoinRequest)
	case Remove:
		return new(wirepb.RemoveRequest)
	case Leave:
		return new(wirepb.LeaveRequest)
	case Transfer:
		return new(wirepb.TransferRequest)
	case Mark:
		return new(wirepb.MarkRequest)
	case Adopt:
		return new(wirepb.AdoptRequest)
	case SaveSnapshot:
		return new(wirepb.SaveSnapshotRequest)
	case Doctor:
		return new(wirepb.DoctorRequest)
	case Retention:
		return new(wirepb.RetentionRequest)
	case SetDispatch:
		return new(wirepb.SetDispatchRequest)
	case Workers:
		return new(wirepb.WorkersRequest)
	case CreateToken:
		return new(wirepb.CreateTokenRequest)
	case Tokens:
		return new(wirepb.TokensRequest)
	case RevokeToken:
		return new(wirepb.RevokeTokenRequest)
	case SetQueue:
		return new(wirepb.SetQueueRequest)
	case Queues:
		return new(wirepb.QueuesRequest)
	case SetSchedule:
		return new(wirepb.SetScheduleRequest)
	case Schedules:
		return new(wirepb.SchedulesRequest)
	case StartOperation:
		return new(wirepb.StartOperationRequest)
	case Operations:
		return new(wirepb.OperationsRequest)
	}
	return nil
}

// NewReply returns an empty message of the kind that an Ack to a request of type t carries, or nil if t is no request.
func NewReply(t Type) Message {
	switch t {
	case SubmitTask:
		return new(wirepb.SubmitReply)
	case ClaimTask:
		return new(wirepb.ClaimReply)
	case TaskResult:
		return new(wirepb.ResultReply)
	case Heartbeat:
		return new(wirepb.HeartbeatReply)
	case QueryStatus:
		return new(wirepb.QueryReply)
	case CancelTask:
		return new(wirepb.CancelReply)
	case ListTasks:
		return new(wirepb.ListReply)
	case GetStats:
		return new(wirepb.StatsReply)
	case RetryTask:
		return new(wirepb.RetryReply)
	case DeleteTask:
		return new(wirepb.DeleteReply)
	case Hello:
		return new(wirepb.HelloReply)
	case ClusterStatus:
		return new(wirepb.ClusterStatusReply)
	case Join:
		return new(wirepb.JoinReply)
	case Remove:
		return new(wirepb.RemoveReply)
	case Leave:
		return new(wirepb.LeaveReply)
	case Transfer:
		return new(wirepb.TransferReply)
	case Mark:
		return new(wirepb.MarkReply)
	case Adopt:
		return new(wirepb.AdoptReply)
	case SaveSnapshot:
		return new(wirepb.SaveSnapshotReply)
	case Doctor:
		return new(wirepb.DoctorReply)
	case Retention:
		return new(wirepb.RetentionReply)
	case SetDispatch:
		return new(wirepb.SetDispatchReply)
	case Workers:
		return new(wirepb.WorkersReply)
	case CreateToken:
		return new(wirepb.CreateTokenReply)
	case Tokens:
		return new(wirepb.TokensReply)
	case RevokeToken:
		return new(wirepb.RevokeTokenReply)
	case SetQueue:
		return new(wirepb.SetQueueReply)
	case Queues:
		return new(wirepb.QueuesReply)
	case SetSchedule:
		return new(wirepb.SetScheduleReply)
	case Schedules:
		return new(wirepb.SchedulesReply)
	case StartOperation:
		return new(wirepb.StartOperationReply)
	case Operations:
		return new(wirepb.OperationsReply)
	}
	return nil
}
