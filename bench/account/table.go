package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"
)

// The counters of counters.json that are needed.
var (
	nodeCounters = []string{
		"entries_applied", "commands_applied", "batches", "keys_put", "keys_deleted", "batch_bytes", "log_writes", "log_bytes",
	}
	processCounters = []string{"cpu_us", "rocksdb_cpu_us", "disk_written_bytes", "allocated_bytes", "allocated_objects"}
)

// figure is a line of the first table.
type figure struct {
	name string
	of   func(s *side, tasks float64) float64
}

// perTask is a counter of one node, divided by the tasks.
func perTask(name string) func(*side, float64) float64 {
	return func(s *side, tasks float64) float64 {
		return (s.counts.Node[name] + s.counts.Process[name]) / float64(s.nodes) / tasks // it is in one of the two
	}
}

var figures = []figure{
	{"commands a Raft entry", func(s *side, _ float64) float64 {
		return s.counts.Node["commands_applied"] / s.counts.Node["entries_applied"]
	}},
	{"commands a task", perTask("commands_applied")},
	{"Raft entries a task", perTask("entries_applied")},
	{"writes to Raft's log a task", perTask("log_writes")},
	{"RocksDB batches a task", perTask("batches")},
	{"keys put a task", perTask("keys_put")},
	{"keys deleted a task", perTask("keys_deleted")},
	{"bytes a task in Raft's log", perTask("log_bytes")},
	{"bytes a task in RocksDB batches", perTask("batch_bytes")},
	{"bytes a task written to the disk", perTask("disk_written_bytes")},
	{"bytes a task allocated by Go", perTask("allocated_bytes")},
	{"objects a task allocated by Go", perTask("allocated_objects")},
}

// report writes both tables as markdown.
func report(w io.Writer, all []*measured) error {
	fmt.Fprintf(w, "%d nodes on one machine with %d cores, %s, payloads of %d bytes:\n\n", nodeCount, runtime.NumCPU(), runtime.Version(), payload)
	for _, m := range all {
		fmt.Fprintf(w, "- `%s`: %s; %s tasks, %s tasks/s\n", m.name, m.words, thousands(m.result.Tasks), thousands(int(m.result.TasksPerS)))
	}
	fmt.Fprintln(w)
	head(w, "of one node", all)
	for _, f := range figures {
		line := "| " + f.name
		for _, m := range all {
			for _, s := range []*side{m.leader, m.follower} {
				line += " | " + number(f.of(s, float64(m.result.Tasks)))
			}
		}
		fmt.Fprintln(w, line+" |")
	}
	fmt.Fprintln(w)
	return reportCPU(w, all)
}

// reportCPU writes the second table.
func reportCPU(w io.Writer, all []*measured) error {
	type column struct {
		areas      map[string]float64
		sum, tasks float64
		samples    int
	}
	var columns []column
	for _, m := range all {
		for _, s := range []*side{m.leader, m.follower} {
			parts, sum, err := s.cpuByArea()
			if err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			columns = append(columns, column{parts, sum, float64(m.result.Tasks), s.samples()})
		}
	}
	head(w, "CPU of one node, µs a task", all)
	for i := range areas {
		name := areas[i].name
		if name == benchmarkOwn {
			continue
		}
		text := "| " + name
		for _, c := range columns {
			text += fmt.Sprintf(" | %s (%.0f %%)", number(c.areas[name]/c.tasks), 100*c.areas[name]/c.sum)
		}
		fmt.Fprintln(w, text+" |")
	}
	text := "| **all**"
	for _, c := range columns {
		text += " | " + number(c.sum/c.tasks)
	}
	fmt.Fprintln(w, text+" |")
	text = "| samples"
	for _, c := range columns {
		text += " | " + thousands(c.samples)
	}
	fmt.Fprintln(w, text+" |")
	return nil
}

// head begins a table with a column for each load and side.
func head(w io.Writer, title string, all []*measured) {
	names, line := "| "+title, "| ---"
	for _, m := range all {
		names += fmt.Sprintf(" | %s, leader | %s, follower", m.name, m.name)
		line += " | ---: | ---:"
	}
	fmt.Fprintf(w, "%s |\n%s |\n", names, line)
}

// number writes about three digits, and whole ones in full.
func number(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v >= 100:
		return thousands(int(v + 0.5))
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 0.1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.4f", v)
}

// thousands sets commas.
func thousands(n int) string {
	text := fmt.Sprint(n)
	var parts []string
	for ; len(text) > 3; text = text[:len(text)-3] {
		parts = append([]string{text[len(text)-3:]}, parts...)
	}
	return strings.Join(append([]string{text}, parts...), ",")
}
