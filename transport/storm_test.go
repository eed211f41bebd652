package transport

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// TestEveryRequestIsAnsweredOnce while leadership moves between two nodes, clients come and go, and nobody waits. At
// the end nothing is counted any more, which listen checks.
func TestEveryRequestIsAnsweredOnce(t *testing.T) {
	brokers := []*fakeBroker{newBroker(), newBroker()}
	var nodes []*Server
	for i, b := range brokers {
		b.members[member.ID{1}], b.members[member.ID{2}] = true, true
		nodes = append(nodes, start(t, byte(i+1), b, func(l *Limits) { l.LeaderWait = time.Second }))
	}
	stop := make(chan struct{})
	var flipping, clients sync.WaitGroup
	flipping.Go(func() {
		for leader := 0; ; leader = 1 - leader {
			brokers[1-leader].lead("", false)
			brokers[leader].lead(nodes[leader].Addr().String(), true)
			brokers[1-leader].lead(nodes[leader].Addr().String(), false)
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	for n := range 8 {
		clients.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(n)))
			for range 5 {
				if err := storm(t, nodes[random.IntN(2)], random); err != nil {
					t.Error(err)
				}
			}
		})
	}
	clients.Wait()
	close(stop)
	flipping.Wait()
}

// storm sends 100 requests and reads 100 replies.
func storm(t *testing.T, s *Server, random *rand.Rand) error {
	p := connectAs(t, s, task.NewSessionID())
	defer p.nc.Close()
	owed := map[uint32]bool{}
	id := task.NewID()
	for range 100 {
		switch random.IntN(5) {
		case 0:
			owed[p.send(wire.SubmitTask, submitPB(1+random.IntN(3)))] = true
		case 1:
			owed[p.send(wire.ClaimTask, &wirepb.ClaimRequest{WorkerId: "w", Max: 1})] = true
		case 2:
			q := &wirepb.QueryRequest{Ids: [][]byte{id[:]}, Stale: random.IntN(2) == 0}
			owed[p.send(wire.QueryStatus, q)] = true
		case 3:
			owed[p.send(wire.Mark, new(wirepb.MarkRequest))] = true
		case 4:
			owed[p.send(wire.GetStats, &wirepb.StatsRequest{Stale: random.IntN(2) == 0})] = true
		}
	}
	for len(owed) > 0 {
		f := p.receive()
		if !owed[f.RequestID] {
			return fmt.Errorf("%s for request %d, which is owed nothing", f.Type, f.RequestID)
		}
		delete(owed, f.RequestID)
		switch err := nackError(f); wire.CodeOf(err) {
		case wire.CodeOf(task.ErrUnknownOutcome), wire.CodeOf(task.ErrNotLeader), wire.CodeOf(task.ErrNoLeader):
		default:
			if err != nil {
				return err
			}
		}
	}
	return nil
}
