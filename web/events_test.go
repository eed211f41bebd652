package web

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// event is one event of a stream.
type event struct {
	name, id string
	data     map[string]any
}

// listen opens a stream and gives its events.
func (n *testNode) listen(query, lastID string) (<-chan event, context.CancelFunc) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	req, err := http.NewRequestWithContext(ctx, "GET", n.url+pathEvents+query, nil)
	n.must(err)
	req.Header = n.header.Clone()
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	res, err := n.http.Do(req)
	n.must(err)
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		n.t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	out, done := make(chan event), make(chan struct{})
	go func() {
		defer close(done)
		defer close(out)
		defer res.Body.Close()
		var e event
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "event":
				e.name = value
			case "id":
				e.id = value
			case "data":
				_ = json.Unmarshal([]byte(value), &e.data) // a test that looks at it sees that it is empty
			case "":
				if e.name != "" {
					select {
					case out <- e:
					case <-ctx.Done():
						return
					}
				}
				e = event{}
			}
		}
	}()
	stop := func() { cancel(); <-done }
	n.t.Cleanup(stop)
	return out, stop
}

// next waits for an event of a name.
func (n *testNode) next(events <-chan event, name string) event {
	n.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case e, open := <-events:
			if !open {
				n.t.Fatalf("the stream ended before %s", name)
			}
			if e.name == name {
				return e
			}
		case <-deadline:
			n.t.Fatalf("no event %s", name)
		}
	}
}

func TestEventsTellAndGoOn(t *testing.T) {
	n := startNode(t, nil)
	n.ok("POST", "/v1/tasks", `{"task_type":"old"}`) // the journal does not reach back to the beginning
	all, stop := n.listen("", "")
	n.next(all, "overview")
	if c := n.next(all, "cluster"); c.data["leader"] == nil {
		t.Errorf("%v", c)
	}
	n.next(all, "operations")
	id := n.ok("POST", "/v1/tasks", `{"task_type":"mail"}`)["id"]
	first := n.next(all, "task")
	if first.id == "" || first.data["id"] != id || first.data["status"] != "pending" || first.data["queue"] != "default" || first.data["type"] != "mail" {
		t.Errorf("%v", first)
	}
	n.ok("POST", "/v1/operations", `{"action":"retry","filter":"type:none"}`)
	n.next(all, "operations")
	stop()
	n.ok("POST", "/v1/tasks/"+id.(string)+"/cancel", "")
	n.ok("DELETE", "/v1/tasks/"+id.(string), "")
	again, _ := n.listen("?topics=tasks", first.id)
	if e := n.next(again, "task"); e.data["status"] != "cancelled" {
		t.Errorf("after the break: %v", e)
	}
	if e := n.next(again, "task"); e.data["status"] != "deleted" {
		t.Errorf("then: %v", e)
	}
	for _, position := range []string{"x", "00000000-9-9-0", "ffffffff-1-1-0", "00000000-1-1", first.id[:8] + "-999999-1-1"} {
		lost, end := n.listen("?topics=tasks", position)
		if e := n.next(lost, "reset"); e.id == "" {
			t.Errorf("%s: %v", position, e)
		}
		end()
	}
	n.refused(422, "invalid", "GET", "/v1/events?topics=weather", "")
}

// TestEventsKeepPace: more changes than a stream tells in a second are counted, not told, and do not pile up.
func TestEventsKeepPace(t *testing.T) {
	n := startNode(t, nil)
	events, _ := n.listen("?topics=tasks", "")
	var tasks []string
	for range 500 {
		tasks = append(tasks, `{"task_type":"a"}`)
	}
	n.ok("POST", "/v1/tasks", `{"tasks":[`+strings.Join(tasks, ",")+`]}`)
	told := 0
	for e := range events {
		if e.name == "skipped" {
			if count := int(e.data["count"].(float64)); told+count != 500 || told < maxChanges {
				t.Errorf("%d told, %d skipped", told, count)
			}
			return
		}
		told++
	}
}

// TestDrainEndsWhatWaits: event streams, waiting claims and waits for a task end at once when the node goes down.
func TestDrainEndsWhatWaits(t *testing.T) {
	n := startNode(t, nil)
	events, _ := n.listen("?topics=overview", "")
	n.next(events, "overview")
	id := n.ok("POST", "/v1/tasks", `{"task_type":"a","delay_seconds":3600}`)["id"].(string)
	answers := make(chan answer, 2)
	go func() { answers <- n.try("POST", "/v1/worker/claim", `{"wait_ms":600000}`) }()
	go func() { answers <- n.try("GET", "/v1/tasks/"+id+"?wait=10m", "") }()
	n.until("the claim waits", func() bool { return len(n.ok("GET", "/v1/workers", "")["workers"].([]any)) == 1 })
	n.web.Drain()
	for range 2 {
		if a := <-answers; a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	for range events { // until it is closed
	}
}
