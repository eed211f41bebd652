package outage

import (
	"testing"
	"time"

	"github.com/haiku-queue/haiku/client"
)

// BenchmarkFailover kills the leader of a cluster with default timeouts and takes the time until a submit that is sent
// after that is acknowledged: by a client that keeps to a follower, and by one that was connected to the leader.
func BenchmarkFailover(b *testing.B) {
	n := startNodes(b, 3, nil)
	b.Run("follower", func(b *testing.B) {
		failover(b, n, func(_, other *node) client.Config { return client.Config{Addrs: []string{other.address}, Stay: true} })
	})
	b.Run("leader", func(b *testing.B) {
		failover(b, n, func(leader, _ *node) client.Config { return client.Config{Addrs: n.addresses(0)} })
	})
}

func failover(b *testing.B, n *nodes, config func(leader, other *node) client.Config) {
	var total, longest time.Duration
	for b.Loop() {
		leader, others := n.leader()
		c := dial(b, config(leader, others[0]))
		if _, err := c.Submit(b.Context(), "before", nil); err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		leader.kill(b)
		if _, err := c.Submit(b.Context(), "after", nil); err != nil {
			b.Fatal(err)
		}
		took := time.Since(began)
		b.Logf("%s killed: %s", leader.name, took.Round(time.Millisecond))
		total, longest = total+took, max(longest, took)
		c.Close()
		n.start(leader)
		n.complete()
	}
	b.ReportMetric(total.Seconds()/float64(b.N), "s/failover")
	b.ReportMetric(longest.Seconds(), "s/longest")
}
