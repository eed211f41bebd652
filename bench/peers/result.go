package main

import (
	"math"
	"time"
)

// Params says how much work a run does.
type Params struct {
	Tasks     int
	Producers int
	Workers   int
	Batch     int           // tasks per submit call, 1 for single
	Rate      int           // tasks per second in all, 0 for as fast as it goes
	Limit     time.Duration // a phase that takes longer fails
}

// A Result is one run. Latencies are in microseconds.
type Result struct {
	Time      string `json:"time"`
	System    string `json:"system"`
	Setup     string `json:"setup"`
	Work      string `json:"work"`
	Rep       int    `json:"rep"`
	Tasks     int    `json:"tasks"`
	Producers int    `json:"producers"`
	Workers   int    `json:"workers"`
	Batch     int    `json:"batch"`

	EnqueueS      float64 `json:"enqueue_s"`
	EnqueuePerS   float64 `json:"enqueue_per_s"`
	DrainPerS     float64 `json:"drain_per_s,omitempty"` // backlog: N / time from starting the workers to the last ack
	LifecycleS    float64 `json:"lifecycle_s,omitempty"`
	LifecyclePerS float64 `json:"lifecycle_per_s,omitempty"`

	SubmitP50 float64 `json:"submit_p50_us"`
	SubmitP99 float64 `json:"submit_p99_us"`
	AckP50    float64 `json:"ack_p50_us,omitempty"`
	AckP99    float64 `json:"ack_p99_us,omitempty"`
	E2EP50    float64 `json:"e2e_p50_us,omitempty"`
	E2EP99    float64 `json:"e2e_p99_us,omitempty"`

	ServerCPUS       float64 `json:"server_cpu_s"`
	ServerCPUPerTask float64 `json:"server_cpu_us_per_task"`
	DriverCPUPerTask float64 `json:"driver_cpu_us_per_task"`
	OtherCPUS        float64 `json:"other_cpu_s"` // the machine's CPU that is neither: kernel threads, and other people
	BusyCores        float64 `json:"busy_cores"`  // of all CPUs together, on average
	ServerPeakMiB    float64 `json:"server_peak_mib"`
	FlushesPerTask   float64 `json:"flushes_per_task"` // disk flush requests
	DiskBytesPerTask float64 `json:"disk_bytes_per_task"`

	Again   int64   `json:"again"`              // tasks received more than once
	Left    int     `json:"left"`               // tasks the servers hold at the end
	SettleS float64 `json:"settle_s,omitempty"` // how long after the last ack the servers showed an empty queue
	Error   string  `json:"error,omitempty"`
}

func round(v float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(v*p) / p
}
