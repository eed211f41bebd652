package web

import (
	"encoding/json"
	"fmt"
	"testing"
)

// claimOne submits a task, claims it and returns the session and the parts of a report.
func (n *testNode) claimOne(typ string) (session, id, lease string) {
	n.t.Helper()
	n.ok("POST", "/v1/tasks", fmt.Sprintf(`{"task_type":%q,"payload_json":{"n":1}}`, typ))
	c := n.ok("POST", "/v1/worker/claim", fmt.Sprintf(`{"types":[%q],"wait_ms":5000,"worker_id":"w1"}`, typ))
	t := pick(n.t, c, "tasks", 0)
	if pick(n.t, t, "payload") != "eyJuIjoxfQ==" {
		n.t.Errorf("payload of %v", t)
	}
	return c["session"].(string), pick(n.t, t, "id").(string), pick(n.t, t, "lease_id").(json.Number).String()
}

func report(session, id, lease, more string) string {
	return fmt.Sprintf(`{"session":%q,"id":%q,"lease_id":%s%s}`, session, id, lease, more)
}

// TestCurlIsAWorker: claim, heartbeat, ack and nack with nothing but HTTP requests.
func TestCurlIsAWorker(t *testing.T) {
	n := startNode(t, nil)
	session, id, lease := n.claimOne("a")
	beat := n.ok("POST", "/v1/worker/heartbeat", fmt.Sprintf(`{"session":%q,"leases":[{"id":%q,"lease_id":%s,"progress":{"percent":40}}]}`, session, id, lease))
	if len(beat["lost"].([]any)) != 0 || len(beat["cancelled"].([]any)) != 0 || beat["drain"] != false {
		t.Errorf("heartbeat: %v", beat)
	}
	if got := n.ok("GET", "/v1/tasks/"+id, ""); pick(t, got, "progress", "percent") != json.Number("40") || got["worker_id"] != "w1" {
		t.Errorf("running task: %v", got)
	}
	workers := n.ok("GET", "/v1/workers", "")
	if pick(t, workers, "workers", 0, "session") != session || pick(t, workers, "workers", 0, "leases") != json.Number("1") {
		t.Errorf("workers: %v", workers)
	}
	n.ok("POST", "/v1/tasks/"+id+"/cancel", "")
	beat = n.ok("POST", "/v1/worker/heartbeat", fmt.Sprintf(`{"session":%q}`, session)) // all leases of the session
	if pick(t, beat, "cancelled", 0) != id {
		t.Errorf("after cancel: %v", beat)
	}
	ack := report(session, id, lease, `,"result_text":"done"`)
	if r := n.ok("POST", "/v1/worker/ack", ack); r["duplicate"] != false {
		t.Errorf("ack: %v", r)
	}
	if r := n.ok("POST", "/v1/worker/ack", ack); r["duplicate"] != true {
		t.Errorf("ack again: %v", r)
	}
	n.refused(409, "stale_lease", "POST", "/v1/worker/ack", report(session, id, "1", ""))
	raw := n.try("GET", "/v1/tasks/"+id+"/result", "")
	if string(raw.body) != "done" || raw.header.Get("Content-Disposition") != `attachment; filename="`+id+`.result"` ||
		raw.header.Get("X-Content-Type-Options") != "nosniff" || raw.header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("result: %v %q", raw.header, raw.body)
	}
	empty := n.ok("POST", "/v1/worker/claim", fmt.Sprintf(`{"session":%q,"types":["a"]}`, session))
	if len(empty["tasks"].([]any)) != 0 || empty["session"] != session {
		t.Errorf("nothing to claim: %v", empty)
	}
}

func TestNackSaysWhatBecomesOfATask(t *testing.T) {
	n := startNode(t, nil)
	for _, c := range []struct{ more, status, phase string }{
		{`,"error":"refused","retry_after_ms":3600000`, "failed", "failed"},
		{`,"error":"bad","dead":true`, "dead_letter", "dead_letter"},
		{`,"outcome":"dead"`, "dead_letter", "dead_letter"},
		{`,"snooze":true,"retry_after_ms":3600000`, "pending", "scheduled"},
		{`,"cancel":true`, "cancelled", "cancelled"},
		{`,"outcome":"interrupted"`, "pending", "ready"},
	} {
		session, id, lease := n.claimOne("b")
		n.ok("POST", "/v1/worker/nack", report(session, id, lease, c.more))
		if got := n.ok("GET", "/v1/tasks/"+id, ""); got["status"] != c.status || got["phase"] != c.phase {
			t.Errorf("nack %s: %v", c.more, got)
		}
		n.ok("POST", "/v1/operations", `{"action":"delete","filter":"type:b"}`)
		n.until("the task is gone", func() bool { return n.try("GET", "/v1/tasks/"+id, "").status == 404 })
	}
	session, id, lease := n.claimOne("c")
	n.refused(422, "invalid", "POST", "/v1/worker/nack", report(session, id, lease, `,"dead":true,"snooze":true`))
	n.refused(422, "invalid", "POST", "/v1/worker/nack", fmt.Sprintf(`{"session":%q,"id":%q,"lease_id":0}`, session, id))
	n.refused(422, "invalid", "POST", "/v1/worker/claim", `{"max":1001}`)
	n.refused(422, "invalid", "POST", "/v1/worker/claim", `{"queues":["a\u0000b"]}`)
	n.refused(422, "invalid", "POST", "/v1/worker/heartbeat", `{"session":"00"}`)
	n.refused(422, "invalid", "POST", "/v1/worker/heartbeat", `{"session":"00000000000000000000000000000000"}`)
	n.ok("POST", "/v1/worker/ack", report(session, id, lease, `,"result_json":{"ok":true},"submit":[{"task_type":"next"}]`))
	if next := n.ok("GET", "/v1/tasks?type=next", ""); len(next["tasks"].([]any)) != 1 {
		t.Errorf("submitted with a result: %v", next)
	}
}

// TestIdleSessionEnds: a worker that went away without its last report loses the task when its lease is over.
func TestIdleSessionEnds(t *testing.T) {
	n := startNode(t, nil)
	n.ok("POST", "/v1/tasks", `{"task_type":"a"}`)
	c := n.ok("POST", "/v1/worker/claim", fmt.Sprintf(`{"lease_ms":%d}`, n.node.MinLease().Milliseconds()))
	id := pick(t, c, "tasks", 0, "id").(string)
	n.until("the task is ready again", func() bool { return n.ok("GET", "/v1/tasks/"+id, "")["phase"] == "ready" })
}
