package web

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/haiku-queue/haiku/snapshot"
	"github.com/haiku-queue/haiku/task"
)

func TestQueueSettings(t *testing.T) {
	n := startNode(t, nil)
	n.refused(404, "not_found", "GET", "/v1/queues/mail", "")
	a := n.try("PATCH", "/v1/queues/mail", `{"concurrency":3,"rate":"100/1s","depth":1000,"aging":"30s"}`)
	tag := a.header.Get("ETag")
	if a.status != 200 || tag == "" {
		t.Fatalf("%d %s %s", a.status, tag, a.body)
	}
	q := n.try("GET", "/v1/queues/mail", "")
	if q.header.Get("ETag") != tag || q.json()["rate"] != "100/1s" || q.json()["burst"] != json.Number("100") || q.json()["aging"] != "30s" {
		t.Errorf("%v %s", q.header, q.body)
	}
	n.ok("POST", "/v1/tasks", `{"task_type":"a","queue":"mail"}`)
	n.unchanged("/v1/queues/mail", tag)
	if again := n.try("GET", "/v1/queues/mail", ""); again.header.Get("ETag") != tag {
		t.Error("a task changed the tag of the settings")
	}
	n.ok("POST", "/v1/queues/mail/pause", `{"reason":"repairs","task_type":"a"}`, "If-Match", tag)
	n.refused(412, "precondition", "PATCH", "/v1/queues/mail", `{"concurrency":4}`, "If-Match", tag)
	n.refused(412, "precondition", "POST", "/v1/queues/mail/resume", "", "If-Match", tag)
	if q := n.ok("GET", "/v1/queues/mail", ""); pick(t, q, "types", 0, "reason") != "repairs" || q["concurrency"] != json.Number("3") {
		t.Errorf("%v", q)
	}
	n.ok("POST", "/v1/queues/mail/resume", `{"task_type":"a"}`)
	n.ok("POST", "/v1/queues/mail/pause", "")
	n.ok("POST", "/v1/queues/mail/resume", "")
	for _, bad := range []string{`{}`, `{"rate":"fast"}`, `{"rate":"0/1s"}`, `{"aging":"1"}`, `{"burst":3}`, `{"concurency":3}`,
		`{"depth":-1}`, `{"depth":1e30}`, `{"concurrency":"3"}`, `{"reason":"x"}`} {
		n.refused(422, "invalid", "PATCH", "/v1/queues/mail", bad)
	}
	n.refused(422, "invalid", "GET", "/v1/queues/a%00b", "")
}

// unchanged: who has the settings by their tag gets no body, and who has others gets them.
func (n *testNode) unchanged(path, tag string) {
	n.t.Helper()
	for _, list := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
		a := n.try("GET", path, "", "If-None-Match", list, "Accept-Encoding", "gzip")
		if a.status != http.StatusNotModified || len(a.body) != 0 || a.header.Get("ETag") != tag || a.header.Get("Content-Type") != "" ||
			a.header.Get("Content-Encoding") != "" {
			n.t.Errorf("GET %s with If-None-Match %s: %d %v %s", path, list, a.status, a.header, a.body)
		}
	}
	if a := n.try("GET", path, "", "If-None-Match", `"other"`); a.status != 200 || len(a.json()) == 0 {
		n.t.Errorf("GET %s with another tag: %d %s", path, a.status, a.body)
	}
}

func TestRetention(t *testing.T) {
	n := startNode(t, nil)
	a := n.try("GET", "/v1/retention", "")
	tag := a.header.Get("ETag")
	n.unchanged("/v1/retention", tag)
	r := n.ok("PUT", "/v1/retention", `{"task_type":"mail","completed":"36h","dead_letter":"forever"}`, "If-Match", tag)
	if pick(t, r, "settings", 1, "completed") != "36h0m0s" || pick(t, r, "settings", 1, "dead_letter") != "forever" {
		t.Errorf("%v", r)
	}
	n.refused(412, "precondition", "PUT", "/v1/retention", `{"task_type":"mail","completed":"1h"}`, "If-Match", tag)
	n.refused(422, "invalid", "PUT", "/v1/retention", `{"task_type":"mail","completed":"soon"}`)
	n.ok("PUT", "/v1/retention", `{"task_type":"short","completed":"1h"}`)
	r = n.ok("PUT", "/v1/retention", `{"task_type":"short"}`) // as haiku retention unset
	if len(r["settings"].([]any)) != 2 {
		t.Errorf("a setting is not removed: %v", r)
	}
	stale := n.try("GET", "/v1/retention?consistency=stale", "")
	if stale.header.Get(headerStale) != "true" || len(stale.json()["settings"].([]any)) != 2 {
		t.Errorf("%v %s", stale.header, stale.body)
	}
}

func TestSchedules(t *testing.T) {
	n := startNode(t, nil)
	const body = `"expression":"@every 1h","time_zone":"Europe/Berlin","task":{"task_type":"report","payload_text":"x"}`
	n.ok("POST", "/v1/schedules", `{"name":"nightly",`+body+`}`)
	n.refused(412, "precondition", "POST", "/v1/schedules", `{"name":"nightly",`+body+`}`)
	one := n.try("GET", "/v1/schedules/nightly", "")
	tag := one.header.Get("ETag")
	n.unchanged("/v1/schedules/nightly", tag)
	if s := one.json(); s["next_fire"] == nil || s["time_zone"] != "Europe/Berlin" || pick(t, s, "task", "payload") != "eA==" {
		t.Errorf("%s", one.body)
	}
	n.ok("PUT", "/v1/schedules/nightly", `{"expression":"0 3 * * *","task":{"task_type":"report"}}`, "If-Match", tag)
	n.refused(412, "precondition", "PUT", "/v1/schedules/nightly", `{"expression":"0 4 * * *","task":{"task_type":"report"}}`, "If-Match", tag)
	n.refused(412, "precondition", "PUT", "/v1/schedules/nightly", `{"expression":"0 4 * * *","task":{"task_type":"report"}}`, "If-None-Match", "*")
	n.refused(422, "invalid", "PUT", "/v1/schedules/absent", `{"expression":"0 4 * * *","task":{"task_type":"report"}}`, "If-Match", "*")
	n.refused(404, "not_found", "GET", "/v1/schedules/absent", "")
	if next := n.ok("GET", "/v1/schedules/nightly/next?n=3", ""); len(next["next_fires"].([]any)) != 3 {
		t.Errorf("%v", next)
	}
	if s := n.ok("POST", "/v1/schedules/nightly/pause", `{"reason":"repairs"}`); s["paused"] != true || s["pause_reason"] != "repairs" {
		t.Errorf("%v", s)
	}
	n.ok("POST", "/v1/schedules/nightly/resume", "")
	r := n.ok("POST", "/v1/schedules/nightly/trigger", "")
	n.ok("GET", "/v1/tasks/"+r["id"].(string), "")
	list := n.ok("GET", "/v1/schedules", "")
	if pick(t, list, "schedules", 0, "last_task") != r["id"] || pick(t, list, "schedules", 0, "fired") != json.Number("1") {
		t.Errorf("%v", list)
	}
	n.refused(422, "invalid", "PUT", "/v1/schedules/other", `{"expression":"every day","task":{"task_type":"report"}}`)
	n.refused(422, "invalid", "PUT", "/v1/schedules/other", `{"expression":"@daily","time_zone":"Mars/Base","task":{"task_type":"report"}}`)
	if a := n.try("DELETE", "/v1/schedules/nightly", ""); a.status != http.StatusNoContent {
		t.Errorf("%d %s", a.status, a.body)
	}
	n.refused(404, "not_found", "GET", "/v1/schedules/nightly", "")
	n.refused(404, "not_found", "DELETE", "/v1/schedules/nightly", "")
	n.refused(404, "not_found", "POST", "/v1/schedules/nightly/trigger", "")
}

func TestOperations(t *testing.T) {
	n := startNode(t, nil)
	for i := range 3 {
		session, id, lease := n.claimOne("mail")
		n.ok("POST", "/v1/worker/nack", report(session, id, lease, fmt.Sprintf(`,"dead":true,"error":"connection %d refused"`, i)))
	}
	g := n.ok("GET", "/v1/dead-letters/groups", "")
	if pick(t, g, "groups", 0, "count") != json.Number("3") || pick(t, g, "groups", 0, "error") != "connection # refused" || g["complete"] != true {
		t.Errorf("%v", g)
	}
	dry := n.try("POST", "/v1/operations", `{"action":"redrive","filter":"error:refused","dry_run":true}`)
	if dry.status != 200 || dry.json()["changed"] != json.Number("3") || dry.json()["state"] != "dry_run" {
		t.Errorf("%d %s", dry.status, dry.body)
	}
	const redrive = `{"action":"redrive","selection":{"task_type":"mail"},"rate":1000}`
	o := n.try("POST", "/v1/operations", redrive, "Idempotency-Key", "k1")
	id := o.json()["id"].(string)
	if again := n.try("POST", "/v1/operations", redrive, "Idempotency-Key", "k1"); o.status != 202 || again.json()["id"] != id {
		t.Errorf("%d %s, again %s", o.status, o.body, again.body)
	}
	n.until("the operation is done", func() bool { return n.ok("GET", "/v1/operations/"+id, "")["state"] == "done" })
	if list := n.ok("GET", "/v1/operations", ""); pick(t, list, "operations", 0, "changed") != json.Number("3") {
		t.Errorf("%v", list)
	}
	if stats := n.ok("GET", "/v1/stats?type=mail", ""); pick(t, stats, "total", "ready") != json.Number("3") {
		t.Errorf("%v", stats)
	}
	n.refused(409, "transition", "POST", "/v1/operations/"+id+"/cancel", "")
	n.refused(404, "not_found", "GET", "/v1/operations/"+task.NewID().String(), "")
	n.refused(422, "invalid", "POST", "/v1/operations", `{"action":"delete"}`)
	n.refused(422, "invalid", "POST", "/v1/operations", `{"action":"explode","all":true}`)
	n.refused(422, "invalid", "POST", "/v1/operations", `{"action":"retry","filter":"status:completed"}`)
	n.refused(422, "invalid", "POST", "/v1/operations", `{"action":"retry","filter":"colour:red"}`)
	n.refused(422, "invalid", "POST", "/v1/operations", `{"action":"retry","filter":"type:a","selection":{}}`)
	n.ok("POST", "/v1/operations", `{"action":"delete","all":true}`)
}

func TestClusterRoutes(t *testing.T) {
	n := startNode(t, nil)
	c := n.ok("GET", "/v1/cluster", "")
	own := pick(t, c, "nodes", 0, "node_state")
	number := func(path ...any) int64 {
		i, err := pick(t, own, path...).(json.Number).Int64()
		n.must(err)
		return i
	}
	if number("disk", "total_bytes") < number("disk", "free_bytes") || number("disk", "free_bytes") == 0 || number("log_bytes") == 0 ||
		number("log_first") == 0 || number("log_last") < number("log_first") || number("database", "wal_bytes") == 0 ||
		number("database", "block_cache_capacity_bytes") == 0 || len(pick(t, own, "database", "files").([]any)) != 7 ||
		pick(t, own, "disk", "refuses") != false || pick(t, c, "nodes", 0, "lag") != json.Number("0") {
		t.Errorf("state of the node: %v", own)
	}
	if pick(t, c, "nodes", 0, "role") != "leader" || pick(t, c, "nodes", 0, "reachable") != true || c["leader"] != "n1" {
		t.Errorf("%v", c)
	}
	n.ok("POST", "/v1/tasks", `{"task_type":"a"}`)
	if a := n.try("POST", "/v1/cluster/pause", ""); a.status != http.StatusNoContent {
		t.Errorf("%d %s", a.status, a.body)
	}
	if o := n.ok("GET", "/v1/overview?consistency=linearizable", ""); o["dispatch_paused"] != true {
		t.Errorf("%v", o)
	}
	if got := n.ok("POST", "/v1/worker/claim", `{}`); len(got["tasks"].([]any)) != 0 {
		t.Errorf("claimed while paused: %v", got)
	}
	n.try("POST", "/v1/cluster/resume", "")
	if got := n.ok("POST", "/v1/worker/claim", `{}`); len(got["tasks"].([]any)) != 1 {
		t.Errorf("not claimed: %v", got)
	}
	n.refused(404, "not_found", "DELETE", "/v1/cluster/members/nobody", "")
	detail := n.refused(409, "not_allowed", "DELETE", "/v1/cluster/members/n1", "")
	if !strings.Contains(detail, "force") {
		t.Errorf("refused: %s", detail)
	}
	n.refused(404, "not_found", "POST", "/v1/cluster/transfer", `{"to":"nobody"}`)
	n.refused(422, "invalid", "POST", "/v1/cluster/join", `{"addresses":["nowhere"]}`)
	mark := n.try("POST", "/v1/cluster/doctor", "")
	var e map[string]any
	n.until("the examination is finished", func() bool {
		e = n.ok("GET", "/v1/cluster/doctor?index="+mark.json()["index"].(json.Number).String(), "")
		return e["finished"] == true
	})
	if found := pick(t, e, "nodes", 0, "findings").([]any); len(found) != 0 {
		t.Errorf("found at a node that is well: %v", found)
	}
	if e["healthy"] != true || len(pick(t, e, "nodes", 0, "state_hash").(string)) != 64 {
		t.Errorf("%v", e)
	}
	for _, path := range []string{"/v1/cluster/doctor", "/v1/cluster/doctor?index=0", "/v1/cluster/doctor?index=x"} {
		n.refused(422, "invalid", "GET", path, "")
	}
}

// TestSnapshotIsAFile: what comes over HTTP is what haiku snapshot inspect reads.
func TestSnapshotIsAFile(t *testing.T) {
	n := startNode(t, nil)
	n.ok("POST", "/v1/tasks", `{"task_type":"a"}`)
	for _, query := range []string{"", "?stale=true"} {
		res, err := n.http.Get(n.url + "/v1/snapshot" + query)
		n.must(err)
		defer res.Body.Close()
		counted := &counter{r: res.Body}
		s, err := snapshot.Verify(counted)
		n.must(err)
		if s.Tasks.Ready != 1 || res.ContentLength != counted.n {
			t.Errorf("%+v, %d bytes said, %d came", s, res.ContentLength, counted.n)
		}
	}
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	k, err := c.r.Read(p)
	c.n += int64(k)
	return k, err
}
