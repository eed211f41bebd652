package wire

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// TestRefused: each value that no domain type can hold is refused, with the field's name.
func TestRefused(t *testing.T) {
	id := goldenID[:]
	u32 := func(v uint32) *uint32 { return &v }
	spec := func(change func(*wirepb.TaskSpec)) Message {
		p := SpecToPB(goldenSpec())
		change(p)
		return &wirepb.SubmitRequest{Tasks: []*wirepb.TaskSpec{p}}
	}
	reply := func(change func(*wirepb.Task)) Message {
		p := TaskToPB(goldenFull())
		change(p)
		return &wirepb.ClaimReply{Tasks: []*wirepb.Task{p}}
	}
	outcome := func(o *wirepb.Outcome) Message { return &wirepb.ResultRequest{Outcomes: []*wirepb.Outcome{o}} }
	node := func(change func(*wirepb.Member)) Message {
		p := &wirepb.Member{Id: goldenNode[:], Name: "n", Address: "h:1"}
		change(p)
		return &wirepb.JoinRequest{Member: p}
	}
	hello := func(change func(*wirepb.Hello)) Message {
		p := &wirepb.Hello{ProtocolVersion: Version}
		change(p)
		return p
	}
	for _, tt := range []struct {
		field string
		m     Message
	}{
		{"id", spec(func(p *wirepb.TaskSpec) { p.Id = nil })},
		{"id", spec(func(p *wirepb.TaskSpec) { p.Id = id[:15] })},
		{"id", spec(func(p *wirepb.TaskSpec) { p.Id = append(id[:16:16], 0) })},
		{"priority", spec(func(p *wirepb.TaskSpec) { p.Priority = u32(256) })},
		{"priority", spec(func(p *wirepb.TaskSpec) { p.Priority = u32(math.MaxUint32) })},
		{"delay_us", spec(func(p *wirepb.TaskSpec) { p.DelayUs = -1 })},
		{"delay_us", spec(func(p *wirepb.TaskSpec) { p.DelayUs = math.MaxInt64 })},
		{"delay_us", spec(func(p *wirepb.TaskSpec) { p.DelayUs = durationLimit + 1 })},
		{"scheduled_at_us", spec(func(p *wirepb.TaskSpec) { p.ScheduledAtUs = math.MinInt64 })},
		{"scheduled_at_us", spec(func(p *wirepb.TaskSpec) { p.ScheduledAtUs = maxTime + 1 })},
		{"expires_at_us", spec(func(p *wirepb.TaskSpec) { p.ExpiresAtUs = -1 })},
		{"expires_in_us", spec(func(p *wirepb.TaskSpec) { p.ExpiresInUs = -1 })},
		{"unique_scope", spec(func(p *wirepb.TaskSpec) { p.UniqueScope = 256 })},
		{"unique_ttl_us", spec(func(p *wirepb.TaskSpec) { p.UniqueTtlUs = math.MinInt64 })},
		{"on_conflict", spec(func(p *wirepb.TaskSpec) { p.OnConflict = 256 })},
		{"retention_us", spec(func(p *wirepb.TaskSpec) { p.RetentionUs = math.MinInt64 })},
		{"backoff.initial_us", spec(func(p *wirepb.TaskSpec) { p.Backoff.InitialUs = math.MaxInt64 })},
		{"backoff.max_us", spec(func(p *wirepb.TaskSpec) { p.Backoff.MaxUs = -1 })},
		{"dependencies", spec(func(p *wirepb.TaskSpec) { p.Dependencies = [][]byte{id, {}} })},
		{"on_dependency_failure", spec(func(p *wirepb.TaskSpec) { p.OnDependencyFailure = 3 })},
		{"on_dependency_failure", spec(func(p *wirepb.TaskSpec) { p.OnDependencyFailure = 256 })},
		{"task", &wirepb.SubmitRequest{Tasks: []*wirepb.TaskSpec{nil}}},
		{"task", &wirepb.ClaimReply{Tasks: []*wirepb.Task{nil}}},
		{"id", reply(func(p *wirepb.Task) { p.Id = nil })},
		{"session", reply(func(p *wirepb.Task) { p.Session = []byte{1} })},
		{"priority", reply(func(p *wirepb.Task) { p.Priority = 256 })},
		{"status", reply(func(p *wirepb.Task) { p.Status = 0 })},
		{"status", reply(func(p *wirepb.Task) { p.Status = 7 })},
		{"status", reply(func(p *wirepb.Task) { p.Status = 257 })},
		{"created_at_us", reply(func(p *wirepb.Task) { p.CreatedAtUs = -1 })},
		{"scheduled_at_us", reply(func(p *wirepb.Task) { p.ScheduledAtUs = -1 })},
		{"lease_expires_at_us", reply(func(p *wirepb.Task) { p.LeaseExpiresAtUs = -1 })},
		{"started_at_us", reply(func(p *wirepb.Task) { p.StartedAtUs = -1 })},
		{"expires_at_us", reply(func(p *wirepb.Task) { p.ExpiresAtUs = -1 })},
		{"unique_scope", reply(func(p *wirepb.Task) { p.UniqueScope = 256 })},
		{"unique_until_us", reply(func(p *wirepb.Task) { p.UniqueUntilUs = -1 })},
		{"replaced_by", reply(func(p *wirepb.Task) { p.ReplacedBy = []byte{1} })},
		{"updated_at_us", reply(func(p *wirepb.Task) { p.UpdatedAtUs = maxTime + 1 })},
		{"lease_duration_us", reply(func(p *wirepb.Task) { p.LeaseDurationUs = -1 })},
		{"retention_us", reply(func(p *wirepb.Task) { p.RetentionUs = -1 })},
		{"on_dependency_failure", reply(func(p *wirepb.Task) { p.OnDependencyFailure = 3 })},
		{"outcome", reply(func(p *wirepb.Task) { p.History[0].Outcome = 0 })},
		{"outcome", reply(func(p *wirepb.Task) { p.History[0].Outcome = 257 })},
		{"history.started_at_us", reply(func(p *wirepb.Task) { p.History[0].StartedAtUs = -1 })},
		{"history.ended_at_us", reply(func(p *wirepb.Task) { p.History[0].EndedAtUs = -1 })},
		{"max", &wirepb.ClaimRequest{Max: task.MaxItems + 1}},
		{"max", &wirepb.ClaimRequest{Max: math.MaxUint32}},
		{"wait_us", &wirepb.ClaimRequest{Max: 1, WaitUs: -1}},
		{"lease_us", &wirepb.ClaimRequest{Max: 1, LeaseUs: math.MaxInt64}},
		{"wait_us", &wirepb.ResultRequest{Next: &wirepb.ClaimRequest{WaitUs: -1}}},
		{"id", outcome(&wirepb.Outcome{Kind: 1})},
		{"outcome", outcome(&wirepb.Outcome{Id: id, Kind: 0})},
		{"submit, item 0", outcome(&wirepb.Outcome{Id: id, Kind: 1, Submit: []*wirepb.TaskSpec{{Type: "t", Id: id[:3]}}})},
		{"outcome", outcome(&wirepb.Outcome{Id: id, Kind: 7})},
		{"retry_after_us", outcome(&wirepb.Outcome{Id: id, Kind: 2, RetryAfterUs: -1})},
		{"id", &wirepb.HeartbeatRequest{Leases: []*wirepb.LeaseRef{{LeaseId: 1}}}},
		{"lost", &wirepb.HeartbeatReply{Lost: [][]byte{{1}}}},
		{"cancelled", &wirepb.HeartbeatReply{Cancelled: [][]byte{{1}}}},
		{"id", &wirepb.SubmitReply{Receipts: []*wirepb.Receipt{{Id: []byte{1}}}}},
		{"ids", &wirepb.QueryRequest{Ids: [][]byte{{}}}},
		{"wait_us", &wirepb.QueryRequest{WaitUs: math.MinInt64}},
		{"status", &wirepb.ListRequest{Status: 7}},
		{"min_priority", &wirepb.ListRequest{MinPriority: 256}},
		{"max_priority", &wirepb.ListRequest{MaxPriority: u32(256)}},
		{"limit", &wirepb.ListRequest{Limit: math.MaxUint32}},
		{"depends_on", &wirepb.ListRequest{DependsOn: make([]byte, 15)}},
		{"order", &wirepb.ListRequest{Order: 256}},
		{"scheduled_from_us", &wirepb.ListRequest{ScheduledFromUs: -1}},
		{"scheduled_to_us", &wirepb.ListRequest{ScheduledToUs: maxTime + 1}},
		{"cancel", &wirepb.Push{Cancel: [][]byte{{}}}},
		{"session", hello(func(p *wirepb.Hello) { p.Session = []byte{1} })},
		{"cluster_id", hello(func(p *wirepb.Hello) { p.ClusterId = []byte{1} })},
		{"client_name", hello(func(p *wirepb.Hello) { p.ClientName = "a\n" })},
		{"forwarded_by.node_id", hello(func(p *wirepb.Hello) { p.ForwardedBy = &wirepb.ForwardedBy{} })},
		{"forwarded_by.principal", hello(func(p *wirepb.Hello) {
			p.ForwardedBy = &wirepb.ForwardedBy{NodeId: goldenNode[:], Principal: "\xff"}
		})},
		{"heartbeat_interval_us", &wirepb.HelloReply{ProtocolVersion: Version, HeartbeatIntervalUs: -1}},
		{"node_id", &wirepb.HelloReply{ProtocolVersion: Version, NodeId: []byte{1}}},
		{"member.id", node(func(p *wirepb.Member) { p.Id = nil })},
		{"member.name", node(func(p *wirepb.Member) { p.Name = "\xff" })},
		{"member.address", node(func(p *wirepb.Member) { p.Address = strings.Repeat("a", maxAddress+1) })},
		{"member.address", node(func(p *wirepb.Member) { p.Address = "a b:1" })},
		{"member.http_address", node(func(p *wirepb.Member) { p.HttpAddress = "ä:1" })},
		{"cluster_id", &wirepb.JoinReply{ClusterId: []byte{1}}},
		{"node_state.followers.id", &wirepb.ClusterStatusReply{NodeState: &wirepb.NodeState{Followers: []*wirepb.Follower{{Id: []byte{1}}}}}},
		{"node_state.snapshot_at_us", &wirepb.ClusterStatusReply{NodeState: &wirepb.NodeState{SnapshotAtUs: -1}}},
		{"state_hash", &wirepb.ClusterStatusReply{LastMark: &wirepb.Mark{StateHash: []byte{1}}}},
		{"completed_us", &wirepb.RetentionRequest{Set: &wirepb.Retention{CompletedUs: -2}}},
		{"dead_letter_us", &wirepb.RetentionReply{Settings: []*wirepb.Retention{{DeadLetterUs: math.MaxInt64}}}},
		{"cancelled_us", &wirepb.RetentionRequest{Set: &wirepb.Retention{CancelledUs: math.MinInt64}}},
		{"schedule", &wirepb.SetScheduleRequest{Action: 1}},
		{"task", &wirepb.SetScheduleRequest{Action: 1, Schedule: &wirepb.Schedule{}}},
		{"task.id", &wirepb.SetScheduleRequest{Action: 1, Schedule: &wirepb.Schedule{Task: &wirepb.TaskSpec{Id: id}}}},
		{"catch_up", &wirepb.SchedulesReply{Schedules: []*wirepb.Schedule{{CatchUp: 256, Task: &wirepb.TaskSpec{}}}}},
		{"overlap", &wirepb.SchedulesReply{Schedules: []*wirepb.Schedule{{Overlap: 256, Task: &wirepb.TaskSpec{}}}}},
		{"end_us", &wirepb.SchedulesReply{Schedules: []*wirepb.Schedule{{EndUs: -1, Task: &wirepb.TaskSpec{}}}}},
		{"last_task", &wirepb.SchedulesReply{Schedules: []*wirepb.Schedule{{LastTask: id[:3], Task: &wirepb.TaskSpec{}}}}},
		{"upcoming_us", &wirepb.SchedulesReply{UpcomingUs: []int64{-1}}},
		{"action", &wirepb.SetScheduleRequest{Action: 256}},
		{"task_id", &wirepb.SetScheduleRequest{Action: 4, TaskId: id[:3]}},
		{"address", &wirepb.AdoptRequest{}},
		{"hash", &wirepb.CreateTokenRequest{Token: &wirepb.Token{Id: "a", Role: 1}}},
		{"role", &wirepb.CreateTokenRequest{Token: &wirepb.Token{Id: "a", Role: 9}, Hash: make([]byte, 32)}},
		{"id", &wirepb.CreateTokenRequest{Token: &wirepb.Token{Id: "A_", Role: 1}, Hash: make([]byte, 32)}},
		{"all queues", &wirepb.CreateTokenRequest{Token: &wirepb.Token{Id: "a", Role: 4, Queues: []string{"q"}}, Hash: make([]byte, 32)}},
		{"queue prefix", &wirepb.CreateTokenRequest{Token: &wirepb.Token{Id: "a", Role: 1, Queues: []string{""}}, Hash: make([]byte, 32)}},
		{"expires_in_us", &wirepb.CreateTokenRequest{Token: &wirepb.Token{Id: "a", Role: 1}, Hash: make([]byte, 32), ExpiresInUs: -1}},
		{"role", &wirepb.TokensReply{Tokens: []*wirepb.Token{{Id: "a"}}}},
		{"revoked_at_us", &wirepb.TokensReply{Tokens: []*wirepb.Token{{Id: "a", Role: 1, RevokedAtUs: -1}}}},
		{"drain", &wirepb.WorkersRequest{Drain: "a\n"}},
		{"after", &wirepb.WorkersRequest{After: []byte{1}}},
		{"limit", &wirepb.WorkersRequest{Limit: task.MaxItems + 1}},
		{"session", &wirepb.WorkersReply{Workers: []*wirepb.Worker{{}}}},
		{"name of a worker", &wirepb.WorkersReply{Workers: []*wirepb.Worker{{Session: make([]byte, 16), Types: []string{"\xff"}}}}},
		{"connected_us", &wirepb.WorkersReply{Workers: []*wirepb.Worker{{Session: make([]byte, 16), ConnectedUs: -1}}}},
		{"address", &wirepb.AdoptRequest{Addresses: []string{""}}},
	} {
		if _, err := through(tt.m); !errors.Is(err, task.ErrInvalid) || !strings.Contains(err.Error(), tt.field) {
			t.Errorf("%T, %s: got %v", tt.m, tt.field, err)
		}
	}
}

func TestRefusedOtherwise(t *testing.T) {
	if _, err := GreetingFromPB(&wirepb.Hello{ProtocolVersion: 2}); !errors.Is(err, task.ErrVersion) {
		t.Errorf("version of a client: %v", err)
	}
	if _, err := GreetingFromPB(nil); !errors.Is(err, task.ErrVersion) {
		t.Errorf("empty hello: %v", err)
	}
	if _, err := WelcomeFromPB(&wirepb.HelloReply{}); !errors.Is(err, task.ErrVersion) {
		t.Errorf("version of a node: %v", err)
	}
	long := &wirepb.Hello{ProtocolVersion: Version, Token: strings.Repeat("t", task.MaxToken+1)}
	if _, err := GreetingFromPB(long); !errors.Is(err, task.ErrTooLarge) {
		t.Errorf("token: %v", err)
	}
	if _, err := StatusToPB(&member.Status{LastMark: &member.Mark{StateHash: "5a"}}); !errors.Is(err, task.ErrInvalid) {
		t.Errorf("short state hash: %v", err)
	}
}

// TestDomainRoundTrip: what a ToPB function is given, FromPB gives back.
func TestDomainRoundTrip(t *testing.T) {
	for name, want := range map[string]*task.Task{"full": goldenFull(), "zero": {ID: task.ID{1}, Status: task.Pending}} {
		got, err := TaskFromPB(TaskToPB(want))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("task %s: %v %s", name, err, diff)
		}
	}
	want := *goldenSpec()
	got, err := SpecFromPB(SpecToPB(&want))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("spec: %v %s", err, diff)
	}
	if err := got.Validate(); err != nil || got.ContentHash() != want.ContentHash() {
		t.Errorf("spec after the wire: %v, other hash: %v", err, got.ContentHash() != want.ContentHash())
	}
	claim := task.ClaimRequest{Session: session, WorkerID: "w", Queues: []string{"q"}, Types: []string{"t"}, Max: 3,
		Wait: time.Second, Lease: time.Minute}
	if got, err := ClaimFromPB(ClaimToPB(&claim), session); err != nil || cmp.Diff(claim, got) != "" {
		t.Errorf("claim: %v %s", err, cmp.Diff(claim, got))
	}
	greeting := Greeting{Version: Version, ClientName: "c", Token: "t", Session: session, ClusterID: goldenTown,
		Forwarded: &Forwarded{NodeID: goldenNode, Principal: "p"}}
	if got, err := GreetingFromPB(GreetingToPB(&greeting)); err != nil || cmp.Diff(greeting, got) != "" {
		t.Errorf("greeting: %v %s", err, cmp.Diff(greeting, got))
	}
	receipts := []task.Receipt{{ID: goldenID, Duplicate: true}, {Err: task.ErrConflict}}
	back, err := ReceiptsFromPB(ReceiptsToPB(receipts))
	if err != nil || len(back) != 2 || back[0] != receipts[0] || !errors.Is(back[1].Err, task.ErrConflict) {
		t.Errorf("receipts: %v, %v", back, err)
	}
	if ClaimToPB(nil) != nil {
		t.Error("no next claim becomes one")
	}
}

// TestTypicalSize holds the size that the design promises.
func TestTypicalSize(t *testing.T) {
	v := task.New(&task.Spec{
		ID: goldenID, Type: "send_email", Payload: []byte(`{"to":"someone@example.org","template":"welcome","lang":"en"}`),
	}, goldenAt, 12345678, [16]byte{})
	asJSON, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if n := TaskToPB(v).SizeVT(); n > 200 || 5*n > 2*len(asJSON) {
		t.Errorf("a typical task takes %d bytes, as JSON %d", n, len(asJSON))
	} else {
		t.Logf("a typical task takes %d bytes, as JSON %d", n, len(asJSON))
	}
	v.Payload = make([]byte, 100<<10)
	if n := TaskToPB(v).SizeVT() - len(v.Payload); n > 100 {
		t.Errorf("a payload of 100 KiB costs %d bytes more", n)
	}
}

// TestSeveralTasks: a page of different tasks is the same after the wire, and its size is theirs.
func TestSeveralTasks(t *testing.T) {
	var want []*task.Task
	single := 0
	for i := range 100 {
		v := goldenTask()
		if i%2 == 1 {
			v = goldenFull()
		}
		v.ID[15], v.Priority, v.Payload = byte(i), task.Priority(i), []byte(strings.Repeat("p", i))
		v.PayloadSize = uint32(i)
		if i == 0 {
			v.Payload = nil
		}
		want = append(want, v)
		single += TaskToPB(v).SizeVT()
	}
	reply := &wirepb.QueryReply{Tasks: TasksToPB(want)}
	raw, err := reply.MarshalVT()
	if err != nil {
		t.Fatal(err)
	}
	if over := len(raw) - single; over < 100 || over > 4*100 {
		t.Errorf("100 tasks of %d bytes take %d together", single, len(raw))
	}
	var back wirepb.QueryReply
	if err := back.UnmarshalVT(raw); err != nil {
		t.Fatal(err)
	}
	got, err := TasksFromPB(back.Tasks)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}
