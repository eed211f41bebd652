package main

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/bench/proc"
)

// A fakeDriver is a queue in memory. It loses or repeats one task if told to.
type fakeDriver struct {
	Env
	queue        chan []byte
	lose, repeat int // a task's number
}

func (d *fakeDriver) Start(context.Context, string) error {
	d.queue = make(chan []byte, 10_000)
	return nil
}
func (d *fakeDriver) Procs() []*proc.Proc                             { return nil }
func (d *fakeDriver) Producer(context.Context, int) (Producer, error) { return d, nil }
func (d *fakeDriver) Left(context.Context) (int, error)               { return len(d.queue), nil }
func (d *fakeDriver) Close()                                          {}

func (d *fakeDriver) Submit(ctx context.Context, payload []byte) error {
	return d.SubmitBatch(ctx, [][]byte{payload})
}

func (d *fakeDriver) SubmitBatch(_ context.Context, payloads [][]byte) error {
	for _, p := range payloads {
		id := taskID(p)
		if d.lose > 0 && id == d.lose {
			continue
		}
		d.queue <- p
		if d.repeat > 0 && id == d.repeat {
			d.queue <- p
		}
	}
	return nil
}

func (d *fakeDriver) StartWorkers(ctx context.Context, n int, t *Tracker) (func() error, error) {
	return spawn(ctx, n, t, func(ctx context.Context, _ int) error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case p := <-d.queue:
				t.Acked(t.Claimed(p))
			}
		}
	}), nil
}

func fakeRun(t *testing.T, d *fakeDriver, work string, p Params) Result {
	t.Helper()
	s := Setup{Name: "fake", New: func(Env) Driver { return d }}
	return measure(t.Context(), job{System{Name: "memory"}, s, work}, p, Env{Share: 16}, t.TempDir())
}

func TestMeasure(t *testing.T) {
	for _, work := range works {
		p := Params{Tasks: 500, Producers: 4, Workers: 4, Batch: 1, Limit: 10 * time.Second}
		switch work {
		case workBatch:
			p.Batch = 64
		case workLatency:
			p.Tasks, p.Producers, p.Workers, p.Rate = 50, 1, 1, 500
		}
		r := fakeRun(t, &fakeDriver{}, work, p)
		if r.Error != "" || r.LifecyclePerS <= 0 || r.EnqueuePerS <= 0 || r.Left != 0 || r.Again != 0 {
			t.Errorf("%s: %+v", work, r)
		}
		if work == workLatency && (r.EnqueueS < 0.09 || r.E2EP50 <= 0) {
			t.Errorf("50 tasks at 500/s took %v s, end to end %v µs", r.EnqueueS, r.E2EP50)
		}
		if (work == workBacklog) != (r.DrainPerS > 0) {
			t.Errorf("%s: drain rate %v", work, r.DrainPerS)
		}
	}
}

func TestMeasureNotices(t *testing.T) {
	p := Params{Tasks: 100, Producers: 2, Workers: 2, Batch: 1, Limit: time.Second}
	if r := fakeRun(t, &fakeDriver{lose: warmTasks + 5}, workSingle, p); !strings.Contains(r.Error, "99 of 100") {
		t.Errorf("a lost task: %q", r.Error)
	}
	if r := fakeRun(t, &fakeDriver{repeat: warmTasks + 5}, workSingle, p); r.Error != "" || r.Again > 1 {
		t.Errorf("a repeated task: %q, %d again", r.Error, r.Again)
	}
}

func TestPayload(t *testing.T) {
	tr := newTracker(7, 3)
	p := tr.payload(2)
	if len(p) != payloadSize || taskID(p) != 9 {
		t.Errorf("payload %q is task %d", p, taskID(p))
	}
	if id := tr.Claimed(p); id != 9 || tr.strange.Load() != 0 {
		t.Errorf("claimed %d", id)
	}
	if tr.Claimed(p); tr.again.Load() != 1 {
		t.Error("second claim not counted")
	}
	if tr.Claimed([]byte("x")); tr.strange.Load() != 1 {
		t.Error("strange payload not counted")
	}
}

func TestQuantile(t *testing.T) {
	var ds []time.Duration
	for i := range 100 {
		ds = append(ds, time.Duration(i+1)*time.Microsecond)
	}
	if p50, p99 := quantile(ds, 0.5), quantile(ds, 0.99); p50 != 51 || p99 != 100 {
		t.Errorf("p50 %v, p99 %v", p50, p99)
	}
	if q := quantile(nil, 0.5); q != 0 {
		t.Errorf("of nothing: %v", q)
	}
}

func TestTable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "r.jsonl")
	for _, v := range []float64{300, 100, 200} {
		line, _ := json.Marshal(Result{System: "a", Setup: "b", Work: workBacklog, EnqueuePerS: v})
		if err := appendLine(file, line); err != nil {
			t.Fatal(err)
		}
	}
	line, _ := json.Marshal(Result{System: "a", Setup: "b", Work: workBacklog, EnqueuePerS: 9999, Error: "no"})
	if err := appendLine(file, line); err != nil {
		t.Fatal(err)
	}
	results, err := readResults(file)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := printTable(&out, results); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "| a b | 3 (1 failed) | 200 (100–300) |") {
		t.Error(out.String())
	}
}

func TestSystems(t *testing.T) {
	for _, s := range systems {
		for _, u := range s.Setups {
			for w := range u.Tasks {
				if !slices.Contains(works, w) {
					t.Errorf("%s %s: no work %q", s.Name, u.Name, w)
				}
			}
		}
	}
	if err := run([]string{"-nats=nothing"}, &bytes.Buffer{}); err == nil {
		t.Error("an unknown setup was taken")
	}
}
