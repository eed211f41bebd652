package proc

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// Usage is what had been used at a moment, or between two.
type Usage struct {
	Servers time.Duration // CPU of the servers' trees
	Driver  time.Duration // CPU of this process
	Machine time.Duration // CPU of everything
	Flushes int64         // flush requests that the disk has carried out
	Written int64         // bytes written to the disk
}

// ReadUsage reads it; the disk is the one that holds dir.
func ReadUsage(procs []*Proc, dir string) (u Usage) {
	for _, s := range Tree(procs) {
		u.Servers += s.cpu
	}
	var own syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &own) == nil {
		u.Driver = time.Duration(own.Utime.Nano() + own.Stime.Nano())
	}
	u.Machine = machineCPU()
	u.Flushes, u.Written = diskCounters(dir)
	return u
}

// Sub is what was used since v.
func (u Usage) Sub(v Usage) Usage {
	return Usage{
		Servers: u.Servers - v.Servers, Driver: u.Driver - v.Driver, Machine: u.Machine - v.Machine,
		Flushes: u.Flushes - v.Flushes, Written: u.Written - v.Written,
	}
}

func machineCPU() (sum time.Duration) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	for i, v := range strings.Fields(line) {
		switch i {
		case 1, 2, 3, 6, 7, 8: // user nice system irq softirq steal
			sum += time.Duration(number(v)) * clockTick
		}
	}
	return sum
}

// diskCounters reads the counters of the disk that holds dir; zero where there are none.
func diskCounters(dir string) (flushes, written int64) {
	const sector = 512
	var st syscall.Stat_t
	if syscall.Stat(dir, &st) != nil {
		return 0, 0
	}
	text, err := os.ReadFile("/proc/diskstats")
	if err != nil {
		return 0, 0
	}
	major, minor := st.Dev>>8&0xfff, st.Dev&0xff|st.Dev>>12&0xfff00
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) >= 20 && f[0] == fmt.Sprint(major) && f[1] == fmt.Sprint(minor) {
			return int64(number(f[18])), int64(number(f[9])) * sector
		}
	}
	return 0, 0
}
