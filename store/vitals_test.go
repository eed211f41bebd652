package store

import (
	"testing"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// TestVitalsAndDepths: what RocksDB tells of itself can be read, and the queues add up to the kept counts.
func TestVitalsAndDepths(t *testing.T) {
	s := openTest(t)
	b := s.Begin()
	at := time.UnixMicro(5_000_000_000).UTC()
	for i := range 9 {
		spec := &task.Spec{ID: task.ID{byte(i + 1)}, Type: []string{"a", "b", "c"}[i%3], Queue: []string{"", "other"}[i%2], Payload: make([]byte, 100)}
		b.Put(task.New(spec, at.Add(time.Duration(-i)*time.Second), b.NextSeq(), [16]byte{}))
	}
	if _, err := b.Commit(Applied{Index: 1, Term: 1}, [32]byte{1}); err != nil {
		t.Fatal(err)
	}
	v, err := s.Vitals()
	if err != nil {
		t.Fatal(err)
	}
	memtables := uint64(0)
	for _, f := range v.Families {
		memtables += f.Memtables
	}
	if memtables == 0 || v.WAL == 0 || v.BlockCacheCapacity == 0 || len(v.Families) != int(familyCount) || v.WriteStopped {
		t.Errorf("vitals %+v", v)
	}
	got := make(map[string]Depth)
	s.EachQueue(func(d Depth) { got[d.Counts.Queue] = d })
	if len(got) != 2 || got["default"].Counts.Ready != 5 || got["other"].Counts.Ready != 4 {
		t.Errorf("queues %+v", got)
	}
	if d := got["default"]; d.OldestReady != at.Add(-8*time.Second).UnixMicro() {
		t.Errorf("the oldest ready task of the default queue is said to wait since %d", d.OldestReady)
	}
}
