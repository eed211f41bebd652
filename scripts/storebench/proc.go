package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

const threadClock = 3 // CLOCK_THREAD_CPUTIME_ID, which package syscall does not name

// threadTime is the CPU time of this thread, to which measure binds the goroutine. Unlike the time of a clock it does not
// grow while other programs run.
func threadTime() (time.Duration, error) {
	var at syscall.Timespec
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, threadClock, uintptr(unsafe.Pointer(&at)), 0); errno != 0 {
		return 0, fmt.Errorf("CPU time of the thread: %w", errno)
	}
	return time.Duration(at.Nano()), nil
}

// resident is the memory that the process has in RAM.
func resident() (uint64, error) {
	kib, err := procField("/proc/self/status", "VmRSS:")
	return kib << 10, err
}

// diskBytes is what the process gave to the disk's layer so far.
func diskBytes() (uint64, error) { return procField("/proc/self/io", "write_bytes:") }

func procField(file, name string) (uint64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == name {
			return strconv.ParseUint(fields[1], 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no line %s", file, name)
}
