package check

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/internal/localnodes"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/worker"
)

// series is what all nodes serve under one name: the values of each label.
type series struct {
	kind   dto.MetricType
	labels map[string]map[string]bool
}

// served is what nodes serve, by the names that expressions use: a histogram has three.
type served map[string]*series

// add takes in what one node serves.
func (s served) add(families map[string]*dto.MetricFamily) {
	for name, family := range families {
		names := []string{name}
		if family.GetType() == dto.MetricType_HISTOGRAM {
			names = []string{name + "_bucket", name + "_sum", name + "_count"}
		}
		for i, name := range names {
			one := s[name]
			if one == nil {
				one = &series{kind: family.GetType(), labels: make(map[string]map[string]bool)}
				s[name] = one
			}
			for _, m := range family.GetMetric() {
				for _, l := range m.GetLabel() {
					one.put(l.GetName(), l.GetValue())
				}
				for _, q := range m.GetSummary().GetQuantile() {
					one.put("quantile", fmt.Sprint(q.GetQuantile()))
				}
				if len(names) > 1 && i == 0 {
					for _, b := range m.GetHistogram().GetBucket() {
						one.put("le", fmt.Sprint(b.GetUpperBound()))
					}
				}
			}
		}
	}
}

func (s *series) put(label, value string) {
	if s.labels[label] == nil {
		s.labels[label] = make(map[string]bool)
	}
	s.labels[label][value] = true
}

// workingCluster starts three nodes, has them work, and returns what they serve.
func workingCluster(t *testing.T) served {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "haikud")
	if out, err := exec.Command("go", "build", "-C", "../..", "-o", binary, "./cmd/haikud").CombinedOutput(); err != nil {
		t.Fatalf("build haikud: %v\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	nodes, err := localnodes.Start(ctx, localnodes.Config{Binary: binary, Count: 3, HTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := nodes.Stop(); err != nil {
			t.Error(err)
		}
	})
	load(ctx, t, nodes.Client())
	s := make(served)
	for _, address := range nodes.HTTPAddresses() {
		s.add(scrape(t, address))
	}
	return s
}

// load has tasks of two queues end well and badly.
func load(ctx context.Context, t *testing.T, c *client.Client) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := worker.New(c, worker.Config{Queues: []string{"mail", "reports"}, Concurrency: 4})
	if err != nil {
		t.Fatal(err)
	}
	w.Handle("good", func(context.Context, *task.Task) ([]byte, error) { return nil, nil })
	w.Handle("bad", func(context.Context, *task.Task) ([]byte, error) { return nil, os.ErrInvalid })
	stopped := make(chan error, 1)
	go func() { stopped <- w.Run(ctx) }()
	for _, queue := range []string{"mail", "reports"} {
		for _, typ := range []string{"good", "bad"} {
			for range 10 {
				receipt, err := c.Submit(ctx, typ, []byte("x"), client.Queue(queue), client.MaxRetries(0))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := c.Wait(ctx, receipt.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	cancel()
	<-stopped
}

// scrape reads /metrics of a node.
func scrape(t *testing.T, address string) map[string]*dto.MetricFamily {
	t.Helper()
	reply, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %d, %v", address, reply.StatusCode, err)
	}
	problems, err := promlint.New(bytes.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: promlint: %s: %s", address, p.Metric, p.Text)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return families
}
