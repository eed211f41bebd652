package cluster

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// intake passes on to Raft what other nodes ask of it, one after the other.
//
// Raft refuses votes and pre-votes for as long as it knows of a leader, and it forgets one only when its own timer fires.
// A node that could win is then refused by one that has merely not looked yet, and both wait for up to two election
// timeouts. So this tells Raft, with each request, that the leader is lost. All other conditions are Raft's.
//
// It is also where the node stands for election before Raft's timer has it do so: see Node.suspect.
type intake struct {
	out     chan raft.RPC
	own     chan *candidacy
	invited atomic.Bool // that it stood last without Raft's pre-vote was a leader's wish

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
}

func newIntake() *intake {
	i := &intake{out: make(chan raft.RPC), own: make(chan *candidacy)}
	i.ctx, i.cancel = context.WithCancel(context.Background())
	return i
}

// begin passes on what comes in. lost names the leader that Raft still knows though nothing is to be heard from it.
func (i *intake) begin(in <-chan raft.RPC, lost func() (leader raft.ServerAddress, is bool)) {
	i.work.Go(func() {
		for last := (rival{}); ; {
			var rpc raft.RPC
			select {
			case rpc = <-in:
				i.amend(rpc.Command, &last, lost)
			case own := <-i.own:
				_, is := lost()
				own.yielded = is && own.yieldsTo(last)
				close(own.decided)
				if !is || own.yielded {
					continue
				}
				i.invited.Store(false)
				rpc = timeoutNow()
			case <-i.ctx.Done():
				return
			}
			select {
			case i.out <- rpc:
			case <-i.ctx.Done():
				return
			}
		}
	})
}

// amend makes a lost leader no reason to refuse a request, and notes in last who else stands.
func (i *intake) amend(request any, last *rival, lost func() (raft.ServerAddress, bool)) {
	switch req := request.(type) {
	case *raft.RequestPreVoteRequest:
		if leader, is := lost(); is {
			req.Addr = []byte(leader) // Raft takes it for that leader's own, the one that it never refuses for it
			last.id, last.asked, last.index, last.logTerm = raft.ServerID(req.ID), time.Now(), req.LastLogIndex, req.LastLogTerm
		}
	case *raft.RequestVoteRequest:
		if _, is := lost(); is {
			req.LeadershipTransfer = true // as if the leader wished it
		}
		last.term = max(last.term, req.Term)
	case *raft.TimeoutNowRequest:
		i.invited.Store(true)
	}
}

// timeoutNow is what a leader sends that hands leadership on. Raft stands at once.
func timeoutNow() raft.RPC {
	header := raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}
	return raft.RPC{Command: &raft.TimeoutNowRequest{RPCHeader: header}, RespChan: make(chan raft.RPCResponse, 1)}
}

// stand has this node stand for election, or gives way to another, which it returns.
func (i *intake) stand(ctx context.Context, c *candidacy) (yielded bool) {
	c.decided = make(chan struct{})
	select {
	case i.own <- c:
		<-c.decided
		return c.yielded
	case <-i.ctx.Done():
	case <-ctx.Done():
	}
	return false
}

// close waits until nothing more is passed on.
func (i *intake) close() {
	i.cancel()
	i.work.Wait()
}
