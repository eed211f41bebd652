package store

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/haiku-queue/haiku/task"
)

// TestUsage: what is written is in memtables, what is read from files is in the block cache.
func TestUsage(t *testing.T) {
	const size = 256 << 10
	cfg := testConfig(t)
	cfg.BlockCacheBytes = 64 << 20
	s := mustOpen(t, cfg)
	usage := func() Usage {
		t.Helper()
		u, err := s.Usage()
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	before := usage()
	submit(t, s, newTask(1, func(s *task.Spec) { s.Payload = make([]byte, size) }))
	if u := usage(); u.Memtables < before.Memtables+size || u.Memtables > before.Memtables+4<<20 {
		t.Fatalf("a payload took the memtables from %d to %d bytes", before.Memtables, u.Memtables)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, cfg)
	before = usage()
	if _, err := s.Task(testID(1), true); err != nil {
		t.Fatal(err)
	}
	if u := usage(); u.BlockCache < before.BlockCache+size || u.BlockCache > cfg.BlockCacheBytes {
		t.Fatalf("reading a payload took the block cache from %d to %d bytes", before.BlockCache, u.BlockCache)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Usage(); err == nil {
		t.Fatal("a closed store has usage")
	}
}

// TestMegabyteIsWrittenOnce takes a task with a payload of 1 MiB through its life, with a restart between the steps: the
// payload is written by the submit alone, and is there after each.
func TestMegabyteIsWrittenOnce(t *testing.T) {
	cfg := testConfig(t)
	payload := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	s := mustOpen(t, cfg)
	for i, step := range []func(x *task.Task) *task.Task{
		func(*task.Task) *task.Task { return newTask(1, func(s *task.Spec) { s.Payload = payload }) },
		func(x *task.Task) *task.Task { return claimed(x, 1) },
		func(x *task.Task) *task.Task { return completed(x, []byte("ok")) },
	} {
		before := s.Written().Bytes
		b := s.Begin()
		old, err := b.Task(testID(1))
		if err != nil {
			t.Fatal(err)
		}
		x := step(old)
		b.NextSeq()
		b.Put(x)
		commit(t, s, b)
		if n := s.Written().Bytes - before; i == 0 && (n < 1<<20 || n > 1<<20+1000) || i > 0 && n > 1000 {
			t.Fatalf("step %d wrote %d bytes", i, n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = mustOpen(t, cfg)
		got, err := s.Task(testID(1), true)
		if err != nil || got.Status != x.Status || !bytes.Equal(got.Payload, payload) {
			t.Fatalf("step %d: status %s, %d bytes, %v", i, got.Status, len(got.Payload), err)
		}
		mustCheck(t, s)
	}
}

// TestFootprintIsWhatATaskTakes compares the estimate that bounds the record cache with Go's heap.
func TestFootprintIsWhatATaskTakes(t *testing.T) {
	const n = 4000
	for name, change := range map[string]func(*task.Task){
		"plain":   func(*task.Task) {},
		"payload": func(x *task.Task) { x.Payload, x.PayloadSize = make([]byte, 1000), 1000 },
		"parents": func(x *task.Task) {
			for i := range 50 {
				x.Dependencies = append(x.Dependencies, testID(10_000+i))
			}
		},
		"history": func(x *task.Task) {
			for range task.MaxHistory {
				x.EndAttempt(task.Failure, "no route to host, tried for ten seconds", base)
			}
		},
	} {
		x := newTask(1, nil)
		change(x)
		value := encodeValue(t, x)
		kept := make(map[task.ID]*task.Task)
		before := heap()
		for i := range n {
			got, err := decodeRecord(testID(i), task.Pending, value)
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				got.ID = x.ID
				if diff := cmp.Diff(x, got); diff != "" {
					t.Fatal(diff)
				}
			}
			kept[testID(i)] = got
		}
		took, estimate := (heap()-before)/n, footprint(kept[testID(1)])
		t.Logf("%s: a task takes %d bytes, the estimate is %d", name, took, estimate)
		if 2*estimate < took || estimate > 2*took {
			t.Errorf("%s: a task takes %d bytes, the estimate is %d", name, took, estimate)
		}
		runtime.KeepAlive(kept)
	}
}

// heap is what is live, in bytes.
func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
