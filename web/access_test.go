package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/metrics"
)

// TestPermissionsComeFirst: whoever may not carry out an operation is told so, however wrong the request is.
func TestPermissionsComeFirst(t *testing.T) {
	n := startNode(t, nil)
	tokens := n.tokens(`{"role":"viewer"}`, `{"role":"worker"}`, `{"role":"operator"}`, `{"role":"operator","queues":["mail"]}`)
	roles := []member.Role{member.RoleViewer, member.RoleWorker, member.RoleOperator, member.RoleOperator}
	open := map[string]bool{"login": true, "logout": true}
	var doc struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	n.must(json.Unmarshal(described(t), &doc))
	seen := map[string]bool{}
	for path, methods := range doc.Paths {
		path = strings.NewReplacer("{id}", "%00", "{name}", "%00", "{queue}", "secret").Replace(path) + "?colour=red"
		for method, o := range methods {
			method = strings.ToUpper(method)
			p, there := permissions[o.OperationID]
			seen[o.OperationID] = true
			if there == open[o.OperationID] || there && !p.role.Known() {
				t.Errorf("%s: there %v, %+v", o.OperationID, there, p)
			}
			if !there {
				continue
			}
			body := ""
			if method != http.MethodGet {
				body = `{"`
			}
			n.refused(401, "unauthenticated", method, path, body)
			for i, token := range tokens {
				restricted := i == len(tokens)-1
				a := n.try(method, path, body, "Authorization", "Bearer "+token)
				foreign := restricted && strings.Contains(path, "secret")
				if denied := p.role > roles[i] || restricted && p.all || foreign; denied && (a.status != 403 || a.json()["code"] != "permission_denied") ||
					!denied && a.status != 422 && a.status != 400 {
					t.Errorf("%s as %s, of some queues %v: %d %s", o.OperationID, roles[i], restricted, a.status, a.body)
				}
			}
		}
	}
	for id := range permissions {
		if !seen[id] {
			t.Errorf("there is no operation %s", id)
		}
	}
}

// tokens makes an admin's token and others, and returns the texts of the others.
func (n *testNode) tokens(orders ...string) (texts []string) {
	n.t.Helper()
	admin := n.ok("POST", "/v1/tokens", `{"role":"admin"}`)["token"].(string)
	for _, order := range orders {
		texts = append(texts, n.ok("POST", "/v1/tokens", order, "Authorization", "Bearer "+admin)["token"].(string))
	}
	n.until("tokens are asked for", func() bool { return n.try("GET", "/v1/session", "").status == 401 })
	return texts
}

// busyMeter is a meter of a node at which much happens.
type busyMeter struct{ Meter }

func (busyMeter) Rates() map[string]float64     { return map[string]float64{"submitted": 3} }
func (busyMeter) Latencies() map[string]float64 { return map[string]float64{"submit_p50_us": 500} }

// TestNothingOfOtherQueues: a token of some queues sees no number that others have a part in.
func TestNothingOfOtherQueues(t *testing.T) {
	n := startNode(t, func(_ *Config, s *Sources) { s.Meter = busyMeter{metrics.New(metrics.Config{})} })
	n.ok("POST", "/v1/tasks", `{"task_type":"a","queue":"secret"}`)
	if o := n.ok("GET", "/v1/overview", ""); len(o["rates"].(map[string]any)) == 0 || len(o["latency"].(map[string]any)) == 0 {
		t.Errorf("no rates for everybody: %v", o)
	}
	n.ok("GET", "/v1/history", "")
	mail := n.tokens(`{"role":"viewer","queues":["mail"]}`)[0]
	n.header.Set("Authorization", "Bearer "+mail)
	for _, path := range []string{"/v1/history", "/metrics", "/v1/queues/secret"} {
		n.refused(403, "permission_denied", "GET", path, "")
	}
	for _, query := range []string{"", "?consistency=linearizable", "?consistency=stale"} {
		o := n.ok("GET", "/v1/overview"+query, "")
		if len(o["rates"].(map[string]any)) != 0 || len(o["latency"].(map[string]any)) != 0 || len(o["queues"].([]any)) != 0 ||
			pick(t, o, "counts", "pending") != json.Number("0") {
			t.Errorf("overview%s of a token of other queues: %v", query, o)
		}
	}
	if s := n.ok("GET", "/v1/stats", ""); fmt.Sprint(pick(t, s, "total", "ready")) != "0" || len(s["queues"].([]any)) != 0 {
		t.Errorf("stats of a token of other queues: %v", s)
	}
	events, _ := n.listen("?topics=overview", "")
	if e := n.next(events, "overview"); len(e.data["rates"].(map[string]any)) != 0 {
		t.Errorf("rates in an event: %v", e)
	}
}

// TestStreamEndsWithItsToken: a stream tells nothing more once its token is revoked, whatever its topics are.
func TestStreamEndsWithItsToken(t *testing.T) {
	n := startNode(t, nil)
	admin := n.ok("POST", "/v1/tokens", `{"role":"admin"}`)["token"].(string)
	n.until("tokens are asked for", func() bool { return n.try("GET", "/v1/session", "").status == 401 })
	n.header.Set("Authorization", "Bearer "+admin)
	for _, topic := range topics {
		one := n.ok("POST", "/v1/tokens", `{"role":"viewer"}`)
		n.header.Set("Authorization", "Bearer "+one["token"].(string))
		events, stop := n.listen("?topics="+topic, "")
		n.header.Set("Authorization", "Bearer "+admin)
		n.ok("DELETE", "/v1/tokens/"+one["id"].(string), "")
		if e := n.next(events, "end"); e.data["code"] != "unauthenticated" {
			t.Errorf("%s: %v", topic, e)
		}
		for range events { // until it is closed
		}
		stop()
	}
}
