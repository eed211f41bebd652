package cluster

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// BenchmarkFailover takes the time without a leader, in heartbeat timeouts, while tasks are submitted all along: of a
// leader whose connections are reset, as those of a process are that was killed, and of one that falls silent, as a host
// does that loses its power.
func BenchmarkFailover(b *testing.B) {
	b.Run("reset", func(b *testing.B) {
		failover(b, func(c *liveCluster, leader *testNode, others []*testNode) {
			c.net.isolate(leader.ID(), ids(others...)...)
		})
	})
	b.Run("silent", func(b *testing.B) {
		failover(b, func(c *liveCluster, leader *testNode, _ []*testNode) { c.net.hold(leader.ID(), false) })
	})
}

func failover(b *testing.B, lose func(c *liveCluster, leader *testNode, others []*testNode)) {
	timeout := startTimeout
	c := startCluster(b, 3, nil)
	var times []float64
	for b.Loop() {
		leader, others := c.leader(), c.followers()
		stop := c.load(leader)
		c.submit(20) // the followers' logs differ by what is on its way
		began := time.Now()
		lose(c, leader, others)
		next := func() bool {
			return slices.ContainsFunc(others, func(n *testNode) bool { _, self := n.Leader(); return self })
		}
		eventually(b, "another leader", next)
		times = append(times, float64(time.Since(began))/float64(timeout))
		stop()
		c.net.heal()
		c.net.release()
		c.submit(1)
		eventually(b, "the old leader has caught up", func() bool { return leader.AppliedIndex() >= c.leader().AppliedIndex() })
	}
	slices.Sort(times)
	for name, part := range map[string]float64{"median": 0.5, "p90": 0.9, "longest": 1} {
		b.ReportMetric(times[int(part*float64(len(times)-1))], "timeouts/"+name)
	}
	slow := len(times) - slices.IndexFunc(append(times, 1e9), func(t float64) bool { return t > 1.6 })
	b.ReportMetric(float64(slow), "over-1.6")
	b.ReportMetric(0, "ns/op")
}

// load submits tasks at a node from several sides until what it returns is called.
func (c *liveCluster) load(at *testNode) (stop func()) {
	ctx, cancel := context.WithCancel(c.t.Context())
	ended := make(chan struct{}, 8)
	for range cap(ended) {
		go func() {
			for ctx.Err() == nil {
				at.Submit(ctx, []task.Spec{{ID: task.NewID(), Type: "load", Payload: make([]byte, 2000)}}, false)
			}
			ended <- struct{}{}
		}()
	}
	return func() {
		cancel()
		for range cap(ended) {
			<-ended
		}
	}
}
