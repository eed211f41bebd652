package cluster

import (
	"errors"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// TestSoloNodeLeadsAtOnce: with nobody else to hear from, a node does not wait for its election timeout, which here is
// longer than the test has.
func TestSoloNodeLeadsAtOnce(t *testing.T) {
	c := startCluster(t, 1, func(cfg *Config) {
		cfg.HeartbeatTimeout, cfg.ElectionTimeout = 10*time.Minute, 10*time.Minute
	})
	acked := c.submit(1)
	n := c.nodes[0]
	if _, err := n.Transfer(t.Context(), member.ID{}); !errors.Is(err, task.ErrInvalid) {
		t.Errorf("leadership handed to nobody: %v", err)
	}
	c.crash(n)
	c.start(n, nil)
	c.leader()
	c.mustHave(acked)
}

// TestInterruptedJoinFoundsNothing: a node that was taken into a cluster, ended before its first start and is started
// without a word of that cluster, as a solo node would be, must not found a second cluster under the first one's id.
func TestInterruptedJoinFoundsNothing(t *testing.T) {
	c := startCluster(t, 1, nil)
	n := c.add()
	var err error
	if n.dir, err = OpenDir(n.path); err != nil {
		t.Fatal(err)
	}
	if err := n.dir.Assign(c.nodes[0].ClusterID()); err != nil {
		t.Fatal(err)
	}
	c.start(n, func(cfg *Config) { cfg.Bootstrap = true })
	if servers := n.configuration().Servers; len(servers) != 0 {
		t.Errorf("it has the configuration %v", servers)
	}
}
