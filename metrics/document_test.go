package metrics

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/metrics.md anew")

// TestDocument: docs/metrics.md says what is served.
func TestDocument(t *testing.T) {
	const path = "../docs/metrics.md"
	want := document()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not up to date: go test ./metrics -update", path)
	}
}

func document() string {
	var b strings.Builder
	b.WriteString(`# Metrics

<!-- Written by go test ./metrics -update from metrics/definitions.go. -->

A node serves them for Prometheus at ` + "`/metrics`" + ` of its HTTP address, in the text format or in OpenMetrics. Beside these
there are ` + "`go_*`" + ` and ` + "`process_*`" + `, of Go's runtime and of the process. [operations.md](operations.md#metrics) says what to
watch, with dashboards and alert rules in ` + "`deploy/`" + `.

The first ` + "`metrics.queues`" + ` queues that a node comes to know have series of their own, all others are ` + "`queue=\"_other\"`" + `.
Histograms are classic ones, with ` + "`_bucket`, `_sum` and `_count`" + `.

| name | type | labels | meaning |
|---|---|---|---|
`)
	for _, d := range definitions {
		labels := ""
		if len(d.labels) > 0 {
			labels = "`" + strings.Join(d.labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.name, d.kind, labels, d.help)
	}
	return b.String()
}
