package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// TestWorkersAreListed: who claims, under which names, what it holds and where it is connected.
func TestWorkersAreListed(t *testing.T) {
	c := startCluster(t, 1, nil)
	n := c.leader()
	ctx := t.Context()
	session, other := task.SessionID{2}, task.SessionID{1}
	from := member.Origin{ClientName: "mailer", Node: member.ID{7}}
	leave := n.OpenSession(session, from, func([]task.ID, bool) {})
	defer n.OpenSession(other, member.Origin{}, func([]task.ID, bool) {})()
	if list, more, err := n.Workers(ctx, task.SessionID{}, 10); err != nil || more || len(list) != 0 {
		t.Fatalf("before any claim: %+v, %v, %v", list, more, err)
	}
	receipts, err := n.Submit(ctx, []task.Spec{{ID: task.NewID(), Type: "a"}}, false)
	if err != nil || receipts[0].Err != nil {
		t.Fatal(err, receipts)
	}
	claim := task.ClaimRequest{Session: session, WorkerID: "w1", Types: []string{"a", "b"}, Max: 1}
	tasks, err := n.Claim(ctx, claim)
	if err != nil || len(tasks) != 1 {
		t.Fatalf("claimed %v, %v", tasks, err)
	}
	ref := task.LeaseRef{ID: tasks[0].ID, LeaseID: tasks[0].LeaseID}
	if _, err := n.Heartbeat(ctx, task.Heartbeat{Session: session, Leases: []task.LeaseRef{ref}}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Claim(ctx, task.ClaimRequest{Session: other, WorkerID: "w2", Max: 1, Queues: []string{"q"}}); err != nil {
		t.Fatal(err)
	}
	list, more, err := n.Workers(ctx, task.SessionID{}, 10)
	if err != nil || more || len(list) != 2 || list[0].Session != other || list[1].Session != session {
		t.Fatalf("listed %+v, %v, %v", list, more, err)
	}
	w := list[1]
	if !slices.Equal(w.IDs, []string{"w1"}) || w.ClientName != "mailer" || w.Node != from.Node || w.Leases != 1 ||
		!slices.Equal(w.Queues, []string{task.DefaultQueue}) || !slices.Equal(w.Types, []string{"a", "b"}) ||
		w.Connected.IsZero() || w.LastHeartbeat.Before(w.Connected) || w.Draining {
		t.Errorf("the one with a lease: %+v", w)
	}
	if w := list[0]; w.Leases != 0 || len(w.Types) != 0 || !slices.Equal(w.Queues, []string{"q"}) || !w.LastHeartbeat.IsZero() {
		t.Errorf("the other: %+v", w)
	}
	if list, more, err := n.Workers(ctx, task.SessionID{}, 1); err != nil || !more || len(list) != 1 || list[0].Session != other {
		t.Errorf("the first page: %+v, %v, %v", list, more, err)
	}
	if list, more, err := n.Workers(ctx, other, 1); err != nil || more || len(list) != 1 || list[0].Session != session {
		t.Errorf("the second page: %+v, %v, %v", list, more, err)
	}
	if _, _, err := n.Workers(ctx, other, 0); !errors.Is(err, task.ErrInvalid) {
		t.Errorf("no limit: %v", err)
	}
	leave()
	eventually(t, "the end of the session", func() bool {
		list, _, err := n.Workers(ctx, task.SessionID{}, 10)
		return err == nil && len(list) == 1
	})
}

// TestWorkersMemoryIsBounded: however many names a session uses, few of them are kept.
func TestWorkersMemoryIsBounded(t *testing.T) {
	ss := newSessions(time.Second, func(task.SessionID) {})
	defer ss.close()
	session := task.SessionID{1}
	defer ss.add(session, member.Origin{}, func([]task.ID, bool) {})()
	var types []string
	for i := range 100 {
		types = append(types, fmt.Sprintf("t%d", i))
		ss.claims(&task.ClaimRequest{Session: session, WorkerID: fmt.Sprintf("w%d", i), Queues: []string{"q"}, Types: types})
	}
	list, _ := ss.list(task.SessionID{}, 10)
	if len(list) != 1 || !slices.Equal(list[0].IDs, []string{"w96", "w97", "w98", "w99"}) ||
		len(list[0].Types) != member.MaxWorkerNames {
		t.Errorf("kept %+v", list)
	}
	ss.claims(&task.ClaimRequest{Session: session, WorkerID: "w97"})
	if list, _ = ss.list(task.SessionID{}, 10); !slices.Equal(list[0].IDs, []string{"w96", "w98", "w99", "w97"}) ||
		len(list[0].Types) != 0 {
		t.Errorf("kept %+v", list)
	}
	ss.claims(&task.ClaimRequest{Session: task.SessionID{9}, WorkerID: "w"}) // its connection is gone
	if list, _ = ss.list(task.SessionID{}, 10); len(list) != 1 {
		t.Errorf("kept %+v", list)
	}
}

// TestDrainWorker: a worker is told by a push and by its heartbeats, its claims that wait end, and later ones get
// nothing. Others go on.
func TestDrainWorker(t *testing.T) {
	c := startCluster(t, 1, nil)
	n := c.leader()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	session, other := task.SessionID{1}, task.SessionID{2}
	pushed := make(chan bool, 2)
	defer n.OpenSession(session, member.Origin{}, func(_ []task.ID, end bool) { pushed <- end })()
	defer n.OpenSession(other, member.Origin{}, func([]task.ID, bool) {})()
	if _, err := n.DrainWorker(ctx, "w"); !errors.Is(err, task.ErrNotFound) {
		t.Fatalf("before any claim: %v", err)
	}
	claim := func(of task.SessionID, name string, wait time.Duration) <-chan []*task.Task {
		got := make(chan []*task.Task, 1)
		go func() {
			tasks, err := n.Claim(ctx, task.ClaimRequest{Session: of, WorkerID: name, Types: []string{"a", "b"}, Max: 1, Wait: wait})
			if err != nil {
				t.Error(err)
			}
			got <- tasks
		}()
		return got
	}
	waiting, others := claim(session, "w", patience), claim(other, "o", patience)
	eventually(t, "the claims that wait", func() bool {
		list, _, err := n.Workers(ctx, task.SessionID{}, 10)
		return err == nil && len(list) == 2
	})
	list, err := n.DrainWorker(ctx, "w")
	if err != nil || len(list) != 1 || list[0].Session != session || !list[0].Draining {
		t.Fatalf("drained %+v, %v", list, err)
	}
	if !<-pushed {
		t.Error("the push does not say end")
	}
	if tasks := <-waiting; len(tasks) != 0 {
		t.Errorf("the claim that waited got %v", tasks)
	}
	reply, err := n.Heartbeat(ctx, task.Heartbeat{Session: session})
	if err != nil || !reply.Drain {
		t.Errorf("heartbeat: %+v, %v", reply, err)
	}
	if reply, err = n.Heartbeat(ctx, task.Heartbeat{Session: other}); err != nil || reply.Drain {
		t.Errorf("the other's heartbeat: %+v, %v", reply, err)
	}
	late := claim(session, "w", time.Millisecond)
	if receipts, err := n.Submit(ctx, []task.Spec{{ID: task.NewID(), Type: "a"}, {ID: task.NewID(), Type: "a"}}, false); err != nil {
		t.Fatal(err, receipts)
	}
	tasks := <-others
	if len(tasks) != 1 {
		t.Fatalf("the other got %v", tasks)
	}
	if tasks := <-late; len(tasks) != 0 {
		t.Errorf("a claim with a short wait got %v", tasks)
	}
	done := task.Outcome{ID: tasks[0].ID, LeaseID: tasks[0].LeaseID, Kind: task.Success}
	next := &task.ClaimRequest{Session: session, WorkerID: "w", Max: 1}
	if receipts, tasks, err := n.Finish(ctx, session, []task.Outcome{done}, next); err != nil || receipts[0].Err != nil ||
		len(tasks) != 0 {
		t.Errorf("a claim with a result: %v, %v, %v", receipts, tasks, err)
	}
	if list, err := n.DrainWorker(ctx, other.String()); err != nil || len(list) != 1 || list[0].Session != other {
		t.Errorf("drained by session: %+v, %v", list, err)
	}
}

// TestWorkersOfNewLeader: a worker that has all it can run, and so claims nothing, is known to a new leader by its
// heartbeats, under the name of its lease; one that has only a connection yet is asked to end by its session.
func TestWorkersOfNewLeader(t *testing.T) {
	c := startCluster(t, 1, nil)
	ctx := t.Context()
	session, other := task.SessionID{1}, task.SessionID{2}
	held := c.one(task.Spec{}, session, 30*time.Second)
	n := c.leader()
	c.crash(n)
	c.start(n, nil)
	c.leader()
	for _, id := range []task.SessionID{session, other} {
		defer n.OpenSession(id, member.Origin{}, func([]task.ID, bool) {})()
	}
	if list, _, err := n.Workers(ctx, task.SessionID{}, 10); err != nil || len(list) != 0 {
		t.Fatalf("before any heartbeat: %+v, %v", list, err)
	}
	c.beat(held, session)
	list, _, err := n.Workers(ctx, task.SessionID{}, 10)
	if err != nil || len(list) != 1 || !list[0].Is("w") || list[0].Leases != 1 || len(list[0].Queues) != 0 {
		t.Fatalf("listed %+v, %v", list, err)
	}
	if list, err = n.DrainWorker(ctx, "w"); err != nil || len(list) != 1 || list[0].Session != session {
		t.Errorf("drained by name: %+v, %v", list, err)
	}
	if list, err = n.DrainWorker(ctx, other.String()); err != nil || len(list) != 1 || !list[0].Draining {
		t.Errorf("drained by session: %+v, %v", list, err)
	}
	if list, _, err = n.Workers(ctx, session, 10); err != nil || len(list) != 1 || list[0].Session != other {
		t.Errorf("listed after it was asked: %+v, %v", list, err)
	}
}
