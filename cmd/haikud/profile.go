package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"

	"github.com/haiku-queue/haiku/cluster"
	"github.com/haiku-queue/haiku/member"
)

const (
	mutexFraction = 100    // one of so many contended locks is noted
	blockRate     = 10_000 // nanoseconds of blocking for one note
)

// profiles writes what the process did into the files cpu.pprof, allocs.pprof, counters.json and, if locks are wanted,
// mutex.pprof and block.pprof of a folder.
type profiles struct {
	dir   string
	locks bool
	cpu   *os.File
	node  member.Counters
}

// startProfiles begins; without a folder nothing is written.
func startProfiles(dir string, locks bool) (*profiles, error) {
	p := &profiles{dir: dir, locks: locks}
	if dir == "" {
		return p, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var err error
	if p.cpu, err = os.Create(filepath.Join(dir, "cpu.pprof")); err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(p.cpu); err != nil {
		return nil, errors.Join(err, p.cpu.Close())
	}
	if locks {
		runtime.SetMutexProfileFraction(mutexFraction)
		runtime.SetBlockProfileRate(blockRate)
	}
	return p, nil
}

// count takes what a life of the node did. Were there several, the last counts.
func (p *profiles) count(n *cluster.Node) {
	if n != nil {
		p.node = n.Counters()
	}
}

// stop writes the files.
func (p *profiles) stop() error {
	if p.dir == "" {
		return nil
	}
	pprof.StopCPUProfile()
	problems := []error{p.cpu.Close()}
	names := []string{"allocs"}
	if p.locks {
		names = append(names, "mutex", "block")
	}
	for _, name := range names {
		problems = append(problems, p.write(name))
	}
	return errors.Join(append(problems, p.writeCounters())...)
}

func (p *profiles) write(name string) error {
	f, err := os.Create(filepath.Join(p.dir, name+".pprof"))
	if err != nil {
		return err
	}
	if err := pprof.Lookup(name).WriteTo(f, 0); err != nil {
		return errors.Join(fmt.Errorf("profile %s: %w", name, err), f.Close())
	}
	return f.Close()
}
