package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// TestCheckSeesEveryFault plants each fault in a task that was fine.
func TestCheckSeesEveryFault(t *testing.T) {
	sums := map[string]string{"/f": "abc  /f\n"}
	spec := task.Spec{ID: task.NewID(), Payload: []byte("/f")}
	fine := func() *task.Task {
		return &task.Task{
			ID: spec.ID, Status: task.Completed, Payload: []byte("/f"), Result: []byte("abc  /f\n"),
			History: []task.Attempt{{Outcome: task.SessionLost}, {Outcome: task.Success}},
		}
	}
	tests := map[string]struct {
		plant                   func(*task.Task) *task.Task
		lost, mismatched, twice int
	}{
		"nothing":         {plant: func(x *task.Task) *task.Task { return x }},
		"missing":         {plant: func(*task.Task) *task.Task { return nil }, lost: 1},
		"not completed":   {plant: func(x *task.Task) *task.Task { x.Status = task.DeadLetter; return x }, lost: 1},
		"wrong result":    {plant: func(x *task.Task) *task.Task { x.Result = []byte("abd  /f\n"); return x }, mismatched: 1},
		"no result":       {plant: func(x *task.Task) *task.Task { x.Result = nil; return x }, mismatched: 1},
		"wrong payload":   {plant: func(x *task.Task) *task.Task { x.Payload = []byte("/g"); return x }, mismatched: 1},
		"completed twice": {plant: func(x *task.Task) *task.Task { x.History[0].Outcome = task.Success; return x }, twice: 1},
		"never succeeded": {plant: func(x *task.Task) *task.Task { x.History = nil; return x }, twice: 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := &findings{}
			f.check(&spec, test.plant(fine()), sums)
			if len(f.lost) != test.lost || len(f.mismatched) != test.mismatched || len(f.twice) != test.twice {
				t.Errorf("found %+v", f)
			}
			if f.good() != (test.lost+test.mismatched+test.twice == 0) {
				t.Errorf("good: %v", f.good())
			}
		})
	}
}

func TestReportFails(t *testing.T) {
	fresh := func() (*job, *findings) {
		now := time.Now()
		return &job{
			specs: make([]task.Spec, 2), acknowledged: 2,
			started: now.Add(-time.Second), finished: now, failover: time.Second,
		}, &findings{tasks: 2, attempts: 3}
	}
	for name, plant := range map[string]func(*job, *findings){
		"slow failover":    func(j *job, _ *findings) { j.failover = maxFailover + 1 },
		"no submit left":   func(j *job, _ *findings) { j.acknowledged = 1 },
		"a task too many":  func(_ *job, f *findings) { f.tasks = 3 },
		"a node is behind": func(_ *job, f *findings) { f.unequal = "node2 differs" },
		"a lost one":       func(_ *job, f *findings) { f.lost = []string{"/f"} },
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			j, f := fresh()
			if !j.report(&out, f) {
				t.Fatalf("fails before anything is planted:\n%s", &out)
			}
			j, f = fresh()
			plant(j, f)
			if j.report(&out, f) {
				t.Error("it is reported as fine")
			}
		})
	}
}

// TestExpectedSums: what sha256sum prints of each file is what `read; sha256sum` prints of its path, odd names included.
func TestExpectedSums(t *testing.T) {
	var files []string
	for _, name := range []string{"plain", "with space", "-dash", "ümlaut"} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	sums, err := expectedSums(context.Background(), files)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		cmd := exec.Command("/bin/sh", "-c", command)
		cmd.Stdin = strings.NewReader(path)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if string(out) != sums[path] {
			t.Errorf("the command prints %q, expected is %q", out, sums[path])
		}
	}
}
