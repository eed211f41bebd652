package web

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/cluster"
	"github.com/haiku-queue/haiku/transport"
)

// joinNode takes a second node into the cluster of n, and returns what ends it.
func (n *testNode) joinNode(dir, name string) (end func()) {
	n.t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	d, err := cluster.OpenDir(dir)
	n.must(err)
	n.must(d.Assign(n.node.ClusterID()))
	port, err := transport.Listen(transport.Config{Addr: "127.0.0.1:0", Limits: transport.Default().Limits, Logger: log})
	n.must(err)
	address := port.Addr().String()
	cfg := cluster.Default()
	cfg.Dir, cfg.Raft, cfg.Logger, cfg.Advertise, cfg.Name, cfg.HTTP = d, port.Raft(), log, address, name, "127.0.0.1:1"
	node, err := cluster.Open(cfg)
	n.must(err)
	port.Serve(transport.Identity{
		NodeID: node.ID(), ClusterID: node.ClusterID(), NodeName: name, Version: "test", HeartbeatInterval: time.Second,
		MinLease: node.MinLease(), Advertise: address,
	}, node, node)
	n.until("the second node votes", func() bool {
		_, voter, err := n.node.Join(n.t.Context(), node.Announcement())
		return err == nil && voter
	})
	return func() {
		port.Drain()
		n.must(errors.Join(node.Close(), port.Close(), d.Close()))
	}
}

// TestWithoutQuorum: reads go on from the node's own state and say so, with the name of who is missing; what needs a
// leader is refused as retryable.
func TestWithoutQuorum(t *testing.T) {
	n := startNode(t, nil)
	id := n.ok("POST", "/v1/tasks", `{"task_type":"a"}`)["id"].(string)
	n.ok("POST", "/v1/schedules", `{"name":"s","expression":"@every 1h","task":{"task_type":"a"}}`)
	end := n.joinNode(t.TempDir(), "n2")
	n.until("both are there", func() bool {
		c := n.ok("GET", "/v1/cluster", "")
		return len(c["nodes"].([]any)) == 2 && len(c["missing"].([]any)) == 0
	})
	n.until("both tell of their storage, and the leader of the other's log", func() bool {
		c := n.ok("GET", "/v1/cluster", "")
		for i := range 2 {
			node := pick(t, c, "nodes", i).(map[string]any)
			if node["node_state"] == nil || node["lag"] != json.Number("0") {
				return false
			}
		}
		return true
	})
	end()
	n.until("the leader has stepped down", func() bool { return n.try("GET", "/readyz", "").status == http.StatusServiceUnavailable })
	if a := n.try("GET", "/readyz?noleader", ""); a.status != 200 {
		t.Errorf("/readyz?noleader: %d %s", a.status, a.body)
	}
	for _, path := range []string{"/v1/tasks", "/v1/tasks/" + id, "/v1/queues", "/v1/queues/default", "/v1/stats", "/v1/schedules",
		"/v1/schedules/s", "/v1/operations", "/v1/retention", "/v1/overview", "/v1/cluster", "/v1/dead-letters/groups", "/v1/tokens"} {
		a := n.try("GET", path, "")
		if a.status != 200 || a.header.Get(headerStale) != "true" || a.header.Get(headerIndex) == "" {
			t.Errorf("GET %s: %d stale %q index %q %.200s", path, a.status, a.header.Get(headerStale), a.header.Get(headerIndex), a.body)
		}
	}
	n.until("the overview names who is missing", func() bool {
		o := n.ok("GET", "/v1/overview?consistency=stale", "")
		return len(o["missing"].([]any)) == 1 && pick(t, o, "missing", 0) == "n2" && o["stale"] == true
	})
	for i := range 2 {
		node := pick(t, n.ok("GET", "/v1/cluster", ""), "nodes", i).(map[string]any)
		if here := node["name"] == "n1"; node["reachable"] != here || (node["node_state"] != nil) != here || node["lag"] != nil ||
			(node["error"] == nil) != here {
			t.Errorf("without a leader: %v", node)
		}
	}
	n.refused(503, "no_leader", "GET", "/v1/tasks?consistency=linearizable", "") // perhaps before waiting is vain
	n.until("waiting for a leader is vain", func() bool { return n.web.leaders.need() != nil })
	for _, r := range [][3]string{{"GET", "/v1/tasks?consistency=linearizable"}, {"GET", "/v1/queues?consistency=linearizable"},
		{"GET", "/v1/workers"}, {"GET", "/v1/tasks/" + id + "?wait=1m"}, {"GET", "/v1/snapshot"}, {"POST", "/v1/tasks", `{"task_type":"b"}`},
		{"POST", "/v1/tasks/" + id + "/cancel"}, {"PATCH", "/v1/queues/q", `{"concurrency":1}`}, {"POST", "/v1/schedules/s/trigger"},
		{"POST", "/v1/operations", `{"action":"delete","all":true}`}, {"POST", "/v1/worker/claim", "{}"}, {"POST", "/v1/cluster/doctor"},
		{"POST", "/v1/cluster/transfer"}, {"DELETE", "/v1/cluster/members/n2?force=true"}} {
		begun := time.Now()
		n.refused(503, "no_leader", r[0], r[1], r[2])
		if took := time.Since(begun); took >= retryFor/2 {
			t.Errorf("%s %s without a leader: answered after %s", r[0], r[1], took)
		}
	}
	n.refused(409, "not_allowed", "DELETE", "/v1/cluster/members/n1", "")
}
