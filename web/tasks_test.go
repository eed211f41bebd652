package web

import (
	"encoding/json"
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
