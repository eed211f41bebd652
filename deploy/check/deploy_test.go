package check

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// added are the labels that Prometheus adds to whatever it scrapes.
var added = []string{"job", "instance"}

// TestExpressions: a working cluster serves every metric and label that a dashboard or a rule asks for.
func TestExpressions(t *testing.T) {
	boards, err := filepath.Glob("../grafana/*.json")
	if err != nil || len(boards) == 0 {
		t.Fatal(boards, err)
	}
	all := ruleExpressions(t, "../prometheus/rules.yml")
	for _, path := range boards {
		all = append(all, dashboardExpressions(t, path)...)
	}
	s := workingCluster(t)
	for _, e := range all {
		for _, problem := range s.check(e) {
			t.Errorf("%s: %s: %s", e.where, e.text, problem)
		}
	}
	t.Logf("%d expressions of %d files", len(all), len(boards)+1)
	for text, want := range map[string]string{
		"haiku_tasks_sumbitted_total":   "not served",
		"rate(haiku_tasks[5m])":         "no counter",
		"sum by (topic) (haiku_tasks)":  "no label topic",
		"haiku_tasks{state=\"ready\"}":  "no label state",
		"haiku_tasks{status=\"reddy\"}": "nothing has",
		"haiku_submit_duration_seconds": "not served",
		"histogram_quantile(0.9, sum(rate(haiku_submit_duration_seconds_bucket[5m])))": "no le",
		"sum(": "parse error",
	} {
		if got := strings.Join(s.check(expression{text: text}), "; "); !strings.Contains(got, want) {
			t.Errorf("%s: the check says %q, it should say %q", text, got, want)
		}
	}
	bad := &rule{Annotations: map[string]string{"summary": "{{ $labels.queue }}"}}
	if len(s.check(expression{text: "sum by (job) (haiku_tasks) > 1", alert: bad})) == 0 {
		t.Error("a label that an alert does not have is not noticed in its text")
	}
}

// check says what is wrong with an expression.
func (s served) check(e expression) (problems []string) {
	parsed, err := parser.ParseExpr(e.text)
	if err != nil {
		return []string{"parse error: " + err.Error()}
	}
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			s.checkSelector(n, say)
		case *parser.AggregateExpr:
			have := s.labelsOf(n.Expr)
			for _, label := range n.Grouping {
				if !slices.Contains(have, label) {
					say("%s has no label %s", n.Expr, label)
				}
			}
		case *parser.Call:
			s.checkCall(n, say)
		}
		return nil
	})
	if e.alert != nil {
		have := s.labelsOf(parsed)
		for name, text := range e.alert.Annotations {
			for _, m := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(text, -1) {
				if !slices.Contains(have, m[1]) {
					say("%s names label %s; the alert has %v", name, m[1], have)
				}
			}
		}
	}
	return problems
}

func (s served) checkSelector(n *parser.VectorSelector, say func(string, ...any)) {
	one := s[n.Name]
	if one == nil {
		say("%s is not served", n.Name)
		return
	}
	for _, m := range n.LabelMatchers {
		if m.Name == labels.MetricName || slices.Contains(added, m.Name) {
			continue
		}
		values := one.labels[m.Name]
		if values == nil {
			say("%s has no label %s", n.Name, m.Name)
			continue
		}
		found := false
		for value := range values {
			found = found || m.Matches(value)
		}
		if !found {
			say("nothing has %s", m)
		}
	}
}

// checkCall sees that rates are of what only rises, and that quantiles get their buckets.
func (s served) checkCall(n *parser.Call, say func(string, ...any)) {
	switch n.Func.Name {
	case "rate", "increase", "irate":
		if selector, ok := n.Args[0].(*parser.MatrixSelector); ok {
			name := selector.VectorSelector.(*parser.VectorSelector).Name
			if one := s[name]; one != nil && one.kind == dto.MetricType_GAUGE {
				say("%s of %s, which is no counter", n.Func.Name, name)
			}
		}
	case "histogram_quantile":
		if !slices.Contains(s.labelsOf(n.Args[1]), "le") {
			say("%s has no le", n.Args[1])
		}
	}
}

// labelsOf are the labels that the result of an expression has.
func (s served) labelsOf(e parser.Expr) []string {
	switch e := e.(type) {
	case *parser.VectorSelector:
		have := slices.Clone(added)
		if one := s[e.Name]; one != nil {
			for label := range one.labels {
				have = append(have, label)
			}
		}
		return have
	case *parser.MatrixSelector:
		return s.labelsOf(e.VectorSelector)
	case *parser.ParenExpr:
		return s.labelsOf(e.Expr)
	case *parser.AggregateExpr:
		return e.Grouping
	case *parser.BinaryExpr:
		if e.LHS.Type() == parser.ValueTypeScalar {
			return s.labelsOf(e.RHS)
		}
		return s.labelsOf(e.LHS)
	case *parser.Call:
		for _, arg := range e.Args {
			if arg.Type() == parser.ValueTypeVector || arg.Type() == parser.ValueTypeMatrix {
				return slices.DeleteFunc(s.labelsOf(arg), func(label string) bool {
					return label == "le" && e.Func.Name == "histogram_quantile"
				})
			}
		}
	}
	return nil
}
