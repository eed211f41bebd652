package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/haiku-queue/haiku/metrics"
)

// TestTokens: from the first token on every request needs one, in the header or the cookie, and its role decides.
func TestTokens(t *testing.T) {
	n := startNode(t, func(_ *Config, s *Sources) { s.Meter = metrics.New(metrics.Config{}) })
	if s := n.ok("GET", "/v1/session", ""); s["authentication"] != false || s["role"] != "admin" {
		t.Errorf("without tokens: %v", s)
	}
	n.refused(422, "invalid", "POST", "/v1/login", `{"token":"haiku_a_`+strings.Repeat("b", 40)+`"}`)
	made := n.try("POST", "/v1/tokens", `{"role":"admin","name":"boss"}`)
	admin := made.json()["token"].(string)
	if made.status != http.StatusCreated || pick(t, made.json(), "role") != "admin" {
		t.Fatalf("%d %s", made.status, made.body)
	}
	n.until("tokens are asked for", func() bool { return n.try("GET", "/v1/overview", "").status == http.StatusUnauthorized })
	for _, path := range []string{"/v1/overview", "/v1/cluster", "/v1/session", "/v1/history", "/v1/events", "/v1/tasks", "/v1/queues",
		"/v1/snapshot", "/v1/tokens", "/metrics", "/v1/cluster/doctor?index=1"} {
		if a := n.try("GET", path, ""); a.status != http.StatusUnauthorized && path != "/v1/history" || strings.Contains(string(a.body), "n1") {
			t.Errorf("GET %s without a token: %d %s", path, a.status, a.body)
		}
	}
	n.refused(401, "unauthenticated", "POST", "/v1/tasks", `{"task_type":`) // it is not even read
	n.refused(401, "unauthenticated", "POST", "/v1/worker/ack", `{}`, "Authorization", "Bearer haiku_zz_"+strings.Repeat("b", 48))
	for _, path := range []string{"/healthz", "/readyz", "/version"} {
		if a := n.try("GET", path, ""); a.status != 200 {
			t.Errorf("GET %s: %d", path, a.status)
		}
	}
	for _, header := range []string{"Bearer", "Bearer x", "Basic " + admin, "Bearer haiku_zz_" + strings.Repeat("b", 48)} {
		a := n.try("GET", "/v1/session", "", "Authorization", header)
		if a.status != 401 || a.json()["code"] != "unauthenticated" || a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%.20s: %d %s", header, a.status, a.body)
		}
	}
	login := n.try("POST", "/v1/login", fmt.Sprintf(`{"token":%q}`, admin))
	cookie := login.header.Get("Set-Cookie")
	for _, want := range []string{"haiku_token=", "HttpOnly", "SameSite=Strict", "Path=/"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("cookie %q lacks %s", cookie, want)
		}
	}
	value, _, _ := strings.Cut(cookie, ";")
	if s := n.ok("GET", "/v1/session", "", "Cookie", value); s["role"] != "admin" || s["name"] != "boss" || s["authentication"] != true {
		t.Errorf("with the cookie: %v", s)
	}
	out := n.try("POST", "/v1/logout", "", "Cookie", value)
	if c := out.header.Get("Set-Cookie"); !strings.Contains(c, "haiku_token=;") || !strings.Contains(c, "Max-Age=0") {
		t.Errorf("logout: %d %q", out.status, c)
	}
	n.header.Set("Authorization", "Bearer "+admin)
	viewer := n.ok("POST", "/v1/tokens", `{"role":"viewer","queues":["mail"]}`)
	n.ok("POST", "/v1/tasks", `{"task_type":"a","queue":"mail.out"}`)
	n.ok("POST", "/v1/tasks", `{"task_type":"a","queue":"secret"}`)
	n.header.Set("Authorization", "Bearer "+viewer["token"].(string))
	for _, r := range [][3]string{{"POST", "/v1/tasks", `{"task_type":"a"}`}, {"POST", "/v1/queues/mail/pause", ""}, {"GET", "/v1/tokens", ""},
		{"DELETE", "/v1/cluster/members/n1", ""}, {"POST", "/v1/cluster/transfer", `{"to":"n1"}`}, {"GET", "/v1/snapshot", ""},
		{"POST", "/v1/worker/claim", "{}"}, {"PUT", "/v1/retention", `{"task_type":"","completed":"1h"}`}} {
		n.refused(403, "permission_denied", r[0], r[1], r[2])
	}
	n.refused(403, "permission_denied", "GET", "/metrics", "")
	if list := n.ok("GET", "/v1/queues?types=false", ""); len(list["queues"].([]any)) != 1 || pick(t, list, "queues", 0, "queue") != "mail.out" {
		t.Errorf("queues of a restricted token: %v", list)
	}
	n.header.Set("Authorization", "Bearer "+admin)
	n.ok("DELETE", "/v1/tokens/"+viewer["id"].(string), "")
	n.header.Set("Authorization", "Bearer "+viewer["token"].(string))
	n.until("the token is no good", func() bool { return n.try("GET", "/v1/overview?consistency=stale", "").status == 401 })
}
