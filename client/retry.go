package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

const (
	firstPause = 20 * time.Millisecond // before the first repetition
	maxPause   = time.Second           // between two, unless the node asks for more
)

// do sends a request until it is answered for good, the context ends or RetryFor has passed. repeat allows to send it
// again although it may have taken effect.
func (c *Client) do(ctx context.Context, kind wire.Type, req, reply wire.Message, repeat bool) error {
	var open error // of an attempt that may have taken effect
	err := c.retry(ctx, repeat, func() error {
		conn, err := c.connect(ctx)
		if err != nil {
			return err
		}
		err = conn.roundTrip(ctx, kind, req, reply)
		c.heed(conn, err)
		if changes(kind) && errors.Is(err, task.ErrUnknownOutcome) {
			open = err
		}
		return err
	})
	if open != nil && mayRepeat(err, false) { // that the last attempt had no effect says nothing of the one before
		return fmt.Errorf("%w; then: %v", open, err)
	}
	return err
}

// heed draws from a refusal where to send the next request.
func (c *Client) heed(from *conn, err error) {
	var remote *wire.RemoteError
	if !errors.As(err, &remote) {
		return
	}
	switch {
	case errors.Is(err, task.ErrShutdown):
		c.leave(from, "")
	case errors.Is(err, task.ErrNotLeader) && remote.Leader != "" && remote.Leader != from.address:
		c.leave(from, remote.Leader)
	case errors.Is(err, task.ErrNoLeader) && len(c.cfg.Addrs) > 1:
		c.leave(from, "") // another node may know more, or be on the right side of a broken network
	}
}

// retry calls attempt until it succeeds, fails for good or the time is up; then the last error is returned, with the one
// before if the last says only that the time is up.
func (c *Client) retry(ctx context.Context, repeat bool, attempt func() error) error {
	begin := time.Now()
	var before error
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := attempt()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil && before != nil && !errors.Is(err, task.ErrUnknownOutcome): // it says more than that the time is up
			return fmt.Errorf("%w; before that: %w", err, before)
		case ctx.Err() != nil || !mayRepeat(err, repeat):
			return err
		}
		before = err
		wait := max(jitter(pause), retryAfter(err))
		if time.Since(begin)+wait > c.cfg.RetryFor {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-c.ctx.Done():
			timer.Stop()
			return ErrClosed
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w; before that: %w", context.Cause(ctx), err)
		}
	}
}

// mayRepeat reports whether a request that ended in err is worth sending again, and harmless.
func mayRepeat(err error, repeat bool) bool {
	if errors.Is(err, ErrClosed) {
		return false
	}
	var unsent *notSent
	if errors.As(err, &unsent) || wire.Retryable(err) {
		return true
	}
	return repeat && errors.Is(err, task.ErrUnknownOutcome)
}

func retryAfter(err error) time.Duration {
	var remote *wire.RemoteError
	if errors.As(err, &remote) {
		return remote.RetryAfter
	}
	return 0
}

// jitter spreads clients that lost the same node: half of d to d.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }
