package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"syscall"

	"github.com/haiku-queue/haiku/config"
)

// gcPercent lets the heap of Go grow to four times what is live before it is collected. The live part is small and
// bounded (caches of records and of the log), while a busy node makes garbage with every task.
const gcPercent = 300

// tuneGC sets it unless the environment says otherwise.
func tuneGC() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// limitMemory has Go collect its garbage more often when its memory comes near to its share of the node's, unless the
// environment says otherwise.
func limitMemory(cfg *config.Config) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(cfg.GoMemory()))
	}
}

const arenas = "MALLOC_ARENA_MAX"

// limitArenas starts this program anew, in the same process, with a bound on the C library's memory arenas. With one
// for each thread, as is its default, the memory that RocksDB frees is spread over so many that little of it is given
// back. The C library reads the bound before main runs, so it has to stand in the environment.
func limitArenas() error {
	if os.Getenv(arenas) != "" {
		return nil
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	return syscall.Exec(program, os.Args, append(os.Environ(), arenas+"=2"))
}
