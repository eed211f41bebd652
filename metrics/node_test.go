package metrics

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"github.com/haiku-queue/haiku/cluster"
	"github.com/haiku-queue/haiku/task"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// openNode opens a solo node that m observes, in a directory, and measures it.
func openNode(t *testing.T, m *Metrics, dir string) (n *cluster.Node, end func()) {
	t.Helper()
	d, err := cluster.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := cluster.Default()
	cfg.Dir, cfg.Raft, cfg.Advertise, cfg.Name, cfg.Bootstrap = d, l, l.Addr().String(), "n1", true
	cfg.Logger, cfg.Observer = quiet, m
	if n, err = cluster.Open(cfg); err != nil {
		t.Fatal(err)
	}
	r := m.Record(n, filepath.Join(dir, "history"), quiet)
	ended := false
	end = func() {
		if ended {
			return
		}
		ended = true
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(end)
	eventually(t, "the node leads", func() bool { _, self := n.Leader(); return self })
	return n, end
}

// work has tasks of a queue submitted, claimed and finished: done with success, lost without.
func work(t *testing.T, n *cluster.Node, queue string, done, lost int) {
	t.Helper()
	session := task.NewSessionID()
	none := uint32(0)
	for i := range done + lost {
		spec := task.Spec{ID: task.NewID(), Type: "t", Queue: queue, MaxRetries: &none}
		if receipts, err := n.Submit(t.Context(), []task.Spec{spec}, false); err != nil || receipts[0].Err != nil {
			t.Fatal(receipts, err)
		}
		tasks, err := n.Claim(t.Context(), task.ClaimRequest{Session: session, WorkerID: "w", Queues: []string{queue}, Max: 1, Wait: time.Minute, Lease: time.Minute})
		if err != nil || len(tasks) != 1 {
			t.Fatal(tasks, err)
		}
		o := task.Outcome{ID: tasks[0].ID, LeaseID: tasks[0].LeaseID, Kind: task.Success}
		if i >= done {
			o.Kind, o.Error = task.Failure, "no"
		}
		if receipts, _, err := n.Finish(t.Context(), session, []task.Outcome{o}, nil); err != nil || receipts[0].Err != nil {
			t.Fatal(receipts, err)
		}
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited a minute in vain for: %s", what)
		}
	}
}

// families are the metrics by name.
func families(t *testing.T, m *Metrics) map[string]*dto.MetricFamily {
	t.Helper()
	list, err := m.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]*dto.MetricFamily)
	for _, f := range list {
		out[f.GetName()] = f
	}
	return out
}

// valueOf is a counter, a gauge or the count of a histogram whose labels have the given values, in the order of names.
func valueOf(t *testing.T, all map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	t.Helper()
	for _, metric := range all[name].GetMetric() {
		var have []string
		for _, l := range metric.GetLabel() {
			have = append(have, l.GetValue())
		}
		if slices.Equal(have, labels) {
			return metric.GetCounter().GetValue() + metric.GetGauge().GetValue() + float64(metric.GetHistogram().GetSampleCount())
		}
	}
	t.Fatalf("%s%q is not served", name, labels)
	return 0
}

// TestRealNode: a node that works serves every metric that is defined, with names and units as promlint wants them, and
// the counts of what it did.
func TestRealNode(t *testing.T) {
	m := New(Config{Version: "test", Queues: 1})
	n, _ := openNode(t, m, t.TempDir())
	work(t, n, "first", 3, 2)
	work(t, n, "second", 1, 0)
	work(t, n, "third", 1, 0)
	m.Spans(4, 0)
	m.Spans(0, 3)

	contentType, text, err := m.Expose("")
	if err != nil || !strings.HasPrefix(contentType, "text/plain") {
		t.Fatal(contentType, err)
	}
	problems, err := promlint.New(bytes.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("promlint: %s: %s", p.Metric, p.Text)
	}
	if contentType, text, err = m.Expose("application/openmetrics-text; version=1.0.0"); err != nil ||
		!strings.HasPrefix(contentType, "application/openmetrics-text") || !bytes.HasSuffix(text, []byte("# EOF\n")) {
		t.Errorf("OpenMetrics: %s, %v", contentType, err)
	}

	all := families(t, m)
	types := map[kind]dto.MetricType{counter: dto.MetricType_COUNTER, gauge: dto.MetricType_GAUGE, histogramKind: dto.MetricType_HISTOGRAM}
	for _, d := range definitions {
		if f := all[d.name]; d.name != "haiku_raft_peer_lag_entries" && (f == nil || f.GetType() != types[d.kind]) {
			t.Errorf("%s is not served as a %s", d.name, d.kind)
		}
	}
	for _, c := range []struct {
		want   float64
		name   string
		labels []string
	}{
		{5, "haiku_tasks_submitted_total", []string{"first"}},
		{2, "haiku_tasks_submitted_total", []string{"_other"}},
		{5, "haiku_tasks_claimed_total", []string{"first"}},
		{3, "haiku_tasks_completed_total", []string{"first"}},
		{2, "haiku_tasks_failed_total", []string{"first"}},
		{2, "haiku_tasks_dead_total", []string{"first"}},
		{2, "haiku_tasks", []string{"first", "dead_letter"}},
		{2, "haiku_tasks", []string{"_other", "completed"}},
		{0, "haiku_queue_oldest_ready_age_seconds", []string{"first"}},
		{3, "haiku_queues", nil},
		{7, "haiku_submit_duration_seconds", nil},
		{7, "haiku_claim_wait_seconds", nil},
		{7, "haiku_attempt_duration_seconds", nil},
		{1, "haiku_raft_is_leader", nil},
		{4, "haiku_trace_spans_sent_total", nil},
		{3, "haiku_trace_spans_dropped_total", nil},
		{0, "haiku_submits_refused", nil},
		{1 << 30, "haiku_disk_limit_bytes", nil},
		{1, "haiku_raft_leader_changes_total", nil},
		{1, "haiku_collector_success", []string{"rocksdb"}},
	} {
		if got := valueOf(t, all, c.name, c.labels...); got != c.want {
			t.Errorf("%s%q is %g, want %g", c.name, c.labels, got, c.want)
		}
	}
	for _, name := range []string{"propose", "commit", "apply", "raft_log_sync"} {
		if n := valueOf(t, all, "haiku_"+name+"_duration_seconds"); n < 7 {
			t.Errorf("%g observations of %s for seven tasks", n, name)
		}
	}
}

// TestCountersNeverFall: through the end of a node and its next opening in the same process, no counter and no bucket
// falls, and the samples of before are there.
func TestCountersNeverFall(t *testing.T) {
	m, dir := New(Config{Queues: 10}), t.TempDir()
	n, end := openNode(t, m, dir)
	work(t, n, "q", 3, 1)
	eventually(t, "a second's sample", func() bool { return m.Rates()["submitted"] > 0 })
	counts := func() map[string]float64 {
		out := make(map[string]float64)
		for name, f := range families(t, m) {
			if !strings.HasPrefix(name, "haiku_") {
				continue
			}
			for _, metric := range f.GetMetric() {
				key := name
				for _, l := range metric.GetLabel() {
					key += " " + l.GetValue()
				}
				switch f.GetType() {
				case dto.MetricType_COUNTER:
					out[key] = metric.GetCounter().GetValue()
				case dto.MetricType_HISTOGRAM:
					out[key] = float64(metric.GetHistogram().GetSampleCount())
				}
			}
		}
		return out
	}
	before := counts()
	end()
	if _, _, series := m.History(time.Hour); sum(series["submitted"]) != 0 {
		t.Error("there is history while no node is open")
	}
	n, _ = openNode(t, m, dir)
	after := counts()
	for key, v := range before {
		if after[key] < v {
			t.Errorf("%s fell from %g to %g", key, v, after[key])
		}
	}
	if before["haiku_commands_applied_total"] == 0 || before["haiku_tasks_submitted_total q"] != 4 {
		t.Errorf("before the end: %v", before)
	}
	_, _, series := m.History(time.Hour)
	if got := sum(series["submitted"]); got < 3.9 || got > 4.1 {
		t.Errorf("the history says that %g tasks were submitted, 4 were", got)
	}
	work(t, n, "q", 1, 0)
	if got := valueOf(t, families(t, m), "haiku_tasks_submitted_total", "q"); got != 5 {
		t.Errorf("%g tasks submitted, want 5", got)
	}
}

// sum adds up what there is.
func sum(values []float64) (total float64) {
	for _, v := range values {
		if v == v {
			total += v
		}
	}
	return total
}
