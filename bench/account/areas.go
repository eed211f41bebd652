package main

import (
	"strings"

	"github.com/google/pprof/profile"
)

// area is a part of the work, known by how the names of its functions begin.
type area struct {
	name     string
	color    string
	prefixes []string
}

const ours = "github.com/haiku-queue/haiku/"

// The areas, in the order of the report. A function belongs to the first whose prefix fits. What is in none, such as
// the standard library, belongs where it is called.
var areas = []area{
	{"RocksDB, writing", "#d9733a", []string{
		"github.com/linxGnu/grocksdb.(*DB).Write", "github.com/linxGnu/grocksdb._Cfunc_rocksdb_write",
		"github.com/linxGnu/grocksdb.WriteBatchFrom", "github.com/linxGnu/grocksdb._Cfunc_rocksdb_writebatch",
	}},
	{"RocksDB, reading", "#e8a33d", []string{"github.com/linxGnu/grocksdb."}},
	{rocksThreads, "#f3d9a4", nil},
	{"Raft's log, writing and fsync", "#b5524f", []string{
		"go.etcd.io/bbolt", "github.com/hashicorp/raft-boltdb", "github.com/hashicorp/raft-wal", ours + "cluster.(*logStore)",
		ours + "cluster.(*walLog)", ours + "cluster.(*segmentFiler)",
	}},
	{"entries, encoding and decoding", "#8d6cab", []string{
		ours + "internal/pb/commandpb.", ours + "fsm.Decode", ours + "fsm.Encode", ours + "fsm.AppendHeader", ours + "fsm.decode",
		ours + "fsm.command", ours + "fsm.submitFrom", ours + "fsm.submitTo", ours + "fsm.specFrom", ours + "fsm.specTo",
		ours + "fsm.claimFrom", ours + "fsm.finishFrom", ours + "fsm.finishTo", ours + "fsm.refuseUnknown",
	}},
	{benchmarkOwn, "#cccccc", []string{ours + "store.(*Snapshot).StateHash"}},
	{"commands' effects, and their batch in Go", "#5b8c5a", []string{ours + "fsm.", ours + "store.", ours + "internal/pb/recordpb."}},
	{"Raft, its loops and network", "#c27ba0", []string{"github.com/hashicorp/raft.", ours + "cluster.(*stream", ours + "cluster.(*safeTransport)"}},
	{"admitting, proposing, leases and claims", "#4f81a8", []string{ours + "cluster."}},
	{"clients, network and protocol", "#6fb1b5", []string{ours + "transport.", ours + "wire.", ours + "internal/pb/wirepb.", ours + "client."}},
	{"Go, collecting garbage", "#9a8f6b", []string{
		"runtime.gc", "runtime.bgsweep", "runtime.bgscavenge", "runtime.sweepone", "runtime.wbBuf", "runtime.(*gcWork)", "runtime.markroot",
	}},
	{"Go, allocating", "#c4ba8c", []string{"runtime.mallocgc", "runtime.newobject", "runtime.makeslice", "runtime.growslice", "runtime.newarray"}},
	{scheduling, "#a9b0b8", nil},
	{elsewhere, "#e0ddd5", nil},
}

const (
	rocksThreads = "RocksDB, flushing and compacting by its own threads" // not in a profile
	benchmarkOwn = "the benchmark's check of the state"
	scheduling   = "Go, scheduling and timers" // what the runtime does by itself, called from no goroutine's function
	elsewhere    = "other"

	// foreign is how Go's profiler names what it sees of threads that are not Go's.
	foreign = "runtime._ExternalCode"
)

// areaOf finds a function's area.
func areaOf(function string) (name string, found bool) {
	for i := range areas {
		for _, prefix := range areas[i].prefixes {
			if strings.HasPrefix(function, prefix) {
				return areas[i].name, true
			}
		}
	}
	return "", false
}

// stack lists a sample's functions from the innermost outwards.
func stack(s *profile.Sample) []string {
	var names []string
	for _, l := range s.Location {
		for _, line := range l.Line {
			if line.Function != nil {
				names = append(names, line.Function.Name)
			}
		}
	}
	return names
}

// place says which area a stack belongs to; none for that of a thread that is not Go's.
func place(functions []string) (name string, counts bool) {
	for _, f := range functions {
		if f == foreign {
			return "", false
		}
		if name, found := areaOf(f); found {
			return name, true
		}
	}
	if n := len(functions); n > 0 && functions[n-1] != "runtime.main" && strings.HasPrefix(functions[n-1], "runtime.") {
		return scheduling, true
	}
	return elsewhere, true
}

// split adds up a profile's values by area.
func split(p *profile.Profile, value int) map[string]float64 {
	sums := make(map[string]float64)
	for _, s := range p.Sample {
		if name, counts := place(stack(s)); counts {
			sums[name] += float64(s.Value[value])
		}
	}
	return sums
}
