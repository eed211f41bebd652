package store

import (
	"sync/atomic"
	"testing"

	"github.com/haiku-queue/haiku/task"
)

// TestWritesStopped: when more is written than can be flushed, RocksDB stops writers, and that is seen.
func TestWritesStopped(t *testing.T) {
	cfg := testConfig(t)
	cfg.MemtableBytes, cfg.MaxMemtables = 1<<20, 2
	s := mustOpen(t, cfg)
	if s.WritesStopped() {
		t.Fatal("nothing is written yet")
	}
	var seen, done atomic.Bool
	looked := make(chan struct{})
	go func() {
		defer close(looked)
		for !done.Load() && !seen.Load() {
			seen.Store(s.WritesStopped())
		}
	}()
	for n := 0; n < 400 && !seen.Load(); n++ {
		submit(t, s, newTask(n+1, func(spec *task.Spec) { spec.Payload = make([]byte, 4<<20) }))
	}
	done.Store(true)
	<-looked
	if !seen.Load() {
		t.Fatal("1.6 GiB through 2 MiB of memtables, and no write was stopped")
	}
}
