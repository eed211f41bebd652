package transport

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/haiku-queue/haiku/wire"
)

var (
	errClosed   = errors.New("connection closed")
	errOverflow = errors.New("too many replies not read")
)

// writer sends frames on one connection. Frames that are queued while a write is under way go out together in the next.
//
// The queue has two marks: above softQueueBytes, hasRoom holds back whoever would cause more replies; above limit,
// message refuses. Nacks and frames passed on between two nodes are bounded by the requests they answer and are always
// taken.
type writer struct {
	conn    net.Conn
	timeout time.Duration // for each writeChunk
	limit   int64
	total   *budget // of the server
	wake    chan struct{}
	done    chan struct{} // closed when run has ended

	owed atomic.Int64 // requests whose reply has not begun to be sent

	mu       sync.Mutex
	queue    []byte
	replies  int           // in queue
	sending  int64         // bytes taken from the queue and not yet sent
	room     chan struct{} // closed when there is room again; nil if nobody waits
	finished bool          // nothing more is taken
	spare    []byte        // used by run only
}

func newWriter(conn net.Conn, l *Limits, total *budget) *writer {
	return &writer{
		conn: conn, timeout: l.WriteTimeout, limit: l.QueueBytes, total: total,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

// message queues a frame with m. reply is 1 if it answers a request counted in owed, else 0. The error wraps
// task.ErrTooLarge if m fits no frame; it is errOverflow if the queue is full, errClosed after the end.
func (w *writer) message(t wire.Type, requestID uint32, m wire.Message, reply int) error {
	return w.put(reply, t != wire.Nack, func(dst []byte) ([]byte, error) {
		return wire.AppendMessage(dst, t, requestID, m)
	})
}

// frame queues a frame as it is.
func (w *writer) frame(f wire.Frame, reply int) error {
	return w.put(reply, false, func(dst []byte) ([]byte, error) {
		return wire.AppendFrame(dst, f.Type, f.RequestID, f.Body), nil
	})
}

func (w *writer) put(reply int, limited bool, appendTo func([]byte) ([]byte, error)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.finished {
		return errClosed
	}
	before := len(w.queue)
	after, err := appendTo(w.queue)
	if err != nil {
		return err
	}
	if limited && int64(len(after))+w.sending > w.limit {
		return errOverflow
	}
	w.queue = after
	w.replies += reply
	w.total.add(int64(len(after) - before))
	signal(w.wake)
	return nil
}

// signal wakes the one receiver of a channel with room for one signal.
func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// hasRoom blocks until the queue is below its soft mark, the writer has ended or stop is closed.
func (w *writer) hasRoom(stop <-chan struct{}) {
	for {
		w.mu.Lock()
		if w.finished || w.backlog() <= softQueueBytes {
			w.mu.Unlock()
			return
		}
		if w.room == nil {
			w.room = make(chan struct{})
		}
		room := w.room
		w.mu.Unlock()
		select {
		case <-room:
		case <-stop:
			return
		}
	}
}

// backlog is called with mu held.
func (w *writer) backlog() int64 { return int64(len(w.queue)) + w.sending }

// freeRoom is called with mu held.
func (w *writer) freeRoom() {
	if w.room != nil && (w.finished || w.backlog() <= softQueueBytes) {
		close(w.room)
		w.room = nil
	}
}

// finish takes no more frames; run sends those queued and ends.
func (w *writer) finish() {
	w.mu.Lock()
	w.finished = true
	w.freeRoom()
	w.mu.Unlock()
	signal(w.wake)
}

// run sends what is queued until finish or the first error, after which it closes the connection, so that its reader
// ends.
func (w *writer) run() {
	defer close(w.done)
	for range w.wake {
		for {
			batch, ended := w.take()
			if len(batch) == 0 {
				if ended {
					return
				}
				break
			}
			if w.send(batch) != nil {
				w.fail()
				return
			}
		}
	}
}

// take empties the queue. The requests that it answers stop counting now, not after the write: the client may use their
// places as soon as it has the replies.
func (w *writer) take() (batch []byte, ended bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		return nil, w.finished
	}
	batch, w.queue, w.spare = w.queue, w.spare[:0], nil
	w.sending = int64(len(batch))
	w.owed.Add(-int64(w.replies))
	w.replies = 0
	return batch, w.finished
}

func (w *writer) send(batch []byte) error {
	for rest := batch; len(rest) > 0; {
		chunk := rest[:min(len(rest), writeChunk)]
		if err := w.conn.SetWriteDeadline(time.Now().Add(w.timeout)); err != nil {
			return err
		}
		if _, err := w.conn.Write(chunk); err != nil {
			return err
		}
		rest = rest[len(chunk):]
		w.sent(int64(len(chunk)))
	}
	if cap(batch) <= spareBytes {
		w.mu.Lock()
		w.spare = batch
		w.mu.Unlock()
	}
	return nil
}

func (w *writer) sent(n int64) {
	w.total.add(-n)
	w.mu.Lock()
	w.sending -= n
	w.freeRoom()
	w.mu.Unlock()
}

func (w *writer) fail() {
	w.mu.Lock()
	w.finished = true
	w.total.add(-w.backlog())
	w.queue, w.sending = nil, 0
	w.freeRoom()
	w.mu.Unlock()
	w.conn.Close()
}
