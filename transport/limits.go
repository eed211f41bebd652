package transport

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/haiku-queue/haiku/internal/trace"
	"github.com/haiku-queue/haiku/wire"
)

// Config is what Listen needs.
type Config struct {
	Addr   string // HOST:PORT to listen on; port 0 takes a free one
	Limits Limits
	// RequireToken: clients are asked to come again as long as this node knows of no token, instead of being served.
	RequireToken bool
	Logger       *slog.Logger    // slog.Default() if nil
	Trace        *trace.Recorder // of submits whose tasks' traces are sampled; nil for none
}

// Limits bound what clients can make this node hold, and for how long. The ranges are those that Validate allows.
type Limits struct {
	MaxConns     int // client connections, 1 to 100,000; as many more may be waiting for their first byte
	MaxRaftConns int // Raft streams handed on and still open, 1 to 10,000
	MaxRequests  int // requests of one connection without answer, waiting claims included, 1 to 65,536

	ConnBytes  int64 // of one connection's requests in work, MaxFrame to 1 GiB
	TotalBytes int64 // of all requests in work and replies not yet sent, ConnBytes to 1 TiB; memory is about twice that
	QueueBytes int64 // of one connection's replies not yet sent, 32 MiB to 1 GiB; who leaves more unread is cut off

	HandshakeTimeout time.Duration // from accept to the first byte, and from there to the whole Hello, 1 ms to 1 min
	FrameTimeout     time.Duration // from the first byte of a frame to its last, 1 ms to 10 min
	IdleTimeout      time.Duration // without a frame and without a request in work, 1 ms to 24 h
	WriteTimeout     time.Duration // for the client to take the next 256 KiB, 1 ms to 10 min
	LeaderWait       time.Duration // for a leader to be known and reachable, 1 ms to 1 min
	DrainTimeout     time.Duration // for requests in work when the server closes, 0 to 10 min
}

// Default returns a Config for loopback with the limits of a node of medium size.
func Default() Config {
	return Config{
		Addr: "127.0.0.1:7420",
		Limits: Limits{
			MaxConns: 4096, MaxRaftConns: 256, MaxRequests: 256,
			ConnBytes: 32 << 20, TotalBytes: 512 << 20, QueueBytes: 64 << 20,
			HandshakeTimeout: 5 * time.Second, FrameTimeout: time.Minute, IdleTimeout: 5 * time.Minute,
			WriteTimeout: 30 * time.Second, LeaderWait: 3 * time.Second, DrainTimeout: 10 * time.Second,
		},
	}
}

// These bound what is not worth a setting.
const (
	softQueueBytes = 1 << 20                // replies not yet sent above which no further request is read
	writeChunk     = 256 << 10              // bytes sent under one write deadline
	spareBytes     = 64 << 10               // a larger buffer is not kept for the next replies
	readBuffer     = 16 << 10               // of one connection
	maxHello       = 64 << 10               // length of a Hello and of the answer to it
	raftBacklog    = 64                     // Raft streams accepted and not yet taken
	lingerTimeout  = 2 * time.Second        // for a client to take the last replies and hang up
	lingerBytes    = 1 << 20                // read and dropped meanwhile
	busyRetryAfter = 100 * time.Millisecond // told with task.ErrBusy
	redialPause    = 100 * time.Millisecond // after a leader that could not be reached
	acceptPause    = 100 * time.Millisecond // after an accept that failed, as when file descriptors run out
	bulkReads      = 2                      // lists and reads with payload in work on one connection
)

// Validate reports every limit that is out of its range.
func (l *Limits) Validate() error {
	const day = 24 * time.Hour
	return errors.Join(
		within("connections", l.MaxConns, 1, 100_000),
		within("raft_connections", l.MaxRaftConns, 1, 10_000),
		within("requests", l.MaxRequests, 1, 65_536),
		within("connection_bytes", l.ConnBytes, wire.MaxFrame+1, 1<<30),
		within("total_bytes", l.TotalBytes, max(l.ConnBytes, wire.MaxFrame+1), 1<<40),
		within("reply_bytes", l.QueueBytes, 2*(wire.MaxFrame+1), 1<<30),
		within("handshake_timeout", l.HandshakeTimeout, time.Millisecond, time.Minute),
		within("frame_timeout", l.FrameTimeout, time.Millisecond, 10*time.Minute),
		within("idle_timeout", l.IdleTimeout, time.Millisecond, day),
		within("write_timeout", l.WriteTimeout, time.Millisecond, 10*time.Minute),
		within("leader_wait", l.LeaderWait, time.Millisecond, time.Minute),
		within("drain_timeout", l.DrainTimeout, 0, 10*time.Minute),
	)
}

func within[T int | int64 | time.Duration](key string, v, low, high T) error {
	if v < low || v > high {
		return fmt.Errorf("%s %v is not within %v and %v", key, v, low, high)
	}
	return nil
}
