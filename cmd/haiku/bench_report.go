package main

import (
	"fmt"
	"io"
	"time"

	"github.com/haiku-queue/haiku/internal/bench"
)

// writeBench writes a benchmark's result for people.
func writeBench(w io.Writer, r *bench.Result) {
	row(w, "work:", fmt.Sprintf("%s of %d tasks", r.Work, r.Tasks))
	row(w, "load:", load(r))
	row(w, "tasks/s:", fmt.Sprintf("%.0f in %.2f s", r.TasksPerS, r.Seconds))
	if r.Submit != nil && r.Ack != nil {
		row(w, "submitted/s:", fmt.Sprintf("%.0f", r.SubmitsPerS))
	}
	row(w, "raft entries:", fmt.Sprintf("%d, %.2f tasks each", r.Entries, r.TasksPerEntry))
	row(w, "CPU a task:", fmt.Sprintf("%.1f µs here", r.BenchCPUPerTask))
	if len(r.Servers) > 0 {
		row(w, "", fmt.Sprintf("%.1f µs in all nodes", r.ServerCPUPerTask))
	}
	for _, s := range r.Servers {
		role := "follower"
		if s.Leader {
			role = "leader"
		}
		row(w, "", fmt.Sprintf("%.1f µs in %s (%s), which wrote %.0f bytes a task and had %.0f MiB at most",
			s.CPUPerTask, s.Name, role, s.WrittenPerTask, s.PeakMiB))
	}
	if r.StateHash != "" {
		row(w, "state of all nodes:", r.StateHash)
	}
	fmt.Fprintln(w)
	row(w, "LATENCY", "COUNT", "MEAN", "P50", "P90", "P99", "P99.9", "MAX")
	for _, line := range []struct {
		name string
		p    *bench.Percentiles
	}{{"submit", r.Submit}, {"acknowledge", r.Ack}, {"submit to worker", r.EndToEnd}} {
		if p := line.p; p != nil {
			row(w, line.name, p.Count, micros(int64(p.Mean)), micros(p.P50), micros(p.P90), micros(p.P99), micros(p.P999),
				micros(p.Max))
		}
	}
}

// load says in one line who did what.
func load(r *bench.Result) string {
	text := ""
	if r.Producers > 0 {
		text += fmt.Sprintf("%d producers with %d a submit, %d bytes each, ", r.Producers, r.Batch, r.PayloadSize)
	}
	if r.Rate > 0 {
		text += fmt.Sprintf("at %d/s, ", r.Rate)
	}
	if r.Workers > 0 {
		text += fmt.Sprintf("%d workers with up to %d a claim, ", r.Workers, r.ClaimMax)
	}
	return text + fmt.Sprintf("%d connections to %d addresses", r.Connections, len(r.Addrs))
}

// micros writes microseconds with a unit.
func micros(us int64) string {
	d := time.Duration(us) * time.Microsecond
	switch {
	case d >= 10*time.Second:
		d = d.Round(10 * time.Millisecond)
	case d >= 10*time.Millisecond:
		d = d.Round(10 * time.Microsecond)
	}
	return d.String()
}
