package web

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestHostileBodies(t *testing.T) {
	n := startNode(t, nil)
	big := base64.StdEncoding.EncodeToString(make([]byte, 10<<20))
	for _, c := range []struct {
		name, body, code string
		status           int
	}{
		{"nothing", "", "invalid", 400},
		{"no JSON", "hello", "invalid", 400},
		{"half of it", `{"task_type":"a"`, "invalid", 400},
		{"two values", `{"task_type":"a"}{}`, "invalid", 400},
		{"a list", `[]`, "invalid", 422},
		{"null", `null`, "invalid", 422},
		{"invalid UTF-8", "{\"task_type\":\"a\xff\"}", "invalid", 400},
		{"a NUL in a name", `{"task_type":"a\u0000"}`, "invalid", 422},
		{"an escape in a name", `{"task_type":"a\u001b[2J"}`, "invalid", 422},
		{"no type", `{}`, "invalid", 422},
		{"an unknown field", `{"task_type":"a","colour":"red"}`, "invalid", 422},
		{"an unknown field inside", `{"tasks":[{"task_type":"a","colour":"red"}]}`, "invalid", 422},
		{"a huge number", `{"task_type":"a","priority":1e400}`, "invalid", 422},
		{"a huge number of seconds", `{"task_type":"a","delay_seconds":1e400}`, "invalid", 422},
		{"a huge negative number", `{"tasks":[{"task_type":"a","priority":-1e400}]}`, "invalid", 422},
		{"a big number", `{"task_type":"a","timeout_seconds":99999999999999999999}`, "invalid", 422},
		{"a negative number", `{"task_type":"a","max_retries":-1}`, "invalid", 422},
		{"a fraction", `{"task_type":"a","priority":1.5}`, "invalid", 422},
		{"a text for a number", `{"task_type":"a","priority":"9"}`, "invalid", 422},
		{"no base64", `{"task_type":"a","payload":"%%%"}`, "invalid", 422},
		{"two payloads", `{"task_type":"a","payload":"aGk=","payload_text":"hi"}`, "invalid", 422},
		{"deep nesting", `{"task_type":"a","payload_json":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "}", "invalid", 400},
		{"17 MiB", `{"task_type":"` + strings.Repeat("a", 17<<20) + `"}`, "too_large", 413},
		{"a payload of more than 10 MiB", `{"task_type":"a","payload":"` + base64.StdEncoding.EncodeToString(make([]byte, 10<<20+1)) + `"}`, "too_large", 413},
		{"1001 tasks", `{"tasks":[` + strings.Repeat(`{"task_type":"a"},`, 1000) + `{"task_type":"a"}]}`, "invalid", 422},
		{"an id of version 4", `{"task_type":"a","id":"5f1a6a52-1d0c-4c62-9d4b-0a3c2d1e0f00"}`, "invalid", 422},
		{"a task that waits for itself", `{"tasks":[{"name":"x","after":["x"],"task_type":"a"}]}`, "invalid", 422},
		{"an unknown name", `{"tasks":[{"after":["x"],"task_type":"a"}]}`, "invalid", 422},
		{"no tasks", `{"tasks":[]}`, "invalid", 422},
		{"atomic alone", `{"task_type":"a","atomic":true}`, "invalid", 422},
		{"one and many", `{"task_type":"a","tasks":[{"task_type":"a"}]}`, "invalid", 422},
		{"an unknown dependency", `{"task_type":"a","dependencies":["01890a5d-ac96-774b-bcce-b302099a8057"]}`, "unknown_dependency", 422},
	} {
		a := n.try("POST", "/v1/tasks", c.body, "Content-Type", "application/json")
		if p := a.json(); a.status != c.status && !(c.name == "a task that waits for itself" && a.status == 200) || a.status >= 400 && p["code"] != c.code {
			t.Errorf("%s: %d %.300s; want %d %s", c.name, a.status, a.body, c.status, c.code)
		}
		if len(a.body) > 16<<10 {
			t.Errorf("%s: an answer of %d bytes", c.name, len(a.body))
		}
	}
	if detail := n.refused(422, "invalid", "POST", "/v1/tasks", `{"task_type":"a","colour":"red"}`); !strings.Contains(detail, "colour") {
		t.Errorf("the unknown field is not named: %s", detail)
	}
	n.refused(415, "invalid", "POST", "/v1/tasks", "task_type=a", "Content-Type", "application/x-www-form-urlencoded")
	id := n.ok("POST", "/v1/tasks", `{"task_type":"<script>alert(1)</script>\u202e","payload":"`+big+`"}`)["id"].(string)
	got := n.try("GET", "/v1/tasks/"+id, "")
	if bytes.Contains(got.body, []byte("<script>")) || got.json()["task_type"] != "<script>alert(1)</script>\u202e" {
		t.Errorf("markup in %.300s", got.body)
	}
	if raw := n.try("GET", "/v1/tasks/"+id+"/payload", ""); len(raw.body) != 10<<20 || raw.header.Get("Content-Security-Policy") != "sandbox; default-src 'none'" {
		t.Errorf("%d bytes, %v", len(raw.body), raw.header)
	}
}

func TestHostileRequests(t *testing.T) {
	n := startNode(t, nil)
	for _, c := range []struct {
		method, path, code string
		status             int
	}{
		{"GET", "/v1/tasks?limit=0", "invalid", 422}, {"GET", "/v1/tasks?limit=x", "invalid", 422}, {"GET", "/v1/tasks?limit=1001", "invalid", 422},
		{"GET", "/v1/tasks?colour=red", "invalid", 422}, {"GET", "/v1/tasks?cursor=%ff", "invalid", 422}, {"GET", "/v1/tasks?cursor=AAAA", "invalid", 422},
		{"GET", "/v1/tasks?status=lost", "invalid", 422}, {"GET", "/v1/tasks?filter=x", "invalid", 422},
		{"GET", "/v1/tasks?filter=type:a&type=a", "invalid", 422}, {"GET", "/v1/tasks?order=priority&status=completed", "invalid", 422},
		{"GET", "/v1/tasks?queue=" + strings.Repeat("q", 200), "invalid", 422}, {"GET", "/v1/tasks?scheduled_from=yesterday", "invalid", 422},
		{"GET", "/v1/tasks/nothing", "invalid", 422}, {"GET", "/v1/tasks/01890a5d-ac96-774b-bcce-b302099a8057", "not_found", 404},
		{"GET", "/v1/tasks/01890a5d-ac96-774b-bcce-b302099a8057?wait=1h", "invalid", 422},
		{"GET", "/v1/tasks/01890a5d-ac96-774b-bcce-b302099a8057?wait=1s&consistency=stale", "invalid", 422},
		{"GET", "/v1/tasks?consistency=maybe", "invalid", 422}, {"GET", "/v1/tasks?consistency=stale&min_index=999999999", "timeout", 504},
		{"GET", "/v1/history?range=24h", "not_found", 404}, {"GET", "/v1/nothing", "not_found", 404},
		{"PUT", "/v1/tasks", "unknown_type", 405}, {"POST", "/", "unknown_type", 405}, {"TRACE", "/v1/tasks", "unknown_type", 405},
		{"POST", "/v1/tasks/cancel", "invalid", 400}, {"DELETE", "/v1/tasks/01890a5d-ac96-774b-bcce-b302099a8057", "not_found", 404},
	} {
		n.refused(c.status, c.code, c.method, c.path, "")
	}
	if a := n.try("PUT", "/v1/tasks", ""); a.header.Get("Allow") != "GET, POST" {
		t.Errorf("Allow: %q", a.header.Get("Allow"))
	}
	req, err := http.NewRequest("GET", n.url+"/v1/tasks", nil)
	n.must(err)
	req.Header.Set("X-Long", strings.Repeat("x", 100<<10))
	if res, err := n.http.Do(req); err == nil { // or the server has hung up before all of it was sent
		res.Body.Close()
		if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a header of 100 KiB: %d", res.StatusCode)
		}
	}
	n.refused(421, "not_allowed", "GET", "/v1/overview", "", "Host", "evil.example")
	n.refused(403, "not_allowed", "POST", "/v1/cluster/pause", "", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
	if a := n.try("GET", "/v1/overview", "", "Origin", "https://evil.example"); a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("CORS without an origins list: %v", a.header)
	}
}

// TestRestOfABodyIsNoRequest: what is left of a body that was too large ends with the connection. Taken for the next
// request, it would let one client of a proxy speak for another.
func TestRestOfABodyIsNoRequest(t *testing.T) {
	n := startNode(t, nil)
	conn, err := net.Dial("tcp", n.web.Addr().String())
	n.must(err)
	defer conn.Close()
	const hidden = "POST /v1/cluster/pause HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
	text := strings.Repeat("x", maxBody) + strings.Repeat(hidden, 10_000)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = fmt.Fprintf(conn, "POST /v1/worker/claim HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			len(text), text) // it may break off
	}()
	n.must(conn.SetReadDeadline(time.Now().Add(20 * time.Second)))
	answers, _ := io.ReadAll(conn) // it may end with a reset
	<-sent
	if count := bytes.Count(answers, []byte("HTTP/1.1 ")); count > 1 {
		t.Errorf("%d answers to one request: %.300s", count, answers)
	}
	if o := n.ok("GET", "/v1/overview?consistency=linearizable", ""); o["dispatch_paused"] != false {
		t.Error("a request inside of a body was carried out")
	}
}

// TestSlowClients: who sends its headers or its body slowly is cut off, and so is who reads nothing.
func TestSlowClients(t *testing.T) {
	n := startNode(t, func(c *Config, _ *Sources) {
		c.Limits = Limits{HeaderTimeout: 300 * time.Millisecond, BodyTimeout: 300 * time.Millisecond, IdleTimeout: 300 * time.Millisecond}
	})
	for _, text := range []string{
		"GET /v1/tasks HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
		"POST /v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
		"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"",
	} {
		conn, err := net.Dial("tcp", n.web.Addr().String())
		n.must(err)
		_, err = io.WriteString(conn, text)
		n.must(err)
		n.must(conn.SetReadDeadline(time.Now().Add(20 * time.Second)))
		answer, err := io.ReadAll(bufio.NewReader(conn)) // until the server hangs up
		if err != nil {
			t.Errorf("%.30q: not cut off: %v after %q", text, err, answer)
		}
		if strings.HasPrefix(text, "POST") && !bytes.Contains(answer, []byte(`"code":"timeout"`)) {
			t.Errorf("half a body: %q", answer)
		}
		conn.Close()
	}
}

func TestGzipCORSAndBasePath(t *testing.T) {
	n := startNode(t, func(c *Config, _ *Sources) {
		c.BasePath, c.Origins = "/haiku", []string{"https://ops.example"}
	})
	a := n.try("GET", pathOpenAPI, "", "Accept-Encoding", "gzip")
	if a.header.Get("Content-Encoding") != "gzip" || !slices.Contains(a.header.Values("Vary"), "Accept-Encoding") {
		t.Fatalf("%v", a.header)
	}
	r, err := gzip.NewReader(bytes.NewReader(a.body))
	n.must(err)
	text, err := io.ReadAll(r)
	n.must(err)
	if plain := n.try("GET", pathOpenAPI, "", "Accept-Encoding", "gzip;q=0"); !bytes.Equal(plain.body, text) || plain.header.Get("Content-Encoding") != "" {
		t.Errorf("%d bytes plain, %d compressed", len(plain.body), len(text))
	}
	if a := n.try("GET", "/v1/session", "", "Accept-Encoding", "gzip"); a.header.Get("Content-Encoding") != "" {
		t.Error("a short answer is compressed")
	}
	a = n.try("OPTIONS", "/v1/tasks", "", "Origin", "https://ops.example", "Access-Control-Request-Method", "POST")
	if a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != "https://ops.example" || a.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("%d %v", a.status, a.header)
	}
	if a := n.try("POST", "/v1/tasks", `{"task_type":"a"}`, "Origin", "https://ops.example", "Sec-Fetch-Site", "cross-site"); a.status != 201 ||
		a.header.Get("Access-Control-Allow-Origin") != "https://ops.example" {
		t.Errorf("%d %s", a.status, a.body)
	}
	n.url = strings.TrimSuffix(n.url, "/haiku")
	n.refused(404, "not_found", "GET", "/v1/tasks", "")
	for _, path := range []string{"//v1/tasks", "/haiku//v1/tasks", "/haiku/v1/../v1/tasks", "/haiku/./v1/tasks", "/haiku/v1//tasks"} {
		n.refused(404, "not_found", "GET", path, "") // no redirect, which would leave the base path
	}
	if a := n.try("GET", "/haiku/v1/queues/a%2F..%2Fb/", ""); a.status != 404 || a.header.Get("Location") != "" {
		t.Errorf("%d %v", a.status, a.header)
	}
	if a := n.try("GET", "/haiku", ""); a.status != http.StatusPermanentRedirect || a.header.Get("Location") != "/haiku/" {
		t.Errorf("%d %v", a.status, a.header)
	}
}

func TestIdempotencyKey(t *testing.T) {
	n := startNode(t, nil)
	send := func(key, body string) map[string]any { return n.ok("POST", "/v1/tasks", body, "Idempotency-Key", key) }
	first, again := send("k1", `{"task_type":"a"}`), send("k1", `{"task_type":"a"}`)
	if first["id"] != again["id"] || first["duplicate"] != false || again["duplicate"] != true || send("k2", `{"task_type":"a"}`)["id"] == first["id"] {
		t.Errorf("%v, then %v", first, again)
	}
	n.refused(409, "conflict", "POST", "/v1/tasks", `{"task_type":"b"}`, "Idempotency-Key", "k1")
	many := fmt.Sprintf(`{"tasks":[%s,%s],"atomic":true}`, `{"name":"x","task_type":"a"}`, `{"after":["x"],"task_type":"b"}`)
	one, two := send("k3", many), send("k3", many)
	for i := range 2 {
		if pick(t, one, "receipts", i, "id") != pick(t, two, "receipts", i, "id") || pick(t, two, "receipts", i, "duplicate") != true {
			t.Errorf("%v, then %v", one, two)
		}
	}
}

// TestPartsAreNotCompressed: a part of a page is one of its content as it is.
func TestPartsAreNotCompressed(t *testing.T) {
	script := strings.Repeat("let a = 1;\n", 1000)
	n := startNode(t, func(_ *Config, s *Sources) { s.Pages = fstest.MapFS{"app.js": {Data: []byte(script)}} })
	whole := n.try("GET", "/app.js", "", "Accept-Encoding", "gzip")
	if whole.header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("%v", whole.header)
	}
	a := n.try("GET", "/app.js", "", "Accept-Encoding", "gzip", "Range", "bytes=1000-4999")
	if a.status != http.StatusPartialContent || a.header.Get("Content-Encoding") != "" || string(a.body) != script[1000:5000] {
		t.Errorf("%d %v, %d bytes", a.status, a.header, len(a.body))
	}
	if a := n.try("GET", "/app.js", "", "Accept-Encoding", "gzip", "If-None-Match", whole.header.Get("ETag")); a.status != http.StatusNotModified {
		t.Errorf("the tag of the compressed form: %d", a.status)
	}
}
