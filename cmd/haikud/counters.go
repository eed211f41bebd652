package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/haiku-queue/haiku/member"
)

// counters is what counters.json holds. Figures that come from /proc are 0 where there is none.
type counters struct {
	Node    member.Counters `json:"node"`
	Process struct {
		CPU         int64  `json:"cpu_us"`
		RocksDBCPU  int64  `json:"rocksdb_cpu_us"`     // of RocksDB's own threads, which flush and compact; to 10 ms each
		Written     int64  `json:"disk_written_bytes"` // to the disk's layer
		Allocated   uint64 `json:"allocated_bytes"`    // by Go
		Objects     uint64 `json:"allocated_objects"`  // by Go
		Collections uint32 `json:"collections"`        // of Go's garbage
	} `json:"process"`
}

// writeCounters writes counters.json.
func (p *profiles) writeCounters() error {
	c := counters{Node: p.node}
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return err
	}
	c.Process.CPU = (used.Utime.Nano() + used.Stime.Nano()) / int64(time.Microsecond)
	c.Process.RocksDBCPU = threadsCPU("rocksdb:").Microseconds()
	c.Process.Written = writtenBytes()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	c.Process.Allocated, c.Process.Objects, c.Process.Collections = memory.TotalAlloc, memory.Mallocs, memory.NumGC
	text, err := json.MarshalIndent(&c, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(p.dir, "counters.json"), append(text, '\n'), 0o644)
}

// writtenBytes is what this process gave to the disk's layer.
func writtenBytes() int64 {
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if number, found := strings.CutPrefix(line, "write_bytes:"); found {
			n, _ := strconv.ParseInt(strings.TrimSpace(number), 10, 64) // 0 for what is no number
			return n
		}
	}
	return 0
}

const clockTick = 10 * time.Millisecond // USER_HZ is 100 on Linux

// threadsCPU is the user and system time of this process's threads whose names begin with prefix.
func threadsCPU(prefix string) (total time.Duration) {
	stats, err := filepath.Glob("/proc/self/task/*/stat")
	if err != nil {
		return 0
	}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // a thread that has ended
		}
		// id (name) state ...: the name may hold anything.
		head, rest := string(text), ""
		if end := strings.LastIndexByte(head, ')'); end >= 0 {
			head, rest = head[:end], head[end+1:]
		}
		_, name, _ := strings.Cut(head, "(")
		fields := strings.Fields(rest)
		const utime, stime = 11, 12
		if !strings.HasPrefix(name, prefix) || len(fields) <= stime {
			continue
		}
		for _, field := range fields[utime : stime+1] {
			ticks, _ := strconv.ParseInt(field, 10, 64)
			total += time.Duration(ticks) * clockTick
		}
	}
	return total
}
