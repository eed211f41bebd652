package store

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/haiku-queue/haiku/internal/damage"
	"github.com/haiku-queue/haiku/task"
)

// TestMemoryStaysFlat: the process's own memory, in which C's is counted, does not grow with the number of operations:
// tasks are submitted, read, claimed, ended, deleted, scanned over and looked at in snapshots. Options that are never
// freed take 400 bytes and more, an iterator or a snapshot as much: 20 MiB in the short form, 400 in the long one.
func TestMemoryStaysFlat(t *testing.T) {
	const bound = 16 << 20
	operations := damage.Rounds(60_000, 1_000_000)
	cfg := crashConfig(t)
	cfg.BlockCacheBytes = 1 << 20
	s := mustOpen(t, cfg)
	n := 0
	for range operations / 6 { // until memtables, caches and pools are as large as they get
		n++
		liveOnce(t, s, n)
	}
	before := ownMemory(t)
	for n < operations {
		n++
		liveOnce(t, s, n)
	}
	after := ownMemory(t)
	t.Logf("%d operations: from %d to %d KiB", operations, before>>10, after>>10)
	if after > before+bound {
		t.Errorf("memory grew by %d KiB", (after-before)>>10)
	}
	mustCheck(t, s)
}

// liveOnce takes one task through its life, with a read of each kind on the way.
func liveOnce(t *testing.T, s *Store, n int) {
	id := testID(n)
	b := s.Begin()
	b.Put(newTask(n, func(s *task.Spec) { s.Payload = make([]byte, task.InlineBytes+1) }))
	commit(t, s, b)
	if x, err := s.Task(id, true); err != nil || x == nil {
		t.Fatal(x, err)
	}
	b = s.Begin()
	err := changeTask(b, id, func(x *task.Task) { x.Status = task.InProgress })
	if err == nil {
		err = changeTask(b, id, func(x *task.Task) { x.Status = task.Completed })
	}
	if _, err2 := b.ScanMeta("work/", 1); err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	commit(t, s, b)
	if n%16 == 0 {
		snap := s.Snapshot()
		snap.Release()
		if _, err := s.List(task.Filter{Limit: 1}); err != nil {
			t.Fatal(err)
		}
	}
	b = s.Begin()
	b.Delete(id, false)
	commit(t, s, b)
}

// ownMemory is what the process has in memory that is of no file, in bytes.
func ownMemory(t *testing.T) (bytes int) {
	t.Helper()
	debug.FreeOSMemory()
	f, err := os.Open("/proc/self/status")
	if err != nil {
		t.Fatal("the memory of this process is not told: ", err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "RssAnon:"); ok {
			if _, err := fmt.Sscan(rest, &bytes); err != nil {
				t.Fatal(err)
			}
			return bytes << 10
		}
	}
	t.Fatal("the system does not tell RssAnon")
	return 0
}
