package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// figure is one line of the report for a kind of work.
type figure struct {
	kind, name, form string
	of               func(sample) float64
}

var figures = []figure{
	{"lifecycle", "tasks/s", "%.0f", func(s sample) float64 { return s.tasksPerS }},
	{"lifecycle", "servers' CPU, us a task", "%.0f", func(s sample) float64 { return s.cpu }},
	{"batched", "tasks/s", "%.0f", func(s sample) float64 { return s.tasksPerS }},
	{"batched", "servers' CPU, us a task", "%.0f", func(s sample) float64 { return s.cpu }},
	{"latency", "p50, ms", "%.2f", func(s sample) float64 { return s.p50 }},
	{"latency", "p99, ms", "%.2f", func(s sample) float64 { return s.p99 }},
}

// report prints the medians with the least and the greatest value, and the ratio of the medians.
func report(w io.Writer, all map[string]*pair) error {
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "WORK\tFIGURE\tHAIKU\tBARE RAFT\tHAIKU : BARE RAFT")
	for _, f := range figures {
		p := all[f.kind]
		haiku, ours := f.median(p.haiku)
		echo, bare := f.median(p.echo)
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%.2f\n", f.kind, f.name, haiku, echo, ours/bare)
	}
	fmt.Fprintln(table, "\nlatency is from a submit's begin to its worker, and of one command of the bare Raft.")
	return table.Flush()
}

// median gives the middle value, in words with the least and the greatest.
func (f *figure) median(samples []sample) (text string, value float64) {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = f.of(s)
	}
	slices.Sort(values)
	value = values[len(values)/2]
	return fmt.Sprintf(f.form+" ("+f.form+" to "+f.form+")", value, values[0], values[len(values)-1]), value
}
