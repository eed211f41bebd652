package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/pprof/profile"
)

// counters is counters.json of haikud, by the names in it.
type counters struct {
	Node, Process map[string]float64
}

// side is what the leader did, or both followers together.
type side struct {
	nodes  int
	counts counters
	cpu    *profile.Profile
	allocs *profile.Profile
}

// readSide adds up what nodes wrote into their folders.
func readSide(dirs ...string) (*side, error) {
	s := &side{nodes: len(dirs), counts: counters{make(map[string]float64), make(map[string]float64)}}
	var cpu, allocs []*profile.Profile
	for _, dir := range dirs {
		if err := s.counts.read(filepath.Join(dir, "counters.json")); err != nil {
			return nil, err
		}
		for name, list := range map[string]*[]*profile.Profile{"cpu.pprof": &cpu, "allocs.pprof": &allocs} {
			p, err := readProfile(filepath.Join(dir, name))
			if err != nil {
				return nil, err
			}
			*list = append(*list, p)
		}
	}
	var err error
	if s.cpu, err = profile.Merge(cpu); err != nil {
		return nil, err
	}
	s.allocs, err = profile.Merge(allocs)
	return s, err
}

// read adds what one node counted.
func (c *counters) read(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var one counters
	if err := json.Unmarshal(text, &one); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, name := range nodeCounters {
		n, found := one.Node[name]
		if !found {
			return fmt.Errorf("%s: there is no %s of the node; is this haikud too old?", path, name)
		}
		c.Node[name] += n
	}
	for _, name := range processCounters {
		n, found := one.Process[name]
		if !found {
			return fmt.Errorf("%s: there is no %s of the process; is this haikud too old?", path, name)
		}
		c.Process[name] += n
	}
	return nil
}

func readProfile(path string) (*profile.Profile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := profile.Parse(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// valueOf finds a kind of value in a profile.
func valueOf(p *profile.Profile, kind string) (int, error) {
	for i, t := range p.SampleType {
		if t.Type == kind {
			return i, nil
		}
	}
	return 0, fmt.Errorf("a profile without values of type %s", kind)
}

// cpuByArea is the CPU time of one node in microseconds, by area, with RocksDB's own threads and the sum.
func (s *side) cpuByArea() (areas map[string]float64, sum float64, err error) {
	value, err := valueOf(s.cpu, "cpu")
	if err != nil {
		return nil, 0, err
	}
	areas = split(s.cpu, value)
	sampled := 0.0
	for _, n := range areas {
		sampled += n
	}
	if sampled == 0 {
		return nil, 0, fmt.Errorf("a profile without samples")
	}
	nodes, background := float64(s.nodes), s.counts.Process["rocksdb_cpu_us"]
	delete(areas, benchmarkOwn)
	for name := range areas {
		areas[name] *= (s.counts.Process["cpu_us"] - background) / sampled / nodes
	}
	areas[rocksThreads] = background / nodes
	for _, n := range areas {
		sum += n
	}
	return areas, sum, nil
}

// samples is how many samples of the CPU profile stand behind the shares.
func (s *side) samples() (n int) {
	value, err := valueOf(s.cpu, "samples")
	if err != nil {
		return 0
	}
	for _, one := range s.cpu.Sample {
		if name, counts := place(stack(one)); counts && name != benchmarkOwn {
			n += int(one.Value[value])
		}
	}
	return n
}
