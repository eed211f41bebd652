package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// urgent requests keep leases; they never queue behind others for a slot.
func urgent(kind wire.Type) bool { return kind == wire.Heartbeat || kind == wire.TaskResult }

// changes reports whether a request has an effect, so that it matters whether it was carried out.
func changes(kind wire.Type) bool {
	switch kind {
	case wire.QueryStatus, wire.ListTasks, wire.GetStats, wire.ClusterStatus, wire.Heartbeat, wire.SaveSnapshot, wire.Doctor,
		wire.Schedules, wire.Tokens:
		return false
	}
	return true
}

// roundTrip sends a request and waits for its answer. A *notSent error says that nothing was sent. If the context ends
// first, the error wraps its cause, and task.ErrUnknownOutcome if the request may take effect.
func (n *conn) roundTrip(ctx context.Context, kind wire.Type, req, reply wire.Message) error {
	slot := !urgent(kind)
	if slot {
		select {
		case n.slots <- struct{}{}:
		case <-n.done:
			return n.ended()
		case <-ctx.Done():
			return fmt.Errorf("%s: too many requests under way: %w", kind, context.Cause(ctx))
		}
	}
	if err := n.waitRoom(ctx); err != nil {
		n.freeSlot(slot)
		return fmt.Errorf("%s: %w", kind, err)
	}
	id, call, err := n.enqueue(kind, req, slot)
	if err != nil {
		n.freeSlot(slot)
		return err
	}
	select {
	case a := <-call.answer:
		return n.understand(a, reply)
	case <-ctx.Done():
	}
	if !n.abandon(id, call) {
		return n.understand(<-call.answer, reply)
	}
	if changes(kind) {
		return fmt.Errorf("%s: %w: %w", kind, task.ErrUnknownOutcome, context.Cause(ctx))
	}
	return fmt.Errorf("%s: %w", kind, context.Cause(ctx))
}

// understand reads an answer. One that makes no sense ends the connection, and leaves open what came of the request.
func (n *conn) understand(a answer, reply wire.Message) error {
	if a.err != nil {
		return a.err
	}
	err := read(a.frame, reply)
	var remote *wire.RemoteError
	if err == nil || errors.As(err, &remote) {
		return err
	}
	n.fail(err)
	return n.lost(err, true)
}

func (n *conn) freeSlot(held bool) {
	if held {
		<-n.slots
	}
}

// ended is the error of a request that comes too late to be sent here.
func (n *conn) ended() error {
	return &notSent{fmt.Errorf("%w: connection to %s ended", task.ErrNoLeader, n.address)}
}

// waitRoom waits until little enough is queued.
func (n *conn) waitRoom(ctx context.Context) error {
	for {
		n.mu.Lock()
		if len(n.queue) <= maxQueued {
			n.mu.Unlock()
			return nil
		}
		if n.room == nil {
			n.room = make(chan struct{})
		}
		room := n.room
		n.mu.Unlock()
		select {
		case <-room:
		case <-n.done:
			return n.ended()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// enqueue puts a request into the queue.
func (n *conn) enqueue(kind wire.Type, req wire.Message, slot bool) (uint32, *call, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.retired {
		return 0, nil, n.ended()
	}
	return n.put(kind, req, slot)
}

// put is enqueue, retired or not, with mu held.
func (n *conn) put(kind wire.Type, req wire.Message, slot bool) (uint32, *call, error) {
	if n.err != nil {
		return 0, nil, n.ended()
	}
	id := n.lastID + 1
	for n.calls[id] != nil || id == 0 {
		id++
	}
	before := len(n.queue)
	queue, err := wire.AppendMessage(n.queue, kind, id, req)
	if err != nil {
		return 0, nil, err
	}
	call := &call{kind: kind, begin: n.queued, slot: slot, answer: make(chan answer, 1)}
	n.lastID, n.queue, n.calls[id] = id, queue, call
	n.queued += uint64(len(queue) - before)
	select {
	case n.wake <- struct{}{}:
	default:
	}
	return id, call, nil
}

// abandon notes that nobody waits for an answer any more. It reports false if the answer has come already.
func (n *conn) abandon(id uint32, call *call) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.calls[id] != call {
		return false
	}
	call.left = true
	return true
}
