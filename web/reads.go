package web

import (
	"context"
	"errors"
	"fmt"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

const (
	headerIndex = "Haiku-Applied-Index"
	headerStale = "Haiku-Stale"
)

// Reads are the parameters of every read.
type Reads struct {
	Consistency string `query:"consistency" enum:"linearizable,stale" doc:"linearizable: all that was acknowledged, or an error; stale: this node's own state. Without it a read is linearizable while there is a leader, and else stale"`
	MinIndex    uint64 `query:"min_index" doc:"With a stale read: wait until this node's state is at least so far, as an earlier Haiku-Applied-Index said"`
}

// reply is the answer to a read.
type reply[T any] struct {
	AppliedIndex uint64 `header:"Haiku-Applied-Index" doc:"Of the state that was read"`
	Stale        string `header:"Haiku-Stale" doc:"true if this node answered from its own state, which others may be ahead of"`
	Body         T
}

// freshness is how a read is to be answered.
type freshness struct {
	stale bool
	may   bool // be stale if there is no leader
}

// read answers a read by what its parameters say. fetch tells the index of the state, or 0 if the request has none.
func read[T any](ctx context.Context, s *Server, r Reads, fetch func(ctx context.Context, c *client.Client, stale bool) (T, uint64, error),
) (*reply[T], error) {
	ctx, cancel := within(ctx)
	defer cancel()
	out := &reply[T]{}
	try := func(ctx context.Context, stale bool) error {
		if stale {
			if err := s.catchUp(ctx, r.MinIndex); err != nil {
				return err
			}
			out.Stale = "true"
		}
		own := s.src.Inspector.AppliedIndex() // before the read, so that the state is at least so far
		err := s.call(ctx, func(c *client.Client) (err error) {
			out.Body, out.AppliedIndex, err = fetch(ctx, c, stale)
			return err
		})
		if out.AppliedIndex == 0 {
			out.AppliedIndex = own
		}
		return err
	}
	f := s.freshness(r)
	switch {
	case f.stale:
		return out, try(ctx, true)
	case !f.may:
		return out, s.fromLeader(ctx, func(ctx context.Context) error { return try(ctx, false) })
	}
	first, end := context.WithTimeout(ctx, readTimeout)
	err := try(first, false)
	end()
	if leaderless(err) && ctx.Err() == nil {
		err = try(ctx, true)
	}
	return out, err
}

func (s *Server) freshness(r Reads) freshness {
	if r.Consistency != "" {
		return freshness{stale: r.Consistency == "stale"}
	}
	address, _ := s.src.Inspector.Leader()
	return freshness{stale: address == "", may: true}
}

// fromLeader carries out what only reads, and only from the leader. It fails as soon as waiting for one is vain.
func (s *Server) fromLeader(ctx context.Context, ask func(context.Context) error) error {
	if err := s.leaders.need(); err != nil {
		return err
	}
	ctx, cancel := s.leaders.within(ctx)
	defer cancel()
	err := ask(ctx)
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, errLeaderless) {
		return cause
	}
	return err
}

// leaderless reports whether a read failed because no leader answered.
func leaderless(err error) bool {
	for _, e := range [...]error{task.ErrNoLeader, task.ErrNotLeader, task.ErrUnknownOutcome, task.ErrTimeout, context.DeadlineExceeded} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// catchUp waits until this node's state is as far as the client wants it.
func (s *Server) catchUp(ctx context.Context, index uint64) error {
	if index == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, catchUpTimeout)
	defer cancel()
	if err := s.src.Inspector.AwaitApplied(ctx, index); err != nil {
		return fmt.Errorf("%w: this node's state is at index %d, not at %d, after %s", task.ErrTimeout,
			s.src.Inspector.AppliedIndex(), index, catchUpTimeout)
	}
	return nil
}

func clipped(text string) string { return task.ClipText(text, 64) }
