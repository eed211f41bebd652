package web

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/haiku-queue/haiku/cluster"
	"github.com/haiku-queue/haiku/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testNode is a real node of its own with its HTTP server.
type testNode struct {
	t      testing.TB
	node   *cluster.Node
	port   *transport.Server
	web    *Server
	dir    *cluster.Dir
	url    string
	http   *http.Client
	header http.Header // of every request
}

// startNode starts a solo node. change may be nil.
func startNode(t testing.TB, change func(*Config, *Sources)) *testNode {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if os.Getenv("HAIKU_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	n := &testNode{t: t, http: &http.Client{Transport: &http.Transport{}}, header: http.Header{}}
	n.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	dir := t.TempDir() // removed after close
	t.Cleanup(n.close)
	var err error
	n.dir, err = cluster.OpenDir(dir)
	n.must(err)
	n.port, err = transport.Listen(transport.Config{Addr: "127.0.0.1:0", Limits: transport.Default().Limits, Logger: log})
	n.must(err)
	address := n.port.Addr().String()
	cfg := cluster.Default()
	cfg.Dir, cfg.Raft, cfg.Logger, cfg.Advertise, cfg.Name, cfg.Bootstrap = n.dir, n.port.Raft(), log, address, "n1", true
	n.node, err = cluster.Open(cfg)
	n.must(err)
	n.port.Serve(transport.Identity{
		NodeID: n.node.ID(), ClusterID: n.node.ClusterID(), NodeName: "n1", Version: "test", HeartbeatInterval: time.Second,
		MinLease: n.node.MinLease(), Advertise: address,
	}, n.node, n.node)
	config := Config{Addr: "127.0.0.1:0", Node: address, Logger: log, DedupWindow: 24 * time.Hour}
	sources := Sources{Inspector: n.node, Journal: n.node, Version: "test"}
	if change != nil {
		change(&config, &sources)
	}
	n.web, err = Listen(config)
	n.must(err)
	n.must(n.web.Serve(sources))
	n.url = "http://" + n.web.Addr().String() + config.BasePath
	n.until("a leader", func() bool { return n.try("GET", "/readyz", "").status == http.StatusOK })
	return n
}

func (n *testNode) close() {
	n.http.CloseIdleConnections()
	if n.web != nil {
		if err := n.web.Close(); err != nil {
			n.t.Error(err)
		}
	}
	if n.port != nil {
		n.port.Drain()
	}
	if n.node != nil {
		if err := n.node.Close(); err != nil {
			n.t.Error(err)
		}
	}
	if n.port != nil {
		if err := n.port.Close(); err != nil {
			n.t.Error(err)
		}
	}
	if n.dir != nil {
		if err := n.dir.Close(); err != nil {
			n.t.Error(err)
		}
	}
}

func (n *testNode) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// until waits for a condition.
func (n *testNode) until(what string, holds func() bool) {
	n.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			n.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// answer is what came back.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
}

// try sends a request with a body, if there is one, as JSON. headers are name, value, name, value.
func (n *testNode) try(method, path, body string, headers ...string) answer {
	n.t.Helper()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, n.url+path, content)
	n.must(err)
	req.Header = n.header.Clone()
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if req.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	res, err := n.http.Do(req)
	n.must(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	n.must(err)
	return answer{n.t, res.StatusCode, res.Header, text}
}

// ok is try for what has to succeed; it decodes the answer.
func (n *testNode) ok(method, path, body string, headers ...string) map[string]any {
	n.t.Helper()
	a := n.try(method, path, body, headers...)
	if a.status >= 300 {
		n.t.Fatalf("%s %s %s: %d %s", method, path, body, a.status, a.body)
	}
	return a.json()
}

// refused is try for what has to fail with a status and a code; it returns the detail.
func (n *testNode) refused(status int, code, method, path, body string, headers ...string) string {
	n.t.Helper()
	a := n.try(method, path, body, headers...)
	p := a.json()
	if a.status != status || p["code"] != code || a.header.Get("Content-Type") != problemType || p["detail"] == "" {
		n.t.Errorf("%s %s %.200s: %d %s %.500s; want %d %s", method, path, body, a.status, a.header.Get("Content-Type"), a.body, status, code)
	}
	detail, _ := p["detail"].(string)
	return detail
}

func (a answer) json() map[string]any {
	a.t.Helper()
	out := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader(a.body))
	decoder.UseNumber()
	if err := decoder.Decode(&out); err != nil {
		a.t.Fatalf("not JSON: %v: %d %.500s", err, a.status, a.body)
	}
	return out
}

// pick walks through decoded JSON by names and numbers.
func pick(t testing.TB, v any, path ...any) any {
	t.Helper()
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				t.Fatalf("no object for %v in %v", p, v)
			}
			v = m[p]
		case int:
			l, ok := v.([]any)
			if !ok || p >= len(l) {
				t.Fatalf("no element %d in %v", p, v)
			}
			v = l[p]
		}
	}
	return v
}
