package main

import (
	"context"
	"sync"
)

// spawn runs f(ctx, 0) to f(ctx, n-1) in goroutines. The returned function ends ctx and waits for them; an error before
// that fails the phase.
func spawn(ctx context.Context, n int, t *Tracker, f func(ctx context.Context, i int) error) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if err := f(ctx, i); err != nil && ctx.Err() == nil {
				t.Fail(err)
			}
		})
	}
	return func() error {
		cancel()
		wg.Wait()
		return nil
	}
}

// Env is what every driver is told.
type Env struct {
	BinDir string // where build.sh puts the servers that it builds
	Haikud string // the haikud to measure
	Share  int    // producers or workers that use one connection, where the client library can share it
}

// node picks one of k nodes for the i-th producer or worker: the ones that share a connection go to the same node, and
// the connections go round.
func (e Env) node(i, k int) int { return i / e.Share % k }

// conns keeps the connections that producers or workers share. Only one goroutine uses it.
type conns[C any] struct {
	share int
	open  func(i int) (C, error)
	all   []C
}

func shared[C any](e Env, open func(i int) (C, error)) conns[C] {
	return conns[C]{share: e.Share, open: open}
}

// at returns the connection for the i-th producer or worker.
func (c *conns[C]) at(i int) (C, error) {
	for len(c.all) <= i/c.share {
		conn, err := c.open(len(c.all) * c.share)
		if err != nil {
			var none C
			return none, err
		}
		c.all = append(c.all, conn)
	}
	return c.all[i/c.share], nil
}
