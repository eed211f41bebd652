// Package store keeps tasks, their indexes and the cluster's small values as keys of one RocksDB database. It is the
// only package that knows RocksDB.
//
// A Batch is an overlay of changes over the committed database: reads and ready-order scans see both, savepoints take
// back what a refused command did, and Commit writes all of it as one atomic write together with the applied index.
// Every index key is a pure function of the task it belongs to (keys.go), counters are deltas folded once a batch.
//
// It refuses to decide anything: which status follows which, who may claim and what is due is the caller's. It holds no
// clock and no chance, and never makes an empty database where one was before.
//
// Invariants:
//   - Database content and answers depend only on the operations, never on what a cache holds, on map order, or on how
//     a sequence of operations is cut into batches.
//   - At most one Batch is open at a time; it belongs to one goroutine. All methods of Store and Snapshot may be called
//     by many goroutines beside it and see committed state only.
//   - Memory is bounded: heads of queues, decoded records and RocksDB's own buffers each have a cap in Config.
//
// Any error of Commit, Sync or Witness is final: the process has to end, for memory and disk may differ after it.
package store
