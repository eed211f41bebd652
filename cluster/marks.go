package cluster

import (
	"context"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// markGrace is how long a node keeps the state of a mark for somebody to ask for its examination.
const markGrace = 30 * time.Second

// marks keeps the newest mark of this node.
type marks struct {
	mu   sync.Mutex
	last *examination // nil if this process has seen none
}

// examination is the work that a mark brings: the state hash at once, and the comparison of indexes and counters with
// the records when somebody asks for it.
type examination struct {
	asked  chan struct{} // closed when somebody has asked
	cancel context.CancelFunc

	mu    sync.Mutex
	once  bool // asked is closed
	state member.Examination
}

// begin starts with the mark at index, and ends what an earlier one still keeps busy.
func (m *marks) begin(index uint64, cancel context.CancelFunc) *examination {
	e := &examination{asked: make(chan struct{}), cancel: cancel, state: member.Examination{Index: index}}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last != nil {
		m.last.cancel()
	}
	m.last = e
	return e
}

// newest is nil if this process has seen no mark.
func (m *marks) newest() *examination {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

// status is the newest mark as a node's status shows it; nil for none.
func (m *marks) status() *member.Mark {
	e := m.newest()
	if e == nil {
		return nil
	}
	state := e.read()
	return &member.Mark{Index: state.Index, StateHash: state.StateHash}
}

func (e *examination) read() member.Examination {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state
}

func (e *examination) change(fn func(state *member.Examination)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	fn(&e.state)
}

// ask has the examination go on to the comparison.
func (e *examination) ask() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.once {
		e.once = true
		close(e.asked)
	}
}

// onMark hashes and, if asked, examines the state at a mark, beside the applies that follow.
func (n *Node) onMark(index uint64, snapshot *store.Snapshot) {
	ctx, cancel := context.WithCancel(n.ctx)
	e := n.marks.begin(index, cancel)
	n.work.Go(func() {
		defer cancel()
		defer snapshot.Release()
		err := e.hash(snapshot)
		if err == nil {
			err = e.compare(ctx, snapshot)
		}
		if err != nil && ctx.Err() == nil {
			n.log.Error("examine the state at a mark", "index", index, "error", err)
		}
		e.change(func(s *member.Examination) {
			if s.Finished = true; err != nil {
				s.Error = err.Error()
			}
		})
	})
}

func (e *examination) hash(snapshot *store.Snapshot) error {
	hash, err := snapshot.StateHash()
	if err != nil {
		return fmt.Errorf("state hash: %w", err)
	}
	e.change(func(s *member.Examination) { s.StateHash = hex.EncodeToString(hash[:]) })
	return nil
}

// compare waits for somebody to ask, for a while.
func (e *examination) compare(ctx context.Context, snapshot *store.Snapshot) error {
	grace := time.NewTimer(markGrace)
	defer grace.Stop()
	select {
	case <-e.asked:
	case <-grace.C:
		e.change(func(s *member.Examination) { s.Error = fmt.Sprintf("nobody asked for it within %s", markGrace) })
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	start := time.Now()
	found, err := snapshot.Verify(ctx, func(done, total uint64) {
		e.change(func(s *member.Examination) { s.Done, s.Total = done, total })
	})
	found.Elapsed = time.Since(start)
	e.change(func(s *member.Examination) { s.Found = found })
	return err
}

// Examine tells how this node's examination of its state at the mark at an index stands, and has it begun if it was not
// yet. A mark that the node has not come to yet has neither hash nor end.
func (n *Node) Examine(_ context.Context, index uint64) (member.Examination, error) {
	e := n.marks.newest()
	if e != nil {
		switch state := e.read(); {
		case state.Index == index:
			e.ask()
			return state, nil
		case state.Index > index:
			return member.Examination{}, fmt.Errorf("%w: a later mark, at %d, was set", task.ErrConflict, state.Index)
		}
	}
	if n.AppliedIndex() < index {
		return member.Examination{Index: index}, nil
	}
	return member.Examination{}, fmt.Errorf("%w: this node does not know its state at the mark at %d: it was started or was sent a snapshot since", task.ErrNotFound, index)
}
