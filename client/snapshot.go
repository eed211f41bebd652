package client

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// Snapshot is a snapshot of one node's state on its way: what Read gives, package snapshot understands. It belongs to
// one goroutine. Close it.
type Snapshot struct {
	ctx     context.Context
	c       *Client
	conn    *conn
	address string
	size    int64
	offset  uint64
	ready   []byte
}

// OpenSnapshot has the first node of Config.Addrs that can be reached take a snapshot. It holds all that was acknowledged
// before the call, for which a leader is needed; with stale it holds what that node knows, leader or not. The context is
// that of the whole transfer.
func (c *Client) OpenSnapshot(ctx context.Context, stale bool) (*Snapshot, error) {
	var minIndex uint64
	if !stale {
		stats, err := c.Stats(ctx)
		if err != nil {
			return nil, err
		}
		minIndex = stats.AppliedIndex
	}
	var failed []error
	for _, address := range c.cfg.Addrs {
		s, err := c.openSnapshot(ctx, address, minIndex)
		var unsent *notSent
		if err == nil || !errors.As(err, &unsent) {
			return s, err
		}
		failed = append(failed, err)
	}
	return nil, errors.Join(failed...)
}

// openSnapshot begins a snapshot at one node, over a connection of its own: the node ends what it has open for a
// connection together with it.
func (c *Client) openSnapshot(ctx context.Context, address string, minIndex uint64) (*Snapshot, error) {
	release, err := c.hold()
	if err != nil {
		return nil, err
	}
	defer release()
	conn, err := c.openOwn(ctx, address)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{ctx: ctx, c: c, conn: conn, address: address}
	if err := s.next(minIndex); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Size is how many bytes the whole snapshot has.
func (s *Snapshot) Size() int64 { return s.size }

// Address is that of the node whose state it is.
func (s *Snapshot) Address() string { return s.address }

// Read gives the next bytes. An error ends the snapshot; a new one has to be opened.
func (s *Snapshot) Read(b []byte) (int, error) {
	if len(s.ready) == 0 {
		if s.offset >= uint64(s.size) {
			return 0, io.EOF
		}
		if err := s.next(0); err != nil {
			return 0, err
		}
	}
	n := copy(b, s.ready)
	s.ready = s.ready[n:]
	return n, nil
}

// Close ends the snapshot, whole or not.
func (s *Snapshot) Close() { s.conn.fail(errRetired) }

// next fetches the next piece. A busy node is asked again: then it has not moved on.
func (s *Snapshot) next(minIndex uint64) error {
	var reply wirepb.SaveSnapshotReply
	err := s.c.retry(s.ctx, false, func() error {
		req := &wirepb.SaveSnapshotRequest{Offset: s.offset, MinIndex: minIndex}
		err := s.conn.roundTrip(s.ctx, wire.SaveSnapshot, req, &reply)
		var unsent *notSent
		if errors.As(err, &unsent) {
			return fmt.Errorf("snapshot from %s at byte %d: the connection ended", s.address, s.offset)
		}
		return err
	})
	if err != nil {
		return err
	}
	if s.offset == 0 {
		s.size = int64(reply.Size)
	}
	end := s.offset + uint64(len(reply.Data))
	if len(reply.Data) == 0 || int64(reply.Size) != s.size || end > uint64(s.size) {
		return fmt.Errorf("%w: %s sent %d bytes of a snapshot of %d at byte %d", task.ErrInternal, s.address, len(reply.Data),
			reply.Size, s.offset)
	}
	s.offset, s.ready = end, reply.Data
	return nil
}
