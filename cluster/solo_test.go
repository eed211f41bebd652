package cluster

import (
	"testing"
	"time"
)

// TestSoloNodeLeadsAtOnce: with nobody else to hear from, a node does not wait for its election timeout, which here is
// longer than the test has.
func TestSoloNodeLeadsAtOnce(t *testing.T) {
	c := startCluster(t, 1, func(cfg *Config) {
		cfg.HeartbeatTimeout, cfg.ElectionTimeout = 10*time.Minute, 10*time.Minute
	})
	acked := c.submit(1)
	n := c.nodes[0]
	c.crash(n)
	c.start(n, nil)
	c.leader()
	c.mustHave(acked)
}
