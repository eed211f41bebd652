package client

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// listen is the receiving goroutine.
func (n *conn) listen() {
	defer n.c.wg.Done()
	n.fail(n.receive())
}

// receive hands out answers until the connection ends. A node that is silent while it owes answers is probed; if it
// stays silent, it is given up.
func (n *conn) receive() error {
	probed := false
	for {
		if err := n.net.SetReadDeadline(time.Now().Add(n.c.cfg.ProbeAfter)); err != nil {
			return err
		}
		_, err := n.r.Peek(1)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if probed && n.owes() {
				return fmt.Errorf("no answer for %s", 2*n.c.cfg.ProbeAfter)
			}
			probed = n.probe()
			continue
		}
		if err != nil {
			return err
		}
		probed = false
		if err := n.net.SetReadDeadline(time.Now().Add(frameTimeout)); err != nil {
			return err
		}
		f, err := wire.ReadFrame(n.r, 0)
		if err != nil {
			return err
		}
		if err := n.deliver(f); err != nil {
			return err
		}
	}
}

func (n *conn) owes() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.calls) > 0
}

// probe asks a node that owes answers for something that every node answers at once by itself.
func (n *conn) probe() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.calls) == 0 {
		return false
	}
	_, call, err := n.put(wire.ClusterStatus, new(wirepb.ClusterStatusRequest), false)
	if err != nil {
		return false
	}
	call.left = true
	return true
}

// deliver takes one frame of the node. An error ends the connection.
func (n *conn) deliver(f wire.Frame) error {
	if f.RequestID == 0 {
		return n.unasked(f)
	}
	n.mu.Lock()
	call := n.calls[f.RequestID]
	delete(n.calls, f.RequestID)
	if call != nil && call.left {
		n.giveBack(call.kind, f)
	}
	over := n.retired && len(n.calls) == 0
	n.mu.Unlock()
	if call == nil {
		return fmt.Errorf("%w: an answer to request %d, which is not under way", task.ErrInvalid, f.RequestID)
	}
	n.freeSlot(call.slot)
	if !call.left {
		call.answer <- answer{frame: f}
	}
	if over {
		return errRetired
	}
	return nil
}

// unasked takes what the node sent on its own: a push, or why it closes the connection.
func (n *conn) unasked(f wire.Frame) error {
	switch f.Type {
	case wire.Push:
	case wire.Nack:
		return read(f, nil)
	default:
		return fmt.Errorf("%w: %s with request id 0", task.ErrInvalid, f.Type)
	}
	var m wirepb.Push
	if err := wire.Decode(f, &m); err != nil {
		return err
	}
	ids, err := wire.IDsFromPB("cancel", m.Cancel)
	if err != nil {
		return err
	}
	n.c.pushed(n, Push{Cancelled: ids, Drain: m.Drain, End: m.End})
	return nil
}

// giveBack returns the tasks of a claim for which nobody waits any more, with mu held. If it fails the broker notices
// that nobody lists their leases.
func (n *conn) giveBack(kind wire.Type, f wire.Frame) {
	var tasks []*wirepb.Task
	switch kind {
	case wire.ClaimTask:
		var m wirepb.ClaimReply
		if read(f, &m) == nil {
			tasks = m.Tasks
		}
	case wire.TaskResult:
		var m wirepb.ResultReply
		if read(f, &m) == nil {
			tasks = m.GetNext().GetTasks()
		}
	}
	if len(tasks) == 0 {
		return
	}
	req := &wirepb.ResultRequest{}
	for _, t := range tasks {
		req.Outcomes = append(req.Outcomes, &wirepb.Outcome{Id: t.Id, LeaseId: t.LeaseId, Kind: uint32(task.Interrupted)})
	}
	if _, call, err := n.put(wire.TaskResult, req, false); err == nil {
		call.left = true
	}
}
