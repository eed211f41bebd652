package outage

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// reply is what came back over HTTP.
type reply struct {
	status int
	header http.Header
	body   string
}

// ask sends a request to a node; headers are name, value, name, value. A status of 0 says that there was no answer.
func (one *node) ask(t testing.TB, method, path, body string, headers ...string) (r reply) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+one.http+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return reply{body: err.Error()}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return reply{body: err.Error()}
	}
	return reply{res.StatusCode, res.Header, string(text)}
}

// serveHTTP starts a broker of one node with HTTP.
func serveHTTP(t testing.TB, env ...string) *node {
	t.Helper()
	one := &node{name: "n1", data: "n1", address: freeAddress(t), http: freeAddress(t)}
	n := &nodes{t: t, dir: t.TempDir(), env: append(env, quick...), list: []*node{one}}
	n.start(one)
	path := ""
	for _, setting := range env {
		if base, is := strings.CutPrefix(setting, "HAIKU_HTTP_BASE_PATH="); is {
			path = base
		}
	}
	eventually(t, "it is ready", func() bool { return one.ask(t, "GET", path+"/readyz", "").status == 200 })
	return one
}

// TestHTTPWithoutSettings: no other origin may call, and bodies and headers are bounded.
func TestHTTPWithoutSettings(t *testing.T) {
	t.Parallel()
	one := serveHTTP(t)
	if r := one.ask(t, "GET", "/", ""); r.status != 200 || !strings.Contains(r.body, "<title>") {
		t.Errorf("the page: %d %.200s", r.status, r.body)
	}
	for _, r := range []reply{
		one.ask(t, "GET", "/v1/overview", "", "Origin", "https://ops.example"),
		one.ask(t, "OPTIONS", "/v1/tasks", "", "Origin", "https://ops.example", "Access-Control-Request-Method", "POST"),
		one.ask(t, "POST", "/v1/tasks", `{"task_type":"a"}`, "Origin", "https://ops.example", "Sec-Fetch-Site", "cross-site"),
	} {
		for name := range r.header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s without an origins list: %s", name, r.header.Get(name))
			}
		}
	}
	if r := one.ask(t, "POST", "/v1/tasks", `{"task_type":"a"}`, "Origin", "https://ops.example", "Sec-Fetch-Site", "cross-site"); r.status != 403 {
		t.Errorf("a foreign page submits: %d %s", r.status, r.body)
	}
	if r := one.ask(t, "GET", "/v1/tasks", ""); strings.Contains(r.body, "task_type") {
		t.Errorf("it did: %s", r.body)
	}
	if r := one.ask(t, "GET", "/v1/tasks", "", "X-Long", strings.Repeat("x", 100<<10)); r.status != 431 && r.status != 0 { // or hung up on
		t.Errorf("a header of 100 KiB: %d %.200s", r.status, r.body)
	}
	for path, size := range map[string]int{"/v1/tasks": 17 << 20, "/v1/worker/claim": 2 << 20} {
		r := one.ask(t, "POST", path, `{"task_type":"`+strings.Repeat("x", size)+`"}`)
		if r.status != 413 && r.status != 0 || r.status == 413 && !strings.Contains(r.body, `"code":"too_large"`) {
			t.Errorf("%d bytes to %s: %d %.200s", size, path, r.status, r.body)
		}
	}
}

// TestHTTPSettings: the base path, the origins, the bounds of requests and connections and the time for a body are those
// that were set.
func TestHTTPSettings(t *testing.T) {
	t.Parallel()
	one := serveHTTP(t, "HAIKU_HTTP_BASE_PATH=/queue/x", "HAIKU_HTTP_CORS_ORIGINS=https://ops.example,https://b.example",
		"HAIKU_HTTP_REQUESTS=1", "HAIKU_HTTP_CONNECTIONS=3", "HAIKU_HTTP_BODY_TIMEOUT=3s")
	if r := one.ask(t, "GET", "/v1/overview", ""); r.status != 404 || !strings.Contains(r.body, "/queue/x/") {
		t.Errorf("beside the base path: %d %s", r.status, r.body)
	}
	if r := one.ask(t, "GET", "/queue/x", ""); r.status != 308 || r.header.Get("Location") != "/queue/x/" {
		t.Errorf("the base path itself: %d %v", r.status, r.header)
	}
	if r := one.ask(t, "GET", "/queue/x/", ""); r.status != 200 || !strings.Contains(r.body, "<title>") || strings.Contains(r.body, `src="/`) {
		t.Errorf("the page: %d %.300s", r.status, r.body)
	}
	for origin, allowed := range map[string]bool{"https://ops.example": true, "https://b.example": true, "https://evil.example": false,
		"https://ops.example.evil": false, "http://ops.example": false, "null": false} {
		want, status := "", 403
		if allowed {
			want, status = origin, 201
		}
		r := one.ask(t, "POST", "/queue/x/v1/tasks", `{"task_type":"a"}`, "Origin", origin, "Sec-Fetch-Site", "cross-site")
		if r.status != status || r.header.Get("Access-Control-Allow-Origin") != want || !strings.Contains(fmt.Sprint(r.header.Values("Vary")), "Origin") {
			t.Errorf("%s: %d %v %s", origin, r.status, r.header, r.body)
		}
	}
	one.holdRequest(t)
	one.holdConnections(t)
}

// holdRequest has one request take the only place until the time for its body is over.
func (one *node) holdRequest(t *testing.T) {
	slow, err := net.Dial("tcp", one.http)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	began := time.Now()
	_, err = io.WriteString(slow, "POST /queue/x/v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "another request is refused", func() bool {
		r := one.ask(t, "GET", "/queue/x/v1/overview", "")
		return r.status == 503 && strings.Contains(r.body, `"code":"busy"`) && r.header.Get("Retry-After") != ""
	})
	if r := one.ask(t, "GET", "/queue/x/healthz", ""); r.status != 200 {
		t.Errorf("health is not told meanwhile: %d %s", r.status, r.body)
	}
	if err := slow.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(slow)
	if took := time.Since(began); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") || took < 2*time.Second {
		t.Errorf("half a body: after %s %q, %v", took, answer, err)
	}
	eventually(t, "its place is free again", func() bool { return one.ask(t, "GET", "/queue/x/v1/overview", "").status == 200 })
}

// holdConnections takes all connections: another one waits until one of them ends.
func (one *node) holdConnections(t *testing.T) {
	var held []net.Conn
	for range 3 {
		c, err := net.Dial("tcp", one.http)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		// an answer says that the server has taken the connection
		if _, err := io.WriteString(c, "GET /queue/x/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
			t.Fatalf("%q, %v", line, err)
		}
		held = append(held, c)
	}
	answered := make(chan reply, 1)
	go func() { answered <- one.ask(t, "GET", "/queue/x/healthz", "") }()
	select {
	case r := <-answered:
		t.Errorf("a fourth connection of three is served: %d", r.status)
		return
	case <-time.After(500 * time.Millisecond):
	}
	held[0].Close()
	if r := <-answered; r.status != 200 {
		t.Errorf("after one has ended: %d %s", r.status, r.body)
	}
}

// told is one event of a stream.
type told struct {
	name, id string
	data     map[string]any
}

// events opens an event stream at a node, from a position on if it is not empty. The channel is closed with the stream.
func (one *node) events(t testing.TB, lastID string) (<-chan told, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+one.http+"/v1/events?topics=tasks", nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("events: %v, %v", res, err)
	}
	out := make(chan told, 1000)
	go func() {
		defer close(out)
		defer res.Body.Close()
		var e told
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "event":
				e.name = value
			case "id":
				e.id = value
			case "data":
				_ = json.Unmarshal([]byte(value), &e.data) // the test sees that it is empty
			case "":
				if e.name != "" {
					out <- e
				}
				e = told{}
			}
		}
	}()
	return out, cancel
}

// TestEventsGoOnAtAnotherNode: a page whose node was killed goes on at another one with the id of its last event, and
// misses no change, though it may hear some twice. One that comes back with a position from before the other node began to
// remember is told so.
func TestEventsGoOnAtAnotherNode(t *testing.T) {
	t.Parallel()
	n := startServing(t, 3, quick)
	leader, others := n.leader()
	other := others[0]
	first, _ := leader.events(t, "")
	beside, _ := other.events(t, "") // has the other node remember, as another page at it would
	submit := func(at *node, types ...string) {
		for _, name := range types {
			eventually(t, "a submit", func() bool { return at.ask(t, "POST", "/v1/tasks", `{"task_type":"`+name+`"}`).status == 201 })
		}
	}
	hear := func(events <-chan told, until string) (heard []string, last string) {
		deadline := time.After(patience)
		for {
			select {
			case e, open := <-events:
				if !open || e.name != "task" || e.id == "" {
					t.Fatalf("after %v: %+v, open %v", heard, e, open)
				}
				heard, last = append(heard, e.data["type"].(string)), e.id
				if e.data["type"] == until {
					return heard, last
				}
			case <-deadline:
				t.Fatalf("waited in vain for %s, heard %v", until, heard)
			}
		}
	}
	submit(leader, "t0", "t1", "t2", "t3")
	_, position := hear(first, "t2") // t3 may have been told, but the page has not seen it
	leader.kill(t)
	for range first { // it ends
	}
	submit(other, "t4", "t5")
	again, _ := other.events(t, position)
	heard, _ := hear(again, "t5")
	if text := strings.Join(heard, " "); !strings.HasSuffix(text, "t3 t4 t5") || len(heard) > 6 {
		t.Errorf("the other node goes on with %s", text)
	}
	if heard, _ := hear(beside, "t5"); len(heard) != 6 {
		t.Errorf("who was there all the time heard %v", heard)
	}
	n.start(leader)
	n.serving(leader)
	eventually(t, "it serves again", func() bool { return leader.ask(t, "GET", "/readyz", "").status == 200 })
	back, _ := leader.events(t, position)
	if e := <-back; e.name != "reset" || e.id == "" {
		t.Errorf("a node that remembers nothing of it says %+v", e)
	}
	submit(leader, "t6")
	hear(back, "t6")
}
