package web

import "testing"

// TestTraceContext: that of the request goes along with each task that has none of its own. A malformed one is left out,
// and a request that is sent again within another trace is the same.
func TestTraceContext(t *testing.T) {
	const given, other, own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"00-1bf7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-2cf7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	n := startNode(t, nil)
	headers := func(id any) map[string]string {
		found := make(map[string]string)
		list, _ := n.ok("GET", "/v1/tasks/"+id.(string), "")["headers"].([]any)
		for i := range list {
			found[pick(t, list, i, "name").(string)] = pick(t, list, i, "value").(string)
		}
		return found
	}
	const body = `{"task_type":"t","headers":[{"name":"a","value":"1"}]}`
	r := n.ok("POST", "/v1/tasks", body, "traceparent", given, "tracestate", "v=1", "Idempotency-Key", "k")
	if h := headers(r["id"]); len(h) != 3 || h["traceparent"] != given || h["tracestate"] != "v=1" || h["a"] != "1" {
		t.Errorf("the task has %v", h)
	}
	if again := n.ok("POST", "/v1/tasks", body, "traceparent", other, "Idempotency-Key", "k"); again["id"] != r["id"] ||
		again["duplicate"] != true {
		t.Errorf("within another trace it is %v", again)
	}
	r = n.ok("POST", "/v1/tasks", `{"tasks":[{"task_type":"t","headers":[{"name":"traceparent","value":"`+own+`"}]},{"task_type":"t"}]}`,
		"traceparent", given)
	for i, want := range []string{own, given} {
		if h := headers(pick(t, r, "receipts", i, "id")); len(h) != 1 || h["traceparent"] != want {
			t.Errorf("task %d has %v", i, h)
		}
	}
	for _, bad := range []string{"", "x", given + "-00", "00-00000000000000000000000000000000-b7ad6b7169203331-01"} {
		if h := headers(n.ok("POST", "/v1/tasks", `{"task_type":"t"}`, "traceparent", bad, "tracestate", "v=1")["id"]); len(h) != 0 {
			t.Errorf("with %q the task has %v", bad, h)
		}
	}
}
