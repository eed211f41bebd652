package cluster

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// one submits a task of a spec and claims it for a session.
func (c *liveCluster) one(spec task.Spec, session task.SessionID, lease time.Duration) *task.Task {
	c.t.Helper()
	spec.ID = task.NewID()
	if spec.Type == "" {
		spec.Type = "t"
	}
	c.mustSubmit(spec)
	return c.claim(session, lease)
}

func (c *liveCluster) claim(session task.SessionID, lease time.Duration) *task.Task {
	c.t.Helper()
	tasks, err := c.leader().Claim(c.t.Context(), task.ClaimRequest{Session: session, WorkerID: "w", Max: 1, Wait: patience, Lease: lease})
	if err != nil || len(tasks) != 1 {
		c.t.Fatalf("claim: %d tasks, %v", len(tasks), err)
	}
	return tasks[0]
}

func (c *liveCluster) get(id task.ID) *task.Task {
	c.t.Helper()
	tasks, _, err := c.leader().Get(c.t.Context(), task.Query{IDs: []task.ID{id}})
	if err != nil || len(tasks) != 1 {
		c.t.Fatalf("get: %d tasks, %v", len(tasks), err)
	}
	return tasks[0]
}

func (c *liveCluster) beat(got *task.Task, session task.SessionID) task.HeartbeatReply {
	c.t.Helper()
	reply, err := c.leader().Heartbeat(c.t.Context(), task.Heartbeat{Session: session, Leases: []task.LeaseRef{{ID: got.ID, LeaseID: got.LeaseID}}})
	if err != nil {
		c.t.Fatal(err)
	}
	return reply
}

// shortLease is the shortest that the tests' nodes grant.
const shortLease = 1200 * time.Millisecond

func TestLeaseExpiresAndTheLateWorkerChangesNothing(t *testing.T) {
	c := startCluster(t, 1, nil)
	session := task.NewSessionID()
	got := c.one(task.Spec{}, session, shortLease)
	c.beat(got, session)
	again := c.claim(task.NewSessionID(), shortLease)
	if again.ID != got.ID || again.LeaseID <= got.LeaseID || again.CrashCount != 1 || again.Attempt != 2 {
		t.Fatalf("claimed again: %+v", again)
	}
	receipts, _, err := c.leader().Finish(t.Context(), session, []task.Outcome{{ID: got.ID, LeaseID: got.LeaseID, Kind: task.Success}}, nil)
	if err != nil || !errors.Is(receipts[0].Err, task.ErrStaleLease) {
		t.Errorf("late result: %v, %v", receipts, err)
	}
	if reply := c.beat(got, session); len(reply.Lost) != 1 {
		t.Errorf("heartbeat of a lost lease: %+v", reply)
	}
}

func TestHeartbeatsKeepALease(t *testing.T) {
	c := startCluster(t, 1, nil)
	session := task.NewSessionID()
	got := c.one(task.Spec{}, session, shortLease)
	over := time.NewTimer(2 * shortLease)
	defer over.Stop()
	tick := time.NewTicker(shortLease / 6)
	defer tick.Stop()
	for end := false; !end; {
		select {
		case <-tick.C:
			if reply := c.beat(got, session); len(reply.Lost) > 0 {
				t.Fatal("lease lost although renewed")
			}
		case <-over.C:
			end = true
		}
	}
	if now := c.get(got.ID); now.Status != task.InProgress || now.LeaseID != got.LeaseID || !now.LeaseExpiresAt.After(got.LeaseExpiresAt) {
		t.Errorf("renewed task: %+v", now)
	}
}

func TestLostSessionReleasesItsLeases(t *testing.T) {
	c := startCluster(t, 1, nil)
	session := task.NewSessionID()
	leave := c.leader().OpenSession(session, member.Origin{}, func([]task.ID, bool) {})
	got := c.one(task.Spec{}, session, time.Hour)
	c.beat(got, session)
	leave()
	back := c.leader().OpenSession(session, member.Origin{}, func([]task.ID, bool) {})
	if reply := c.beat(got, session); len(reply.Lost) > 0 {
		t.Error("lease lost although the session came back within the grace")
	}
	back()
	again := c.claim(task.NewSessionID(), time.Hour)
	if again.ID != got.ID || again.CrashCount != 1 {
		t.Errorf("claimed again: %+v", again)
	}
}

func TestLeaseWhoseClaimWasNotHeardGoesBackWithoutCrash(t *testing.T) {
	c := startCluster(t, 1, nil)
	session := task.NewSessionID()
	got := c.one(task.Spec{}, session, time.Hour)
	eventually(t, "the task goes back", func() bool {
		if _, err := c.leader().Heartbeat(t.Context(), task.Heartbeat{Session: session}); err != nil {
			t.Fatal(err)
		}
		return c.get(got.ID).Status == task.Pending
	})
	again := c.claim(session, time.Hour)
	if again.ID != got.ID || again.CrashCount != 0 || again.Attempt != 1 {
		t.Errorf("claimed again: %+v", again)
	}
}

// TestHeartbeatsThatWereHeldUpReturnNoLease: heartbeats that come together with a grant, or all at once, were sent before
// the worker could know of the lease. Only those that lie apart tell that it does not.
func TestHeartbeatsThatWereHeldUpReturnNoLease(t *testing.T) {
	ls := newLeases(time.Second, nil)
	now := time.Now()
	held := &task.Task{ID: task.NewID(), LeaseID: 1, Session: task.NewSessionID(), LeaseDuration: time.Minute}
	ls.grant(held, now, now)
	for _, step := range []struct {
		after time.Duration // from the grant; negative when it came before and was confirmed after
		lost  bool
	}{
		{-time.Second, false}, {0, false}, {time.Millisecond, false}, {999 * time.Millisecond, false},
		{1500 * time.Millisecond, false}, {1501 * time.Millisecond, false}, {1502 * time.Millisecond, false},
		{2500 * time.Millisecond, true},
	} {
		_, unheard := ls.renew(task.Heartbeat{Session: held.Session}, now.Add(step.after))
		if lost := len(unheard) > 0; lost != step.lost {
			t.Fatalf("a heartbeat %s after the grant returns the lease: %t", step.after, lost)
		}
	}
}

func TestLeasesAreArmedAnewByTheNextLeader(t *testing.T) {
	c := startCluster(t, 3, nil)
	session := task.NewSessionID()
	got := c.one(task.Spec{}, session, shortLease)
	c.beat(got, session)
	if _, err := c.leader().Transfer(t.Context(), c.followers()[0].ID()); err != nil {
		t.Fatal(err)
	}
	if reply := c.beat(got, session); len(reply.Lost) > 0 {
		t.Fatal("lease lost in the change of leader")
	}
	again := c.claim(task.NewSessionID(), shortLease)
	if again.ID != got.ID || again.LeaseID <= got.LeaseID {
		t.Errorf("claimed again: %+v", again)
	}
}

func TestTimeoutOfAnAttemptIsAFailure(t *testing.T) {
	c := startCluster(t, 1, nil)
	none := uint32(0)
	session := task.NewSessionID()
	got := c.one(task.Spec{TimeoutSeconds: 1, MaxRetries: &none}, session, time.Hour)
	ended, _, err := c.leader().Get(t.Context(), task.Query{IDs: []task.ID{got.ID}, Wait: patience})
	if err != nil || ended[0].Status != task.DeadLetter || ended[0].Reason != task.RetriesExhausted || ended[0].CrashCount != 0 {
		t.Errorf("after the timeout: %+v, %v", ended, err)
	}
}

func TestCancelOfARunningTaskIsPushedRepeatedAndEnforced(t *testing.T) {
	c := startCluster(t, 1, nil)
	session := task.NewSessionID()
	pushed := make(chan []task.ID, 1)
	defer c.leader().OpenSession(session, member.Origin{}, func(cancelled []task.ID, _ bool) { pushed <- cancelled })()
	got := c.one(task.Spec{}, session, shortLease)
	if receipts, err := c.leader().Cancel(t.Context(), []task.ID{got.ID}); err != nil || receipts[0].Err != nil {
		t.Fatal(err, receipts)
	}
	if ids := <-pushed; len(ids) != 1 || ids[0] != got.ID {
		t.Errorf("pushed %v", ids)
	}
	if reply := c.beat(got, session); len(reply.Cancelled) != 1 {
		t.Errorf("heartbeat does not repeat the cancel: %+v", reply)
	}
	eventually(t, "the cancel is enforced", func() bool {
		if now := c.get(got.ID); now.Status == task.InProgress {
			c.beat(got, session)
			return false
		}
		return true
	})
	if now := c.get(got.ID); now.Status != task.Cancelled || now.Reason != task.OnRequest {
		t.Errorf("after the cancel: %+v", now)
	}
}

func TestDueTasksAreClaimableInTime(t *testing.T) {
	c := startCluster(t, 3, nil)
	start := time.Now()
	got := c.one(task.Spec{Delay: 700 * time.Millisecond}, task.NewSessionID(), time.Hour)
	if waited := time.Since(start); waited < 700*time.Millisecond {
		t.Errorf("a task with a delay of 700ms was claimed after %s", waited)
	}
	receipts, _, err := c.leader().Finish(t.Context(), got.Session, []task.Outcome{{ID: got.ID, LeaseID: got.LeaseID, Kind: task.Failure, RetryAfter: 300 * time.Millisecond}}, nil)
	if err != nil || receipts[0].Err != nil {
		t.Fatal(err, receipts)
	}
	if again := c.claim(task.NewSessionID(), time.Hour); again.ID != got.ID || again.RetryCount != 1 {
		t.Errorf("claimed again: %+v", again)
	}
}

func TestBadClaimsAndHeartbeats(t *testing.T) {
	c := startCluster(t, 1, nil)
	session := task.NewSessionID()
	for name, req := range map[string]task.ClaimRequest{
		"no session":  {WorkerID: "w", Max: 1},
		"no worker":   {Session: session, Max: 1},
		"max zero":    {Session: session, WorkerID: "w"},
		"max huge":    {Session: session, WorkerID: "w", Max: task.MaxItems + 1},
		"lease short": {Session: session, WorkerID: "w", Max: 1, Lease: time.Millisecond},
		"lease long":  {Session: session, WorkerID: "w", Max: 1, Lease: task.MaxLease + 1},
		"wait long":   {Session: session, WorkerID: "w", Max: 1, Wait: task.MaxWait + 1},
		"empty type":  {Session: session, WorkerID: "w", Max: 1, Types: []string{""}},
		"empty queue": {Session: session, WorkerID: "w", Max: 1, Queues: []string{""}},
	} {
		if _, err := c.leader().Claim(t.Context(), req); !errors.Is(err, task.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.leader().Heartbeat(t.Context(), task.Heartbeat{}); !errors.Is(err, task.ErrInvalid) {
		t.Errorf("heartbeat without session: %v", err)
	}
}

// TestProgressReachesTheNextAttempt: what heartbeats tell is shown while a task runs and stays with it when its worker dies.
func TestProgressReachesTheNextAttempt(t *testing.T) {
	c := startCluster(t, 1, nil)
	session := task.NewSessionID()
	got := c.one(task.Spec{}, session, shortLease)
	told := task.Progress{Percent: 40, Message: "half of it", Cursor: []byte("page 7")}
	beat := func(p task.Progress) {
		t.Helper()
		_, err := c.leader().Heartbeat(t.Context(), task.Heartbeat{Session: session, Leases: []task.LeaseRef{{ID: got.ID, LeaseID: got.LeaseID, Progress: p}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	beat(told)
	beat(task.Progress{}) // says nothing new
	if p := c.get(got.ID).Progress; !cmp.Equal(p, told) {
		t.Fatalf("while it runs: %+v", p)
	}
	again := c.claim(task.NewSessionID(), shortLease)
	if again.ID != got.ID || !cmp.Equal(again.Progress, told) {
		t.Fatalf("claimed again: %+v", again)
	}
}

// TestFollowUpsAreClaimedAndScheduled: tasks that come with a result wake waiting claims, now or when they are due.
func TestFollowUpsAreClaimedAndScheduled(t *testing.T) {
	c := startCluster(t, 1, nil)
	session := task.NewSessionID()
	got := c.one(task.Spec{}, session, time.Minute)
	now, later := task.Spec{ID: task.NewID(), Type: "now", Payload: []byte("p")}, task.Spec{ID: task.NewID(), Type: "later", Delay: 50 * time.Millisecond}
	claimed := make(chan task.ID, 2)
	for _, typ := range []string{"now", "later"} {
		go func() {
			tasks, err := c.leader().Claim(t.Context(), task.ClaimRequest{Session: session, WorkerID: "w", Types: []string{typ}, Max: 1, Wait: patience, Lease: time.Minute})
			if err != nil || len(tasks) != 1 {
				t.Errorf("claim %s: %d tasks, %v", typ, len(tasks), err)
				claimed <- task.ID{}
				return
			}
			claimed <- tasks[0].ID
		}()
	}
	o := task.Outcome{ID: got.ID, LeaseID: got.LeaseID, Kind: task.Success, Submit: []task.Spec{now, later}}
	receipts, _, err := c.leader().Finish(t.Context(), session, []task.Outcome{o}, nil)
	if err != nil || receipts[0].Err != nil {
		t.Fatal(receipts, err)
	}
	if first, second := <-claimed, <-claimed; first != now.ID || second != later.ID {
		t.Errorf("claimed %s and %s", first, second)
	}
	o.Submit = make([]task.Spec, task.MaxFollowUps)
	for i := range o.Submit {
		o.Submit[i] = task.Spec{ID: task.NewID(), Type: "t"}
	}
	if _, _, err := c.leader().Finish(t.Context(), session, slices.Repeat([]task.Outcome{o}, 10), nil); !errors.Is(err, task.ErrTooLarge) {
		t.Errorf("1010 tasks in one report: %v", err)
	}
}
