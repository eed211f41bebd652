package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// saves is an Admin whose snapshots are some bytes. It counts those that are open.
type saves struct {
	fakeAdmin
	content []byte
	size    int64 // announced
	tail    error // after content, if not nil
	open    atomic.Int64
	opened  atomic.Int64
	index   atomic.Uint64
}

type savedBytes struct {
	io.Reader
	of *saves
}

func (r savedBytes) Close() error {
	r.of.open.Add(-1)
	return nil
}

// startSaves serves snapshots of random bytes from a node that does not lead.
func startSaves(t *testing.T, size int) (*Server, *saves) {
	t.Helper()
	a := &saves{content: make([]byte, size), size: int64(size)}
	random := rand.NewChaCha8([32]byte{1})
	random.Read(a.content)
	a.save = func(_ context.Context, minIndex uint64) (io.ReadCloser, int64, error) {
		a.open.Add(1)
		a.opened.Add(1)
		a.index.Store(minIndex)
		r := io.Reader(bytes.NewReader(a.content))
		if a.tail != nil {
			r = io.MultiReader(r, iotest.ErrReader(a.tail))
		}
		return savedBytes{r, a}, a.size, nil
	}
	s := listen(t, nil)
	b := newBroker()
	b.lead("", false)
	s.Serve(Identity{NodeName: "n", ClusterID: cluster}, b, a)
	t.Cleanup(func() { // before that of listen: connections end with the server
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if n := a.open.Load(); n != 0 {
			t.Errorf("%d snapshots stay open", n)
		}
	})
	return s, a
}

func (p *peer) piece(offset, minIndex uint64) *wirepb.SaveSnapshotReply {
	p.t.Helper()
	var reply wirepb.SaveSnapshotReply
	p.call(wire.SaveSnapshot, &wirepb.SaveSnapshotRequest{Offset: offset, MinIndex: minIndex}, &reply)
	return &reply
}

func TestSnapshotIsFetchedPieceByPiece(t *testing.T) {
	s, a := startSaves(t, 2*snapshotPiece+1000)
	p := connect(t, s)
	for range 2 {
		var got []byte
		for len(got) < len(a.content) {
			reply := p.piece(uint64(len(got)), 77)
			if reply.Size != uint64(a.size) || len(reply.Data) == 0 || len(reply.Data) > snapshotPiece {
				t.Fatalf("%d bytes of %d", len(reply.Data), reply.Size)
			}
			got = append(got, reply.Data...)
		}
		if !bytes.Equal(got, a.content) || a.index.Load() != 77 {
			t.Error("other bytes than the node's")
		}
		if n := a.open.Load(); n != 0 {
			t.Errorf("%d are open after the last piece", n)
		}
		p.nack(p.send(wire.SaveSnapshot, &wirepb.SaveSnapshotRequest{Offset: uint64(len(got))}), task.ErrNotFound)
	}
}

func TestSnapshotPiecesComeInOrderAndOnce(t *testing.T) {
	s, a := startSaves(t, 3*snapshotPiece)
	p, other := connect(t, s), connect(t, s)
	p.piece(0, 0)
	p.nack(p.send(wire.SaveSnapshot, &wirepb.SaveSnapshotRequest{Offset: 1}), task.ErrNotFound)
	other.nack(other.send(wire.SaveSnapshot, &wirepb.SaveSnapshotRequest{Offset: snapshotPiece}), task.ErrNotFound)
	p.piece(snapshotPiece, 0)
	p.piece(0, 0) // begins anew
	if a.open.Load() != 1 || a.opened.Load() != 2 {
		t.Errorf("%d of %d are open, want 1 of 2", a.open.Load(), a.opened.Load())
	}
	p.nc.Close()
	eventually(t, "the snapshot ends with its connection", func() bool { return a.open.Load() == 0 })
}

func TestSnapshotThatNobodyAsksForEnds(t *testing.T) {
	a := &saves{content: make([]byte, 3*snapshotPiece), size: 3 * snapshotPiece}
	a.save = func(context.Context, uint64) (io.ReadCloser, int64, error) {
		a.open.Add(1)
		return savedBytes{bytes.NewReader(a.content), a}, a.size, nil
	}
	s := saving{idle: 20 * time.Millisecond}
	defer s.close()
	if _, _, err := s.next(t.Context(), a, 0, 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the snapshot ends", func() bool { return a.open.Load() == 0 })
	if _, _, err := s.next(t.Context(), a, snapshotPiece, 0); !errors.Is(err, task.ErrNotFound) {
		t.Errorf("the next piece: %v", err)
	}
}

func TestSnapshotThatBreaksIsRefusedAndEnds(t *testing.T) {
	for name, c := range map[string]struct {
		tail  error
		extra int64
		want  error
	}{
		"shorter than announced": {nil, 5, task.ErrInternal},
		"an error of its reader": {task.ErrShutdown, 5, task.ErrShutdown},
	} {
		s, a := startSaves(t, 1000)
		a.tail, a.size = c.tail, a.size+c.extra
		p := connect(t, s)
		p.nack(p.send(wire.SaveSnapshot, new(wirepb.SaveSnapshotRequest)), c.want)
		if a.open.Load() != 0 {
			t.Errorf("%s: it stays open", name)
		}
	}
}
