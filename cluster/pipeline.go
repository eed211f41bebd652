package cluster

import (
	"context"

	"github.com/hashicorp/raft"
)

// heldPipeline passes answers on, in their order, once what they answer is on this node's disk too.
type heldPipeline struct {
	raft.AppendPipeline
	answers chan raft.AppendFuture
	cancel  context.CancelFunc
}

// holdBack starts to hold back the answers of a pipeline, until its Close or the end of ctx.
func holdBack(ctx context.Context, p raft.AppendPipeline, d durable) raft.AppendPipeline {
	ctx, cancel := context.WithCancel(ctx)
	h := &heldPipeline{AppendPipeline: p, answers: make(chan raft.AppendFuture), cancel: cancel}
	go h.pass(ctx, d)
	return h
}

func (h *heldPipeline) pass(ctx context.Context, d durable) {
	// What is never answered must not have Raft wait for room to send more.
	defer h.AppendPipeline.Close()
	for {
		select {
		case f := <-h.AppendPipeline.Consumer():
			// One that failed is passed on at once, for Raft to give the pipeline up.
			if f.Error() == nil && f.Response().Success && d.has(ctx, f.Request().Entries) != nil {
				return
			}
			select {
			case h.answers <- f:
			case <-ctx.Done():
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// Consumer returns the answers.
func (h *heldPipeline) Consumer() <-chan raft.AppendFuture { return h.answers }

// Close closes the pipeline. What was not passed on never is.
func (h *heldPipeline) Close() error {
	h.cancel()
	return h.AppendPipeline.Close()
}

// has waits until the last of entries is on the disk.
func (d durable) has(ctx context.Context, entries []*raft.Log) error {
	if len(entries) == 0 {
		return nil
	}
	return d(ctx, entries[len(entries)-1].Index)
}
