package localnodes

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage is what one node has used since its process began, as /proc tells; zero where there is none.
type Usage struct {
	Name    string        `json:"name"`
	CPU     time.Duration `json:"-"`
	Written int64         `json:"-"` // bytes that went to the disk's layer
	Peak    int64         `json:"-"` // bytes of memory at most
}

// Usage reads what each node has used.
func (n *Nodes) Usage() []Usage {
	used := make([]Usage, len(n.list))
	for i, one := range n.list {
		pid := one.cmd.Process.Pid
		used[i] = Usage{
			Name: one.name, CPU: cpuTime(pid),
			Written: procField(pid, "io", "write_bytes:"), Peak: procField(pid, "status", "VmHWM:") << 10,
		}
	}
	return used
}

const clockTick = 10 * time.Millisecond // USER_HZ is 100 on Linux

// cpuTime is the user and system time of a process.
func cpuTime(pid int) (total time.Duration) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The command's name stands in parentheses and may hold anything.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const utime, stime = 11, 12
	if len(fields) <= stime {
		return 0
	}
	for _, field := range fields[utime : stime+1] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0
		}
		total += time.Duration(ticks) * clockTick
	}
	return total
}

// procField is the number behind a name in one of the files of /proc/PID.
func procField(pid int, file, name string) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		rest, found := strings.CutPrefix(line, name)
		if fields := strings.Fields(rest); found && len(fields) > 0 {
			number, err := strconv.ParseInt(fields[0], 10, 64)
			if err != nil {
				return 0
			}
			return number
		}
	}
	return 0
}
