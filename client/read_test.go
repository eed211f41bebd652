package client

import (
	"errors"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/internal/fakenode"
	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

func TestGetAndWait(t *testing.T) {
	n := fakenode.Start(t)
	c := newClient(t, nil, n)
	id := task.NewID()
	var got *task.Task
	var q wirepb.QueryRequest

	done := later(func() (err error) { got, err = c.Get(within(t), id, WithPayload(), Stale()); return err })
	r := n.Next(wire.QueryStatus)
	if r.Read(&q); !q.WithPayload || !q.Stale || q.WaitUs != 0 || task.ID(q.Ids[0]) != id {
		t.Errorf("asked %v", &q)
	}
	r.Ack(&wirepb.QueryReply{Tasks: []*wirepb.Task{{Id: id[:], Status: 1}}})
	mustBe(t, <-done, nil)
	if got.ID != id || got.Status != task.Pending {
		t.Errorf("got %+v", got)
	}

	done = later(func() (err error) { got, err = c.Get(within(t), id); return err })
	r = n.Next(wire.QueryStatus)
	q = wirepb.QueryRequest{}
	if r.Read(&q); q.WithPayload || q.Stale {
		t.Errorf("asked %v", &q)
	}
	r.Conn.Close() // a read is repeated whatever happened to it
	n.Next(wire.QueryStatus).Ack(&wirepb.QueryReply{})
	mustBe(t, <-done, task.ErrNotFound)

	done = later(func() (err error) { got, err = c.Wait(within(t), id); return err })
	for _, status := range []uint32{1, 2, 4, 3} {
		r = n.Next(wire.QueryStatus)
		q = wirepb.QueryRequest{}
		if r.Read(&q); q.WaitUs != waitSlice.Microseconds() || !q.WithPayload {
			t.Errorf("asked %v", &q)
		}
		r.Ack(&wirepb.QueryReply{Tasks: []*wirepb.Task{{Id: id[:], Status: status, Result: []byte("r")}}})
	}
	mustBe(t, <-done, nil)
	if got.Status != task.Completed || string(got.Result) != "r" {
		t.Errorf("got %+v", got)
	}
	_, _, err := c.Query(within(t), task.Query{})
	mustBe(t, err, task.ErrInvalid)
}

func TestListAndStats(t *testing.T) {
	n := fakenode.Start(t)
	c := newClient(t, nil, n)
	n.Handle(wire.ListTasks, func(r *fakenode.Request) (wire.Message, error) {
		var m wirepb.ListRequest
		if r.Read(&m); m.Limit != task.DefaultListLimit || m.Queue != "q" {
			t.Errorf("asked %v", &m)
		}
		return &wirepb.ListReply{Next: []byte("n"), AppliedIndex: 5}, nil
	})
	page, err := c.List(within(t), task.Filter{Queue: "q"})
	mustBe(t, err, nil)
	if string(page.Next) != "n" || page.AppliedIndex != 5 {
		t.Errorf("got %+v", page)
	}
	_, err = c.List(within(t), task.Filter{Limit: -1})
	mustBe(t, err, task.ErrInvalid)
	n.Handle(wire.GetStats, func(r *fakenode.Request) (wire.Message, error) {
		var m wirepb.StatsRequest
		if r.Read(&m); !m.Stale {
			t.Error("not stale")
		}
		return wire.StatsToPB(&task.Stats{Total: task.QueueCounts{Ready: 3}, AppliedIndex: 6}), nil
	})
	stats, err := c.Stats(within(t), Stale())
	mustBe(t, err, nil)
	if stats.Total.Ready != 3 || stats.AppliedIndex != 6 {
		t.Errorf("got %+v", stats)
	}
}

func TestCancel(t *testing.T) {
	n := fakenode.Start(t)
	c := newClient(t, nil, n)
	ids := make([]task.ID, 1500)
	for i := range ids {
		ids[i] = task.ID{byte(i >> 8), byte(i), 1}
	}
	answer := func(r *fakenode.Request) {
		var m wirepb.CancelRequest
		r.Read(&m)
		reply := &wirepb.CancelReply{}
		for _, id := range m.Ids {
			reply.Receipts = append(reply.Receipts, &wirepb.Receipt{Id: id})
		}
		r.Ack(reply)
	}
	var receipts []task.Receipt
	done := later(func() (err error) { receipts, err = c.Cancel(within(t), ids...); return err })
	n.Next(wire.CancelTask).Conn.Close() // a cancel is harmless to repeat
	answer(n.Next(wire.CancelTask))
	answer(n.Next(wire.CancelTask))
	mustBe(t, <-done, nil)
	for i, r := range receipts {
		if r.ID != ids[i] || r.Err != nil {
			t.Fatalf("receipt %d: %+v", i, r)
		}
	}
	done = later(func() (err error) { receipts, err = c.Cancel(within(t), ids...); return err })
	answer(n.Next(wire.CancelTask))
	n.Next(wire.CancelTask).Nack(task.ErrNotAllowed, "")
	mustBe(t, <-done, task.ErrNotAllowed)
	for i, r := range receipts {
		if r.ID != ids[i] || errors.Is(r.Err, task.ErrNotAllowed) != (i >= 1000) {
			t.Fatalf("receipt %d: %+v", i, r)
		}
	}
}

// TestNodeRequests: what concerns one node goes to the first address that answers, under no session, and never on to
// the leader.
func TestNodeRequests(t *testing.T) {
	dead, follower, leader := fakenode.Start(t), fakenode.Start(t), fakenode.Start(t)
	dead.Stop()
	follow(follower, leader)
	status := member.Status{NodeID: member.ID{7}, State: "follower", Members: []member.Member{{ID: member.ID{7},
		Role: member.Follower}}}
	reply, err := wire.StatusToPB(&status)
	mustBe(t, err, nil)
	follower.Handle(wire.ClusterStatus, func(*fakenode.Request) (wire.Message, error) { return reply, nil })
	follower.Handle(wire.Leave, func(*fakenode.Request) (wire.Message, error) { return &wirepb.LeaveReply{}, nil })
	follower.Handle(wire.Adopt, func(r *fakenode.Request) (wire.Message, error) {
		var m wirepb.AdoptRequest
		if r.Read(&m); len(m.Addresses) != 1 || m.Addresses[0] != "h:1" || m.Token != "t" {
			t.Errorf("adopt %v", &m)
		}
		return nil, task.ErrConflict
	})
	c := newClient(t, nil, dead, follower)
	got, err := c.Status(within(t))
	mustBe(t, err, nil)
	if got.NodeID != status.NodeID || len(got.Members) != 1 {
		t.Errorf("got %+v", got)
	}
	mustBe(t, c.Leave(within(t)), nil)
	mustBe(t, c.Adopt(within(t), member.Adoption{Addresses: []string{"h:1"}, Token: "t"}), task.ErrConflict)
	mustBe(t, c.Adopt(within(t), member.Adoption{Addresses: []string{"h"}}), task.ErrInvalid)
	_, err = c.StatusOf(within(t), dead.Addr())
	mustBe(t, err, task.ErrNoLeader)
	_, err = c.StatusOf(within(t), follower.Addr())
	mustBe(t, err, nil)
	for _, g := range follower.Hellos() {
		if !g.Session.IsZero() {
			t.Error("a passing connection says a session")
		}
	}
	if len(leader.Hellos()) != 0 {
		t.Error("went on to the leader")
	}
	eventually(t, "no connection is left", func() bool { return follower.Conns() == 0 })
	impatient := newClient(t, func(cfg *Config) { cfg.RetryFor = 50 * time.Millisecond }, dead)
	_, err = impatient.Status(within(t))
	mustBe(t, err, task.ErrNoLeader)
}

func TestClusterRequests(t *testing.T) {
	n := fakenode.Start(t)
	c := newClient(t, nil, n)
	id := member.ID{9}
	n.Handle(wire.Mark, func(*fakenode.Request) (wire.Message, error) { return &wirepb.MarkReply{Index: 12}, nil })
	n.Handle(wire.Remove, func(r *fakenode.Request) (wire.Message, error) {
		var m wirepb.RemoveRequest
		if r.Read(&m); member.ID(m.NodeId) != id {
			t.Errorf("remove %v", &m)
		}
		return nil, task.ErrNotFound
	})
	n.Handle(wire.Transfer, func(r *fakenode.Request) (wire.Message, error) {
		var m wirepb.TransferRequest
		if r.Read(&m); len(m.NodeId) != 0 {
			t.Errorf("transfer %v", &m)
		}
		return &wirepb.TransferReply{LeaderAddress: "h:1"}, nil
	})
	n.Handle(wire.Join, func(r *fakenode.Request) (wire.Message, error) {
		var m wirepb.JoinRequest
		if r.Read(&m); member.ID(m.GetMember().GetId()) != id || m.AppliedIndex != 3 {
			t.Errorf("join %v", &m)
		}
		return &wirepb.JoinReply{ClusterId: id[:], Voter: true}, nil
	})
	index, err := c.Mark(within(t))
	if err != nil || index != 12 {
		t.Errorf("mark: %d, %v", index, err)
	}
	n.Handle(wire.Doctor, func(r *fakenode.Request) (wire.Message, error) {
		var m wirepb.DoctorRequest
		if r.Read(&m); m.Index != 12 {
			t.Errorf("doctor %v", &m)
		}
		return &wirepb.DoctorReply{Index: 12, Finished: true, Found: &wirepb.Verification{Corrected: 2}}, nil
	})
	examined, err := c.Examine(within(t), n.Addr(), 12)
	if err != nil || examined.Index != 12 || !examined.Finished || examined.Found.Corrected != 2 || examined.Found.Healthy() {
		t.Errorf("examine: %+v, %v", examined, err)
	}
	mustBe(t, c.Remove(within(t), id), task.ErrNotFound)
	leader, err := c.Transfer(within(t), member.ID{})
	if err != nil || leader != "h:1" {
		t.Errorf("transfer: %s, %v", leader, err)
	}
	cluster, voter, err := c.Join(within(t), n.Addr(), member.Join{Member: member.Member{ID: id, Address: "h:2"},
		AppliedIndex: 3})
	if err != nil || cluster != id || !voter {
		t.Errorf("join: %s, %v, %v", cluster, voter, err)
	}
	n.Handle(wire.Transfer, nil)
	transferred := later(func() error { _, err := c.Transfer(within(t), id); return err })
	n.Next(wire.Transfer).Nack(task.ErrUnknownOutcome, "") // as a follower says that sees the new leader first
	n.Next(wire.Transfer).Ack(&wirepb.TransferReply{LeaderAddress: "h:2"})
	mustBe(t, <-transferred, nil)
	n.Handle(wire.Remove, nil)
	done := later(func() error { return c.Remove(within(t), id) })
	n.Next(wire.Remove).Conn.Close()
	mustBe(t, <-done, task.ErrUnknownOutcome) // it is not repeated: a second one would say that there is no such member
	n.None(wire.Remove)
}

// TestRetentionRequests: settings go to the leader and come back as they are.
func TestRetentionRequests(t *testing.T) {
	leader := fakenode.Start(t)
	var kept []task.Retention
	leader.Handle(wire.Retention, func(r *fakenode.Request) (wire.Message, error) {
		var m wirepb.RetentionRequest
		if r.Read(&m); m.Set != nil {
			set, err := wire.RetentionFromPB(m.Set)
			mustBe(t, err, nil)
			kept = append(kept, set)
		}
		return wire.RetentionsToPB(kept), nil
	})
	c := newClient(t, nil, leader)
	want := task.Retention{Type: "a", Completed: time.Hour, Cancelled: task.KeepForever}
	_, err := c.SetRetention(within(t), want)
	mustBe(t, err, nil)
	list, err := c.Retentions(within(t))
	if mustBe(t, err, nil); len(list) != 1 || list[0] != want {
		t.Errorf("retentions %+v", list)
	}
	_, err = c.SetRetention(within(t), task.Retention{Completed: -1})
	mustBe(t, err, task.ErrInvalid)
}
