package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/haiku-queue/haiku/internal/bench"
)

// stacks are samples with their values, each from the innermost function outwards.
var stacks = []struct {
	functions string
	value     int64
	area      string // empty if it does not count
}{
	{"runtime.cgocall " + rocks + "_Cfunc_rocksdb_write " + rocks + "(*DB).Write " + ours + "store.(*Batch).Commit " + ours + "fsm.(*FSM).ApplyBatch", 40, "RocksDB, writing"},
	{"runtime.cgocall " + rocks + "_Cfunc_rocksdb_get_pinned_cf " + rocks + "(*DB).GetPinnedCF " + ours + "store.(*Batch).Task", 5, "RocksDB, reading"},
	{"runtime.memmove runtime.mallocgc " + ours + "store.(*Batch).Put " + ours + "fsm.(*FSM).ApplyBatch", 7, "Go, allocating"},
	{"runtime.scanobject runtime.gcDrain runtime.gcBgMarkWorker", 9, "Go, collecting garbage"},
	{"slices.Sort " + ours + "store.(*Batch).Commit " + ours + "fsm.(*FSM).ApplyBatch", 11, "commands' effects, and their batch in Go"},
	{"syscall.Syscall net.(*conn).Write " + ours + "cluster.(*streamConn).Write github.com/hashicorp/raft.(*netPipeline).AppendEntries", 13, "Raft, its loops and network"},
	{"syscall.Syscall go.etcd.io/bbolt.fdatasync " + ours + "cluster.(*logStore).StoreLogs github.com/hashicorp/raft.(*Raft).run", 17, "Raft's log, writing and fsync"},
	{ours + "wire.Read[go.shape.*uint8] " + ours + "transport.(*conn).run", 19, "clients, network and protocol"},
	{"internal/runtime/syscall/linux.EpollWait runtime.netpoll runtime.findRunnable runtime.mcall", 3, scheduling},
	{"strings.Cut main.main runtime.main", 2, elsewhere},
	{foreign, 1000, ""},
	{"crypto/sha256.block " + ours + "store.(*Snapshot).StateHash " + ours + "cluster.(*Node).onMark.func1", 26, benchmarkOwn},
}

const rocks = "github.com/linxGnu/grocksdb."

// fixture makes a profile of the stacks.
func fixture(kind string) *profile.Profile {
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: kind, Unit: "x"}}, PeriodType: &profile.ValueType{}}
	known := make(map[string]*profile.Location)
	for _, s := range stacks {
		sample := &profile.Sample{Value: []int64{1, s.value}}
		for _, name := range strings.Fields(s.functions) {
			if known[name] == nil {
				f := &profile.Function{ID: uint64(len(known) + 1), Name: name}
				known[name] = &profile.Location{ID: f.ID, Line: []profile.Line{{Function: f}}}
				p.Function, p.Location = append(p.Function, f), append(p.Location, known[name])
			}
			sample.Location = append(sample.Location, known[name])
		}
		p.Sample = append(p.Sample, sample)
	}
	return p
}

// nodeDir makes the folder that a node leaves behind, with every counter at 1000 times its place, and the CPU time at
// 2,000,000 microseconds, of which 500,000 are RocksDB's.
func nodeDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	c := counters{Node: make(map[string]float64), Process: make(map[string]float64)}
	for i, name := range nodeCounters {
		c.Node[name] = 1000 * float64(i+1)
	}
	for _, name := range processCounters {
		c.Process[name] = 500_000
	}
	c.Process["cpu_us"] = 2_000_000
	text, err := json.Marshal(map[string]any{"node": c.Node, "process": c.Process})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "counters.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	for file, kind := range map[string]string{"cpu.pprof": "cpu", "allocs.pprof": "alloc_space"} {
		var out bytes.Buffer
		if err := fixture(kind).Write(&out); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestEachSampleHasOneArea(t *testing.T) {
	p := fixture("cpu")
	for i, s := range stacks {
		name, counts := place(stack(p.Sample[i]))
		if name != s.area || counts != (s.area != "") {
			t.Errorf("%s is of %q, want %q", s.functions, name, s.area)
		}
	}
}

// TestNothingIsCountedTwice: the areas and RocksDB's threads make up what the kernel counted, less the share of the
// benchmark's own check.
func TestNothingIsCountedTwice(t *testing.T) {
	s, err := readSide(nodeDir(t), nodeDir(t))
	if err != nil {
		t.Fatal(err)
	}
	parts, sum, err := s.cpuByArea()
	if err != nil {
		t.Fatal(err)
	}
	const sampled, check = 152, 26.0 // values of stacks that count
	if want := 1_500_000*(1-check/sampled) + 500_000; math.Abs(sum-want) > 1 {
		t.Errorf("a sum of %f, want %f", sum, want)
	}
	if want := 1_500_000 * 40.0 / sampled; math.Abs(parts["RocksDB, writing"]-want) > 1 {
		t.Errorf("%f for writing to RocksDB, want %f", parts["RocksDB, writing"], want)
	}
	if parts[rocksThreads] != 500_000 || parts[benchmarkOwn] != 0 {
		t.Errorf("%v", parts)
	}
}

func TestReport(t *testing.T) {
	leader, err := readSide(nodeDir(t))
	if err != nil {
		t.Fatal(err)
	}
	follower, err := readSide(nodeDir(t), nodeDir(t))
	if err != nil {
		t.Fatal(err)
	}
	m := &measured{load: loads[0], result: &bench.Result{Tasks: 1000, TasksPerS: 12345}, leader: leader, follower: follower}
	var out strings.Builder
	if err := report(&out, []*measured{m}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"1,000 tasks, 12,345 tasks/s", "| commands a Raft entry | 2.00 | 2.00 |", "| keys deleted a task | 5.00 | 5.00 |",
		"| bytes a task allocated by Go | 500 | 500 |", "| RocksDB, writing | 395 (23 %) | 395 (23 %) |",
		"| RocksDB, flushing and compacting by its own threads | 500 (29 %) |", "| **all** | 1,743 | 1,743 |", "| samples | 10 | 20 |",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q in\n%s", want, out.String())
		}
	}
}

func TestRefusesCountersOfAnotherVersion(t *testing.T) {
	dir := nodeDir(t)
	if err := os.WriteFile(filepath.Join(dir, "counters.json"), []byte(`{"node":{},"process":{}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readSide(dir); err == nil || !strings.Contains(err.Error(), "entries_applied") {
		t.Errorf("%v", err)
	}
}

func TestPicture(t *testing.T) {
	text := picture("single, leader: CPU", fixture("cpu"), 1)
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"grocksdb.(*DB).Write 31.7 %", "store.(*Batch).Commit 40.5 %", "wire.Read[…] 15.1 %", "RocksDB, writing 31.7 %"} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
	for _, not := range []string{"StateHash", foreign, "github.com/"} {
		if strings.Contains(text, not) {
			t.Errorf("there is %q in\n%s", not, text)
		}
	}
}

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.md")
	if err := os.WriteFile(path, []byte("a\n"+beginMark+"old\n"+endMark+"z\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"new\n", "newer\n"} {
		if err := replace(path, &text); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if want := "a\n" + beginMark + "\nnewer\n\n" + endMark + "z\n"; err != nil || string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
	if err := os.WriteFile(path, []byte("a\n"+beginMark), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := replace(path, nil); err == nil {
		t.Error("took a document without its marks")
	}
}

func TestRefusesFlags(t *testing.T) {
	for _, args := range [][]string{{}, {"-haikud", "x", "y"}, {"-haikud", "x", "-scale", "0"}, {"-haikud", "x", "-write", "./nothing"}} {
		if err := run(t.Context(), args); err == nil {
			t.Errorf("took %q", args)
		}
	}
}

// TestAreasNameWhatExists: a function or type of ours that was renamed would silently count elsewhere.
func TestAreasNameWhatExists(t *testing.T) {
	for _, a := range areas {
		for _, prefix := range a.prefixes {
			rest, is := strings.CutPrefix(prefix, ours)
			if !is {
				continue
			}
			folder, name, _ := strings.Cut(rest, ".")
			if name == "" {
				name = "func "
			} else if method, is := strings.CutPrefix(name, "(*"); is {
				name = " *" + strings.Replace(method, ").", ") ", 1)
			} else {
				name = "func " + name
			}
			if !strings.Contains(source(t, filepath.Join("..", "..", folder)), name) {
				t.Errorf("area %q: there is no %q in %s", a.name, name, folder)
			}
		}
	}
}

// source is all code of a package.
func source(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no code in %s: %v", dir, err)
	}
	var all strings.Builder
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
