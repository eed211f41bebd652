package web

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestSubmitAndRead(t *testing.T) {
	n := startNode(t, nil)
	r := n.ok("POST", "/v1/tasks", `{"task_type":"mail","payload_text":"hi","priority":200}`)
	id := r["id"].(string)
	got := n.ok("GET", "/v1/tasks/"+id+"?payload=true", "")
	if got["payload"] != "aGk=" || got["priority"] != json.Number("200") || got["phase"] != "ready" {
		t.Errorf("%v", got)
	}
	o := n.ok("GET", "/v1/overview?consistency=linearizable", "")
	if pick(t, o, "counts", "ready") != json.Number("1") || pick(t, o, "queues", 0, "queue") != "default" {
		t.Errorf("%v", o)
	}
	n.refused(422, "invalid", "POST", "/v1/tasks", `{"task_type":"mail","prio":1}`)
}

// TestNoBase64: who sends text where bytes are wanted learns which field it is, and which one takes text.
func TestNoBase64(t *testing.T) {
	n := startNode(t, nil)
	const ids = `"session":"00112233445566778899aabbccddeeff","id":"01890a5d-ac96-774b-bcce-b302099a8057","lease_id":1`
	for _, c := range []struct{ path, body, at, instead string }{
		{"/v1/tasks", `{"task_type":"a","payload":"%%%"}`, "body.payload", "payload_text"},
		{"/v1/tasks", `{"task_type":"a","payload":"hallo"}`, "body.payload", "payload_text"},
		{"/v1/tasks", `{"task_type":"a","payload":"aGk"}`, "body.payload", "payload_text"},
		{"/v1/tasks", `{"task_type":"a","payload_base64":"hi"}`, "body.payload_base64", "payload_text"},
		{"/v1/tasks", `{"tasks":[{"task_type":"a"},{"task_type":"a","payload":"hi"}]}`, "body.tasks[1].payload", "payload_text"},
		{"/v1/schedules", `{"name":"x","expression":"@daily","task":{"task_type":"a","payload":"hi"}}`, "body.task.payload", "payload_text"},
		{"/v1/worker/ack", `{` + ids + `,"result":"hi"}`, "body.result", "result_text"},
		{"/v1/worker/ack", `{` + ids + `,"submit":[{"task_type":"a","payload":"hi"}]}`, "body.submit[0].payload", "payload_text"},
	} {
		detail := n.refused(422, "invalid", "POST", c.path, c.body)
		if !strings.HasPrefix(detail, c.at+": not base64") || !strings.Contains(detail, "RFC 4648") || !strings.Contains(detail, c.instead) {
			t.Errorf("%s: %s", c.body, detail)
		}
	}
	n.refused(422, "invalid", "POST", "/v1/tasks", `{"task_type":"a","payload":["h"]}`)
	n.refused(422, "invalid", "POST", "/v1/tasks", `{"task_type":"a","payload":"aGk=","payload_base64":"aGk="}`)
	for _, body := range []string{`"payload":"aGk="`, `"payload_base64":"aGk="`} {
		id := n.ok("POST", "/v1/tasks", `{"task_type":"a",`+body+`}`)["id"].(string)
		if got := n.try("GET", "/v1/tasks/"+id+"/payload", ""); string(got.body) != "hi" {
			t.Errorf("%s: %q", body, got.body)
		}
	}
	n.ok("POST", "/v1/tasks", `{"task_type":"a","payload":""}`)
}

// TestNumbersOfPayloads: JSON is kept byte for byte, also with numbers that no float64 holds.
func TestNumbersOfPayloads(t *testing.T) {
	n := startNode(t, nil)
	const payload = `{"n": 123456789012345678901234567890, "m": [1e400, -1E+999, 0.10]}`
	id := n.ok("POST", "/v1/tasks", `{"task_type":"a","priority":7,"payload_json":`+payload+`}`)["id"].(string)
	if got := n.try("GET", "/v1/tasks/"+id+"/payload", ""); string(got.body) != payload {
		t.Errorf("%s", got.body)
	}
}

// TestPlaceOfAWrongValue: a refusal names the field and what is allowed, and no type of Go.
func TestPlaceOfAWrongValue(t *testing.T) {
	n := startNode(t, nil)
	for _, c := range []struct{ path, body, detail string }{
		{"/v1/tasks", `{"task_type":"a","dependencies":["x"]}`, "body.dependencies[0]: "},
		{"/v1/tasks", `{"tasks":[{"task_type":"a","id":"x"}]}`, "body.tasks[0].id: "},
		{"/v1/tasks/cancel", `{"ids":["01890a5d-ac96-774b-bcce-b302099a8057","x"]}`, "body.ids[1]: "},
		{"/v1/worker/claim", `{"session":"x"}`, "body.session: expected string to be 32 hexadecimal digits"},
		{"/v1/tasks", `{"task_type":"a","max_retries":4294967296}`,
			"body: max_retries: number 4294967296 is not allowed, but a whole number from 0 to 4294967295"},
		{"/v1/tasks", `{"tasks":[{"task_type":"a","timeout_seconds":99999999999999999999}]}`,
			"body: tasks.timeout_seconds: number 99999999999999999999 is not allowed, but a whole number from 0 to 18446744073709551615"},
		{"/v1/tasks", `{"task_type":"a","delay_seconds":1e400}`,
			"body: delay_seconds: number 1e400 is not allowed, but one that 64 bits of floating point can hold"},
	} {
		if detail := n.refused(422, "invalid", "POST", c.path, c.body); !strings.HasPrefix(detail, c.detail) {
			t.Errorf("%s: %s", c.body, detail)
		}
	}
}

// TestNewestFirst: pages of the newest tasks, which what comes in between does not disturb.
func TestNewestFirst(t *testing.T) {
	n := startNode(t, nil)
	var ids []string
	submit := func() { ids = append(ids, n.ok("POST", "/v1/tasks", `{"task_type":"a"}`)["id"].(string)) }
	for range 5 {
		submit()
	}
	var got []string
	for next := ""; ; submit() {
		page := n.ok("GET", "/v1/tasks?order=newest&limit=2&type=a&status=pending&cursor="+next, "")
		for i := range page["tasks"].([]any) {
			got = append(got, pick(t, page, "tasks", i, "id").(string))
		}
		var more bool
		if next, more = page["next"].(string); !more {
			break
		}
	}
	slices.Reverse(got)
	if !slices.Equal(got, ids[:5]) {
		t.Errorf("newest first: %v backwards; submitted were %v", got, ids)
	}
	n.refused(422, "invalid", "GET", "/v1/tasks?order=age", "")
}

func TestChildren(t *testing.T) {
	n := startNode(t, nil)
	r := n.ok("POST", "/v1/tasks", `{"tasks":[{"name":"p","task_type":"p"},{"task_type":"a","after":["p"]},{"task_type":"b","after":["p"]},{"task_type":"x"}]}`)
	parent := pick(t, r, "receipts", 0, "id").(string)
	page := n.ok("GET", "/v1/tasks?depends_on="+parent+"&limit=1", "")
	if len(page["tasks"].([]any)) != 1 || pick(t, page, "tasks", 0, "task_type") != "a" || page["next"] == nil {
		t.Errorf("%v", page)
	}
	page = n.ok("GET", "/v1/tasks?depends_on="+parent+"&order=newest&filter=queue:default", "")
	if len(page["tasks"].([]any)) != 2 || pick(t, page, "tasks", 0, "task_type") != "b" {
		t.Errorf("%v", page)
	}
	page = n.ok("GET", "/v1/tasks?order=newest&filter=queue:default+depends-on:"+parent, "")
	if len(page["tasks"].([]any)) != 2 {
		t.Errorf("filter depends-on: %v", page)
	}
	n.refused(422, "invalid", "GET", "/v1/tasks?depends_on=x", "")
	n.refused(422, "invalid", "GET", "/v1/tasks?filter=depends-on:x", "")
	n.refused(422, "invalid", "GET", "/v1/tasks?filter=depends-on:"+parent+"&depends_on="+parent, "")
	n.refused(422, "invalid", "POST", "/v1/operations", `{"action":"cancel","filter":"depends-on:`+parent+`"}`)
	n.refused(422, "invalid", "GET", "/v1/tasks?order=priority&depends_on="+parent, "")
}
