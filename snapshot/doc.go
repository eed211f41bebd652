// Package snapshot is the framing of a database that travels: the checkpoint stream that a leader sends to a follower
// (stream.go, read.go), and around it the file that `haiku snapshot save` writes (file.go, write.go, verify.go).
//
// It knows bytes, sums and names of files, neither RocksDB nor Raft, so that the command line can check a file without
// linking either. It writes no file and follows no path: who reads a stream is handed the bytes of each file by a name
// that can only be one of a database's own.
//
// Invariants: a reader allocates as bytes come, never as a header announces; what was read without an error had every
// sum right and nothing behind its end; every damage wraps ErrDamaged and says which part, at which byte.
//
// Functions may be called concurrently; a reader or writer that they give belongs to one goroutine.
package snapshot
