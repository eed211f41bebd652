package transport

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// TestBadRequestsGetANack: the connection and its neighbours stay.
func TestBadRequestsGetANack(t *testing.T) {
	s := start(t, 1, newBroker(), nil)
	p, other := connectAs(t, s, task.NewSessionID()), connect(t, s)
	garbage := []byte{0xff, 0xff, 0xff, 0xff, 0xff}
	id := task.NewID()
	claim := func(max uint32, wait, lease int64) *wirepb.ClaimRequest {
		return &wirepb.ClaimRequest{WorkerId: "w", Max: max, WaitUs: wait, LeaseUs: lease}
	}
	encode := func(m wire.Message) []byte {
		b, err := wire.AppendMessage(nil, wire.Ack, 1, m)
		if err != nil {
			t.Fatal(err)
		}
		return b[wire.Overhead:]
	}
	manyIDs := &wirepb.CancelRequest{}
	for range task.MaxItems + 1 {
		manyIDs.Ids = append(manyIDs.Ids, id[:])
	}
	longQuery := &wirepb.QueryRequest{Ids: [][]byte{id[:]}, WaitUs: math.MaxInt64}
	noLease := &wirepb.HeartbeatRequest{Leases: []*wirepb.LeaseRef{{Id: id[:]}}}
	for _, tc := range []struct {
		name string
		kind wire.Type
		id   uint32
		body []byte
		want error
	}{
		{"unknown type", 99, 1, nil, task.ErrUnknownType},
		{"type 0", 0, 1, nil, task.ErrUnknownType},
		{"Ack", wire.Ack, 1, nil, task.ErrInvalid},
		{"Nack", wire.Nack, 1, nil, task.ErrInvalid},
		{"Push", wire.Push, 1, nil, task.ErrInvalid},
		{"second Hello", wire.Hello, 1, nil, task.ErrInvalid},
		{"request id 0", wire.GetStats, 0, nil, task.ErrInvalid},
		{"garbage in SubmitTask", wire.SubmitTask, 1, garbage, task.ErrInvalid},
		{"garbage in ClaimTask", wire.ClaimTask, 1, garbage, task.ErrInvalid},
		{"garbage in TaskResult", wire.TaskResult, 1, garbage, task.ErrInvalid},
		{"garbage in Heartbeat", wire.Heartbeat, 1, garbage, task.ErrInvalid},
		{"garbage in QueryStatus", wire.QueryStatus, 1, garbage, task.ErrInvalid},
		{"garbage in CancelTask", wire.CancelTask, 1, garbage, task.ErrInvalid},
		{"garbage in ListTasks", wire.ListTasks, 1, garbage, task.ErrInvalid},
		{"garbage in GetStats", wire.GetStats, 1, garbage, task.ErrInvalid},
		{"garbage in ClusterStatus", wire.ClusterStatus, 1, garbage, task.ErrInvalid},
		{"garbage in Join", wire.Join, 1, garbage, task.ErrInvalid},
		{"garbage in Remove", wire.Remove, 1, garbage, task.ErrInvalid},
		{"garbage in Doctor", wire.Doctor, 1, garbage, task.ErrInvalid},
		{"garbage in Leave", wire.Leave, 1, garbage, task.ErrInvalid},
		{"garbage in Transfer", wire.Transfer, 1, garbage, task.ErrInvalid},
		{"garbage in Mark", wire.Mark, 1, garbage, task.ErrInvalid},
		{"garbage in SetQueue", wire.SetQueue, 1, garbage, task.ErrInvalid},
		{"garbage in Queues", wire.Queues, 1, garbage, task.ErrInvalid},
		{"garbage in Retention", wire.Retention, 1, garbage, task.ErrInvalid},
		{"garbage in SetSchedule", wire.SetSchedule, 1, garbage, task.ErrInvalid},
		{"garbage in Schedules", wire.Schedules, 1, garbage, task.ErrInvalid},
		{"no action on a schedule", wire.SetSchedule, 1, nil, task.ErrInvalid},
		{"no schedule to set", wire.SetSchedule, 1, encode(&wirepb.SetScheduleRequest{Action: 1}), task.ErrInvalid},
		{"too many next fires", wire.Schedules, 1, encode(&wirepb.SchedulesRequest{Name: "s", Fires: 101}), task.ErrInvalid},
		{"garbage in Adopt", wire.Adopt, 1, garbage, task.ErrInvalid},
		{"garbage in SaveSnapshot", wire.SaveSnapshot, 1, garbage, task.ErrInvalid},
		{"garbage in Workers", wire.Workers, 1, garbage, task.ErrInvalid},
		{"garbage in SetDispatch", wire.SetDispatch, 1, garbage, task.ErrInvalid},
		{"garbage in RetryTask", wire.RetryTask, 1, garbage, task.ErrInvalid},
		{"garbage in DeleteTask", wire.DeleteTask, 1, garbage, task.ErrInvalid},
		{"garbage in StartOperation", wire.StartOperation, 1, garbage, task.ErrInvalid},
		{"garbage in Operations", wire.Operations, 1, garbage, task.ErrInvalid},
		{"no id to retry", wire.RetryTask, 1, nil, task.ErrInvalid},
		{"no id to delete", wire.DeleteTask, 1, nil, task.ErrInvalid},
		{"too many ids to delete", wire.DeleteTask, 1, encode(manyIDs), task.ErrTooLarge},
		{"an operation of nothing", wire.StartOperation, 1, nil, task.ErrInvalid},
		{"an operation without selection", wire.StartOperation, 1, encode(&wirepb.StartOperationRequest{Id: id[:], Action: 1}), task.ErrInvalid},
		{"a snapshot from its middle", wire.SaveSnapshot, 1, encode(&wirepb.SaveSnapshotRequest{Offset: 7}), task.ErrNotFound},
		{"no task", wire.SubmitTask, 1, nil, task.ErrInvalid},
		{"too many tasks", wire.SubmitTask, 1, encode(submitPB(task.MaxItems + 1)), task.ErrTooLarge},
		{"too many ids", wire.CancelTask, 1, encode(manyIDs), task.ErrTooLarge},
		{"no id to cancel", wire.CancelTask, 1, nil, task.ErrInvalid},
		{"no id to query", wire.QueryStatus, 1, nil, task.ErrInvalid},
		{"negative wait", wire.ClaimTask, 1, encode(claim(1, -1, 0)), task.ErrInvalid},
		{"huge wait", wire.ClaimTask, 1, encode(claim(1, math.MaxInt64, 0)), task.ErrInvalid},
		{"negative lease", wire.ClaimTask, 1, encode(claim(1, 0, math.MinInt64)), task.ErrInvalid},
		{"huge max", wire.ClaimTask, 1, encode(claim(math.MaxUint32, 0, 0)), task.ErrInvalid},
		{"huge limit", wire.ListTasks, 1, encode(&wirepb.ListRequest{Limit: math.MaxUint32}), task.ErrInvalid},
		{"huge status", wire.ListTasks, 1, encode(&wirepb.ListRequest{Status: 300}), task.ErrInvalid},
		{"huge wait of a query", wire.QueryStatus, 1, encode(longQuery), task.ErrInvalid},
		{"lease without id", wire.Heartbeat, 1, encode(noLease), task.ErrInvalid},
		{"short node id", wire.Remove, 1, encode(&wirepb.RemoveRequest{NodeId: []byte{1}}), task.ErrInvalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p.t = t
			p.write(wire.AppendFrame(nil, tc.kind, tc.id, tc.body))
			p.nack(tc.id, tc.want)
			p.works()
			other.works()
		})
	}
}

// TestBadItemsGetTheirOwnReceipt: numbers that no task has.
func TestBadItemsGetTheirOwnReceipt(t *testing.T) {
	p := connect(t, start(t, 1, newBroker(), nil))
	for name, spoil := range map[string]func(*wirepb.TaskSpec){
		"negative delay":      func(s *wirepb.TaskSpec) { s.DelayUs = -1 },
		"huge delay":          func(s *wirepb.TaskSpec) { s.DelayUs = math.MaxInt64 },
		"negative time":       func(s *wirepb.TaskSpec) { s.ScheduledAtUs = math.MinInt64 },
		"huge time":           func(s *wirepb.TaskSpec) { s.ExpiresAtUs = math.MaxInt64 },
		"huge priority":       func(s *wirepb.TaskSpec) { v := uint32(math.MaxUint32); s.Priority = &v },
		"huge retries":        func(s *wirepb.TaskSpec) { v := uint32(math.MaxUint32); s.MaxRetries = &v },
		"huge timeout":        func(s *wirepb.TaskSpec) { s.TimeoutSeconds = math.MaxUint64 },
		"unknown policy":      func(s *wirepb.TaskSpec) { s.OnDependencyFailure = 77 },
		"empty type":          func(s *wirepb.TaskSpec) { s.Type = "" },
		"short dependency id": func(s *wirepb.TaskSpec) { s.Dependencies = [][]byte{{1}} },
		"empty id":            func(s *wirepb.TaskSpec) { s.Id = nil },
	} {
		m := submitPB(2)
		spoil(m.Tasks[0])
		var reply wirepb.SubmitReply
		p.call(wire.SubmitTask, m, &reply)
		t.Log(name)
		wantErrors(t, receiptErrors(reply.Receipts), task.ErrInvalid, nil)
	}
}

// TestLostFramingClosesTheConnection: one Nack with request id 0, then the end; the neighbours stay.
func TestLostFramingClosesTheConnection(t *testing.T) {
	s := start(t, 1, newBroker(), nil)
	other := connect(t, s)
	length := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	whole := wire.AppendFrame(nil, wire.GetStats, 5, make([]byte, 100))
	for _, tc := range []struct {
		name  string
		bytes []byte
		want  error
	}{
		{"above 16 MiB", length(wire.MaxFrame + 1), task.ErrTooLarge},
		{"4 GiB", length(math.MaxUint32), task.ErrTooLarge},
		{"text", []byte("HTTP/1.1 200 OK"), task.ErrTooLarge},
		{"length 0", length(0), task.ErrInvalid},
		{"length 4", append(length(4), 1, 0, 0, 0), task.ErrInvalid},
		{"cut inside the length", whole[:3], nil},
		{"cut inside the head", whole[:7], nil},
		{"cut inside the body", whole[:50], task.ErrInvalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := connect(t, s)
			p.write(tc.bytes)
			if err := p.nc.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if tc.want != nil {
				p.nack(0, tc.want)
			}
			p.closed()
			other.works()
		})
	}
}

func TestFrameDeadline(t *testing.T) {
	s := start(t, 1, newBroker(), func(l *Limits) { l.FrameTimeout = 20 * time.Millisecond })
	for _, n := range []int{1, 6, 50} {
		p := connect(t, s)
		p.write(wire.AppendFrame(nil, wire.GetStats, 5, make([]byte, 100))[:n])
		p.nack(0, task.ErrTimeout)
		p.closed()
	}
}

func TestIdleDeadline(t *testing.T) {
	s := start(t, 1, newBroker(), func(l *Limits) { l.IdleTimeout = 30 * time.Millisecond })
	idle, waiting := connect(t, s), connectAs(t, s, task.NewSessionID())
	id := waiting.send(wire.ClaimTask, &wirepb.ClaimRequest{WorkerId: "w", Max: 1, WaitUs: time.Minute.Microseconds()})
	idle.nack(0, task.ErrTimeout)
	idle.closed()
	waiting.works() // a request in work keeps it
	go s.Close()
	waiting.receivePush(true)
	waiting.nack(id, task.ErrShutdown)
}
