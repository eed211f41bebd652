package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// expression is one of a dashboard or of a rule.
type expression struct {
	where, text string
	alert       *rule // of a rule
}

// rule is an alert rule.
type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// ruleExpressions reads the alert rules.
func ruleExpressions(t *testing.T, path string) (out []expression) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []rule `yaml:"rules"`
		} `yaml:"groups"`
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	names := make(map[string]bool)
	for _, g := range file.Groups {
		for i := range g.Rules {
			r := &g.Rules[i]
			if r.Alert == "" || names[r.Alert] || r.Annotations["summary"] == "" || r.Annotations["description"] == "" || r.Labels["severity"] == "" {
				t.Errorf("rule %q of group %s: wants a name of its own, summary, description and severity", r.Alert, g.Name)
			}
			names[r.Alert] = true
			out = append(out, expression{where: "rule " + r.Alert, text: r.Expr, alert: r})
		}
	}
	return out
}

// dashboardExpressions reads the expressions of a dashboard: of panels, annotations and variables.
func dashboardExpressions(t *testing.T, path string) (out []expression) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var board map[string]any
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	var walk func(v any, title string)
	walk = func(v any, title string) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e, title)
			}
		case map[string]any:
			if s, ok := v["title"].(string); ok {
				title = s
			}
			if s, ok := v["expr"].(string); ok {
				out = append(out, expression{where: fmt.Sprintf("%s, %q", filepath.Base(path), title), text: concrete(s)})
			}
			if s, ok := v["query"].(string); ok && v["type"] == "query" {
				out = append(out, expression{where: fmt.Sprintf("%s, variable %v", filepath.Base(path), v["name"]), text: variable(t, s)})
			}
			for _, e := range v {
				walk(e, title)
			}
		}
	}
	walk(board, "")
	return out
}

// concrete puts something in place of Grafana's variables.
func concrete(text string) string {
	return strings.NewReplacer("$__rate_interval", "5m", "$job", "haiku", "$instance", ".*", "$queue", ".*").Replace(text)
}

// variable makes an expression of label_values(SELECTOR, LABEL), which asks for that label.
func variable(t *testing.T, query string) string {
	t.Helper()
	inner, ok := strings.CutPrefix(concrete(query), "label_values(")
	inner, ok2 := strings.CutSuffix(inner, ")")
	i := strings.LastIndex(inner, ",")
	if !ok || !ok2 || i < 0 {
		t.Fatalf("variable query %q is not label_values(SELECTOR, LABEL)", query)
	}
	return fmt.Sprintf("group by (%s) (%s)", strings.TrimSpace(inner[i+1:]), inner[:i])
}
