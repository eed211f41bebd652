package client

import (
	"bytes"
	"io"
	"testing"

	"github.com/haiku-queue/haiku/internal/fakenode"
	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// asks waits for the request for a piece.
func asks(t *testing.T, n *fakenode.Node, offset, minIndex uint64) *fakenode.Request {
	t.Helper()
	r := n.Next(wire.SaveSnapshot)
	var req wirepb.SaveSnapshotRequest
	if r.Read(&req); req.Offset != offset || req.MinIndex != minIndex {
		t.Errorf("asked %v, want offset %d and index %d", &req, offset, minIndex)
	}
	return r
}

func TestSnapshotIsPulled(t *testing.T) {
	n, leader := fakenode.Start(t), fakenode.Start(t)
	leader.Handle(wire.GetStats, func(*fakenode.Request) (wire.Message, error) {
		return &wirepb.StatsReply{AppliedIndex: 77}, nil
	})
	n.Handle(wire.GetStats, func(*fakenode.Request) (wire.Message, error) { return &wirepb.StatsReply{AppliedIndex: 77}, nil })
	follow(n, leader)
	c := newClient(t, nil, n)
	var got []byte
	done := later(func() error {
		s, err := c.OpenSnapshot(within(t), false)
		if err != nil {
			return err
		}
		defer s.Close()
		if s.Size() != 10 || s.Address() != n.Addr() {
			t.Errorf("%d bytes from %s", s.Size(), s.Address())
		}
		got, err = io.ReadAll(s)
		return err
	})
	asks(t, n, 0, 77).Ack(&wirepb.SaveSnapshotReply{Data: []byte("01234"), Size: 10})
	asks(t, n, 5, 0).Nack(task.ErrBusy, "") // nothing was given: the same again
	asks(t, n, 5, 0).Ack(&wirepb.SaveSnapshotReply{Data: []byte("56789"), Size: 10})
	mustBe(t, <-done, nil)
	if !bytes.Equal(got, []byte("0123456789")) {
		t.Errorf("got %q", got)
	}
	leader.None(wire.SaveSnapshot)
}

// TestSnapshotEndsWithItsConnection: what the node had open is gone, so nothing can be gone on with.
func TestSnapshotEndsWithItsConnection(t *testing.T) {
	n := fakenode.Start(t)
	c := newClient(t, nil, n)
	open := func(next func(*fakenode.Request)) error {
		done := later(func() error {
			s, err := c.OpenSnapshot(within(t), true)
			if err != nil {
				return err
			}
			defer s.Close()
			_, err = io.Copy(io.Discard, s)
			return err
		})
		asks(t, n, 0, 0).Ack(&wirepb.SaveSnapshotReply{Data: []byte("01234"), Size: 10})
		next(asks(t, n, 5, 0))
		return <-done
	}
	if err := open(func(r *fakenode.Request) { r.Conn.Close() }); err == nil {
		t.Error("the connection broke, and the snapshot is whole")
	}
	n.None(wire.SaveSnapshot)
	for name, reply := range map[string]*wirepb.SaveSnapshotReply{
		"nothing": {Size: 10}, "too much": {Data: []byte("56789x"), Size: 10}, "another size": {Data: []byte("5"), Size: 11},
	} {
		if err := open(func(r *fakenode.Request) { r.Ack(reply) }); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	mustBe(t, open(func(r *fakenode.Request) { r.Nack(task.ErrNotFound, "") }), task.ErrNotFound)
}
