package store

import "sync/atomic"

// Written counts what batches have handed to RocksDB since the store was opened.
type Written struct {
	Batches uint64
	Puts    uint64 // keys
	Deletes uint64 // keys
	Bytes   uint64 // of whole batches, as RocksDB's own log gets them
}

// written is Written while it grows. A restore does not touch it.
type written struct{ batches, puts, deletes, bytes atomic.Uint64 }

// add counts a writer's batch that was written.
func (n *written) add(w *writer) {
	n.batches.Add(1)
	n.puts.Add(uint64(w.counts[opPut-opDelete]))
	n.deletes.Add(uint64(w.counts[opDelete-opDelete]))
	n.bytes.Add(uint64(len(w.buf)))
}

// Written tells what was written so far, after Close too.
func (s *Store) Written() Written {
	n := &s.written
	return Written{Batches: n.batches.Load(), Puts: n.puts.Load(), Deletes: n.deletes.Load(), Bytes: n.bytes.Load()}
}
