package cluster

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// TestLogIsBoundedByItsBytes: large payloads after many small ones, several times what the log may hold. At no time does
// it hold much more than its bounds; its files do not grow without end; and a node that comes later gets a snapshot, of
// which no file is left over.
func TestLogIsBoundedByItsBytes(t *testing.T) { bothKinds(t, logIsBoundedByItsBytes) }

func logIsBoundedByItsBytes(t *testing.T, kind LogKind) {
	const size, tasks = 64 << 10, 800
	bounds := logBounds{fresh: 4 << 20, trail: 8 << 20}
	c := startCluster(t, 1, func(cfg *Config) {
		cfg.LogStore, cfg.SnapshotInterval, cfg.SnapshotThreshold = kind, 10*time.Millisecond, 1<<40
	})
	n := c.leader()
	n.logs.mu.Lock()
	n.logs.bounds = bounds
	n.logs.mu.Unlock()
	c.submit(300)
	rng := rand.NewChaCha8([32]byte{7})
	most := int64(0)
	for range tasks {
		spec := task.Spec{ID: task.NewID(), Type: "t", Payload: make([]byte, size)}
		rng.Read(spec.Payload)
		c.mustSubmit(spec)
		most = max(most, n.logs.bytes())
	}
	if slack := bounds.fresh; most < bounds.trail || most > bounds.trail+bounds.fresh+slack {
		t.Errorf("of %d bytes the log held %d at most, its bounds are %+v", tasks*size, most, bounds)
	}
	eventually(t, "the log is within its bounds", func() bool { return n.logs.bytes() <= bounds.trail+bounds.fresh })
	allowed := 2 * (bounds.trail + bounds.fresh)
	if kind == LogWAL {
		allowed += 128 << 20 // it makes segments of 64 MiB ahead
	}
	if files := filesIn(t, filepath.Join(n.path, "groups", "0", kind.fileName())); files > allowed {
		t.Errorf("the log's files have %d bytes", files)
	}

	late := c.add()
	c.join(late)
	eventually(t, "the late node has everything", func() bool { return late.AppliedIndex() >= n.AppliedIndex() })
	c.sameState()
	for _, node := range c.nodes {
		if left := filesIn(t, filepath.Join(node.path, "groups", "0", snapshotsName)); left != 0 {
			t.Errorf("%s keeps %d bytes of received snapshots", node.name, left)
		}
	}
	eventually(t, "no checkpoint is left", func() bool {
		left, err := filepath.Glob(filepath.Join(n.path, "groups", "0", "store", "*"))
		return err == nil && len(left) == 2 // the pointer file and the database
	})
}

// filesIn is how many bytes a file, or the files below a directory, have.
func filesIn(t *testing.T, path string) (n int64) {
	t.Helper()
	err := filepath.WalkDir(path, func(_ string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
