package proc

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const clockTick = 10 * time.Millisecond // USER_HZ is 100 on Linux

// Stat is what /proc/PID/stat tells of a process.
type Stat struct {
	pid, ppid int
	start     string        // start time, which tells a reused pid
	cpu       time.Duration // its own and that of its children that have ended
}

func readStat(pid int) (Stat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Stat{}, err
	}
	// The command's name stands in parentheses and may hold anything.
	f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(f) < 20 {
		return Stat{}, fmt.Errorf("/proc/%d/stat is short", pid)
	}
	s := Stat{pid: pid, start: f[19], ppid: number(f[1])}
	for _, v := range f[11:15] { // utime stime cutime cstime
		s.cpu += time.Duration(number(v)) * clockTick
	}
	return s, nil
}

// number reads a field of /proc; what is no number counts as nothing.
func number(field string) int {
	n, err := strconv.Atoi(field)
	if err != nil {
		return 0
	}
	return n
}

// Tree returns the servers and all processes that they started.
func Tree(procs []*Proc) []Stat {
	names, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	children := make(map[int][]Stat)
	byPid := make(map[int]Stat)
	for _, name := range names {
		if s, err := readStat(number(filepath.Base(name))); err == nil {
			children[s.ppid] = append(children[s.ppid], s)
			byPid[s.pid] = s
		}
	}
	var tree []Stat
	var walk func(s Stat)
	walk = func(s Stat) {
		tree = append(tree, s)
		for _, c := range children[s.pid] {
			walk(c)
		}
	}
	for _, p := range procs {
		if s, ok := byPid[p.Pid]; ok {
			walk(s)
		}
	}
	return tree
}

// Memory returns the bytes that a tree has resident, pages that processes share counted once.
func Memory(tree []Stat) (sum int64) {
	for _, s := range tree {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", s.pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if rest, found := strings.CutPrefix(line, "Pss:"); found {
				sum += int64(number(strings.Fields(rest + " 0")[0])) << 10
			}
		}
	}
	return sum
}
