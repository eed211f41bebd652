package bench

import (
	"fmt"
	"math"
	"time"
)

// Result is what one benchmark came to. Latencies are in microseconds.
type Result struct {
	Work        string   `json:"work"`
	Addrs       []string `json:"addrs"`
	Local       int      `json:"local,omitempty"` // nodes that were started for this
	Producers   int      `json:"producers,omitempty"`
	Workers     int      `json:"workers,omitempty"`
	Connections int      `json:"connections"` // of producers and workers together
	ToLeader    bool     `json:"to_leader"`
	PayloadSize int      `json:"payload_size,omitempty"`
	Batch       int      `json:"batch,omitempty"`
	ClaimMax    int      `json:"claim_max,omitempty"`
	Types       int      `json:"types"`
	Rate        int      `json:"rate,omitempty"`
	Warmup      int      `json:"warmup"`

	Tasks       int     `json:"tasks"`
	Seconds     float64 `json:"seconds"`                 // from the first submit or claim to the last acknowledgement
	TasksPerS   float64 `json:"tasks_per_s"`             // Tasks in Seconds
	SubmitsPerS float64 `json:"submits_per_s,omitempty"` // tasks in the time until the last submit was acknowledged

	Submit   *Percentiles `json:"submit_us,omitempty"`     // of one submit, however many tasks it holds
	Ack      *Percentiles `json:"ack_us,omitempty"`        // from a task's arrival to the acknowledgement of its result
	EndToEnd *Percentiles `json:"end_to_end_us,omitempty"` // from the begin of the submit to the arrival at a worker

	Entries          uint64  `json:"raft_entries"`
	TasksPerEntry    float64 `json:"tasks_per_raft_entry"`
	BenchCPUPerTask  float64 `json:"bench_cpu_us_per_task"`
	ServerCPUPerTask float64 `json:"server_cpu_us_per_task,omitempty"` // of all nodes together
	WrittenPerTask   float64 `json:"server_written_bytes_per_task,omitempty"`
	Servers          []Share `json:"servers,omitempty"`

	Again     int64  `json:"again"`                // tasks that came to a worker more than once
	Twice     int64  `json:"twice"`                // outcomes that had been reported before
	Refused   int64  `json:"refused"`              // outcomes that were refused
	Strange   int64  `json:"strange"`              // tasks that are not of this benchmark
	Left      uint64 `json:"left"`                 // tasks in the queue that have not ended
	Missing   int64  `json:"missing"`              // tasks that the cluster has not counted as completed
	StateHash string `json:"state_hash,omitempty"` // of all nodes
}

// Share is one node's part of the work.
type Share struct {
	Name           string  `json:"name"`
	Leader         bool    `json:"leader"`
	CPUPerTask     float64 `json:"cpu_us_per_task"`
	WrittenPerTask float64 `json:"written_bytes_per_task"`
	PeakMiB        float64 `json:"peak_mib"`
}

// Problems says what is not as it should be; nil if everything is.
func (r *Result) Problems() []string {
	var problems []string
	for _, p := range []struct {
		count int64
		what  string
	}{
		{r.Again, "tasks came to a worker more than once"},
		{r.Twice, "outcomes were taken twice"},
		{r.Refused, "outcomes were refused"},
		{r.Strange, "tasks came that nobody submitted here"},
		{int64(r.Left), "tasks are left"},
		{r.Missing, "tasks are not counted as completed"},
	} {
		if p.count != 0 {
			problems = append(problems, fmt.Sprintf("%d %s", p.count, p.what))
		}
	}
	return problems
}

func round(v float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(v*scale) / scale
}

func perSecond(n int64, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return round(float64(n)/d.Seconds(), 1)
}

// perTask is a share of something in one of n tasks.
func perTask(total float64, n int) float64 { return round(total/float64(max(n, 1)), 1) }
