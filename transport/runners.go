package transport

import (
	"sync"
	"sync/atomic"

	"github.com/haiku-queue/haiku/wire"
)

// maxIdleRunners is how many goroutines wait for a request to serve. Those beyond end with their request.
const maxIdleRunners = 512

// runners are goroutines that serve a request each, and then another one: a new goroutine begins with a small stack and
// copies it several times on the way from the connection to Raft, which is a twelfth of what a submit costs the leader.
type runners struct {
	waiting chan request
	idle    atomic.Int64
	closing <-chan struct{}
	done    sync.WaitGroup
}

// request is an admitted frame and the connection that it came on.
type request struct {
	conn  *conn
	frame wire.Frame
}

func newRunners(closing <-chan struct{}) *runners {
	return &runners{waiting: make(chan request), closing: closing}
}

// serve hands a request to a goroutine that waits for one, or to a new one. It does not block.
func (r *runners) serve(q request) {
	select {
	case r.waiting <- q:
	default:
		r.done.Go(func() { r.run(q) })
	}
}

func (r *runners) run(q request) {
	for {
		q.conn.serve(q.frame)
		if !r.wait(&q) {
			return
		}
	}
}

// wait replaces q with the next request. It reports false if the goroutine is not to serve another one.
func (r *runners) wait(q *request) bool {
	defer r.idle.Add(-1)
	if r.idle.Add(1) > maxIdleRunners {
		return false
	}
	*q = request{} // nothing of it is held while waiting
	select {
	case *q = <-r.waiting:
		return true
	case <-r.closing:
		return false
	}
}
