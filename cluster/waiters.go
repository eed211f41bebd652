package cluster

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// maxWaiters bounds the claims that wait at one leader.
const maxWaiters = 64 << 10

// waiter is one claim that found nothing and waits. It is either idle, or trying: a claim for it is on its way through
// Raft. A waiter that found nothing is idle again, at its old place in the line.
type waiter struct {
	request task.ClaimRequest
	place   uint64
	trying  bool
	leaving bool // its time is up; it ends with the try that is under way
	gone    bool
	answer  chan claimed // one value, for the goroutine that waits
}

// claimed is the end of a claim.
type claimed struct {
	tasks []*task.Task
	err   error
	begin time.Time // when the claim was proposed; only where traces are recorded
}

// waiters is the line of waiting claims. Those that name types stand under each (queue, type) pair, those that do not
// under each queue with an empty type. It only decides who is to try; the caller proposes.
type waiters struct {
	mu     sync.Mutex
	lines  map[store.Pair][]*waiter // each in order of place
	places uint64
	count  int
	closed error // why nobody can wait any more
}

func newWaiters() *waiters { return &waiters{lines: make(map[store.Pair][]*waiter)} }

// join puts a claim at the end of the line.
func (ws *waiters) join(req task.ClaimRequest) (*waiter, error) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.closed != nil {
		return nil, ws.closed
	}
	if ws.count >= maxWaiters {
		return nil, fmt.Errorf("%w: %d claims are waiting", task.ErrBusy, ws.count)
	}
	ws.count++
	ws.places++
	w := &waiter{request: req, place: ws.places, answer: make(chan claimed, 1)}
	for _, pair := range linesOf(&req) {
		ws.lines[pair] = append(ws.lines[pair], w)
	}
	return w, nil
}

// try marks w as trying and reports whether the caller has to propose its claim: not if it tries or has left already.
func (ws *waiters) try(w *waiter) bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if w.trying || w.gone {
		return false
	}
	w.trying = true
	return true
}

// idle puts w back to waiting after a try that found nothing, or ends it if its time is up.
func (ws *waiters) idle(w *waiter) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w.trying = false
	if w.leaving && !w.gone {
		ws.remove(w)
		w.answer <- claimed{}
	}
}

// leave takes w out of the line. It reports false when a try is under way or has ended: then an answer comes.
func (ws *waiters) leave(w *waiter) bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if w.trying || w.gone {
		w.leaving = true
		return false
	}
	ws.remove(w)
	return true
}

// finish takes w out of the line, whether it tries or not, and gives it its answer.
func (ws *waiters) finish(w *waiter, c claimed) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if !w.gone {
		ws.remove(w)
		w.answer <- c
	}
}

// pick chooses who tries for count tasks of a pair, first come first served, and marks them as trying.
func (ws *waiters) pick(pair store.Pair, count int) []*waiter {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	var picked []*waiter
	for count > 0 {
		typed, any := ws.first(pair), ws.first(store.Pair{Queue: pair.Queue})
		w := typed
		if w == nil || any != nil && any.place < w.place {
			w = any
		}
		if w == nil {
			break
		}
		w.trying = true
		count -= w.request.Max
		picked = append(picked, w)
	}
	return picked
}

// waits returns the place of the first who waits for tasks of a pair and does not try; ok is false if there is none.
func (ws *waiters) waits(pair store.Pair) (place uint64, ok bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, line := range [...]store.Pair{pair, {Queue: pair.Queue}} {
		if w := ws.first(line); w != nil && (!ok || w.place < place) {
			place, ok = w.place, true
		}
	}
	return place, ok
}

// idlers lists the claims that wait and do not try, first come first.
func (ws *waiters) idlers() []*waiter {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	seen := make(map[*waiter]bool)
	var idle []*waiter
	for _, line := range ws.lines {
		for _, w := range line {
			if !w.trying && !seen[w] {
				seen[w] = true
				idle = append(idle, w)
			}
		}
	}
	slices.SortFunc(idle, func(a, b *waiter) int { return cmp.Compare(a.place, b.place) })
	return idle
}

// close ends the whole line with an error, and whoever comes later.
func (ws *waiters) close(err error) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.closed = err
	for _, line := range ws.lines {
		for _, w := range line {
			if !w.gone {
				w.gone = true
				w.answer <- claimed{err: err}
			}
		}
	}
	ws.lines, ws.count = make(map[store.Pair][]*waiter), 0
}

// first returns the first idle waiter of a line.
func (ws *waiters) first(pair store.Pair) *waiter {
	for _, w := range ws.lines[pair] {
		if !w.trying {
			return w
		}
	}
	return nil
}

func (ws *waiters) remove(w *waiter) {
	if w.gone {
		return
	}
	w.gone = true
	ws.count--
	for _, pair := range linesOf(&w.request) {
		line := ws.lines[pair]
		for i := range line {
			if line[i] == w {
				copy(line[i:], line[i+1:])
				line[len(line)-1] = nil
				line = line[:len(line)-1]
				break
			}
		}
		if len(line) == 0 {
			delete(ws.lines, pair)
		} else {
			ws.lines[pair] = line
		}
	}
}

func linesOf(req *task.ClaimRequest) []store.Pair {
	types := req.Types
	if len(types) == 0 {
		types = []string{""}
	}
	pairs := make([]store.Pair, 0, len(req.Queues)*len(types))
	for _, q := range req.Queues {
		for _, t := range types {
			pairs = append(pairs, store.Pair{Queue: q, Type: t})
		}
	}
	return pairs
}
