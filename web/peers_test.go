package web

import (
	"context"
	"encoding/json"
	"net"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/member"
)

// crowded is a node whose cluster has one more member.
type crowded struct {
	Inspector
	more member.Member
}

func (c *crowded) Status(ctx context.Context) (member.Status, error) {
	s, err := c.Inspector.Status(ctx)
	s.Members = append(s.Members, c.more)
	s.NodeState = nil // as from a version that tells nothing of itself
	return s, err
}

// TestHangingMember: a node that takes connections and never answers holds nobody up for long, and is named. This node
// tells nothing of its storage: then that is missing, and all else is there.
func TestHangingMember(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	n := startNode(t, func(_ *Config, s *Sources) {
		s.Inspector = &crowded{s.Inspector, member.Member{ID: member.ID{7}, Name: "mute", Address: mute.Addr().String(),
			Role: member.Follower, Voter: true}}
	})
	const bound = peerTimeout + 2*time.Second // for a busy machine
	for _, path := range []string{"/v1/cluster", "/v1/overview"} {
		begun := time.Now()
		c := n.ok("GET", path, "")
		if took := time.Since(begun); took > bound || len(c["missing"].([]any)) != 1 || pick(t, c, "missing", 0) != "mute" {
			t.Errorf("%s: %v after %v", path, c["missing"], took)
		}
	}
	mark := n.ok("POST", "/v1/cluster/doctor", "")["index"].(json.Number).String()
	var e map[string]any
	n.until("the examination is finished", func() bool {
		e = n.ok("GET", "/v1/cluster/doctor?index="+mark, "")
		return e["finished"] == true
	})
	if e["healthy"] != false || pick(t, e, "nodes", 0, "healthy") != true || pick(t, e, "nodes", 1, "healthy") != false ||
		pick(t, e, "nodes", 1, "findings", 0, "advice") != "look at the node, and ask again" {
		t.Errorf("the examination: %v", e)
	}
	c := n.ok("GET", "/v1/cluster", "")
	own, other := pick(t, c, "nodes", 0).(map[string]any), pick(t, c, "nodes", 1).(map[string]any)
	if own["reachable"] != true || own["node_state"] != nil || own["lag"] != nil || own["state"] != "leader" || own["applied_index"] == nil {
		t.Errorf("this node: %v", own)
	}
	if other["reachable"] != false || other["error"] == nil || other["node_state"] != nil {
		t.Errorf("the one that hangs: %v", other)
	}
}
