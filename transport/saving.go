package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/task"
)

const (
	snapshotPiece = 2 << 20          // bytes of a snapshot in one reply
	savingIdle    = 60 * time.Second // without a request for the next piece
)

// saving is the one snapshot that a connection may be fetching: the client pulls it piece by piece, each when it has
// room, so nothing waits here but the open reader. A client that stops asking loses it after a while, one that hangs up
// at once: what the reader holds on the disk must not stay for ever.
type saving struct {
	idle time.Duration // savingIdle, or shorter in tests

	mu     sync.Mutex
	reader io.ReadCloser // nil if none is open
	at     uint64        // offset of the next piece
	size   int64
	watch  *time.Timer
	serial uint64 // of the request, so that a watch that comes too late ends nothing
}

// next opens a snapshot, for offset 0, and gives its next piece. A piece is given once.
func (s *saving) next(ctx context.Context, admin Admin, offset, minIndex uint64) (data []byte, size int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	if offset == 0 {
		s.drop()
		if s.reader, s.size, err = admin.SaveSnapshot(ctx, minIndex); err != nil {
			s.reader = nil
			return nil, 0, err
		}
		s.at = 0
	}
	if s.reader == nil || offset != s.at {
		return nil, 0, fmt.Errorf("%w: no snapshot is being fetched at offset %d of this connection; begin at 0", task.ErrNotFound, offset)
	}
	if s.watch != nil {
		s.watch.Stop()
	}
	data = make([]byte, min(snapshotPiece, s.size-int64(s.at)))
	if _, err := io.ReadFull(s.reader, data); err != nil {
		s.drop()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w: the snapshot ended before its announced %d bytes", task.ErrInternal, s.size)
		}
		return nil, 0, err
	}
	s.at += uint64(len(data))
	size = s.size
	if int64(s.at) == size {
		s.drop()
	} else {
		s.expect()
	}
	return data, size, nil
}

// expect gives the client its time to ask for the next piece.
func (s *saving) expect() {
	serial := s.serial
	s.watch = time.AfterFunc(s.idle, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.serial == serial {
			s.drop()
		}
	})
}

// close ends what is being fetched, when the connection has no request in work any more.
func (s *saving) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop()
}

// drop is called with mu held.
func (s *saving) drop() {
	if s.watch != nil {
		s.watch.Stop()
		s.watch = nil
	}
	if s.reader != nil {
		s.reader.Close() // it only reads: there is nothing to lose
		s.reader = nil
	}
}
