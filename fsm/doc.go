// Package fsm is the deterministic effect of a committed command on the store, and the codec of commands.
//
// One Raft entry holds many commands (entry.go). ApplyBatch turns any run of committed entries into one atomic store
// batch; any cutting of the same log into runs gives the same state and the same Results. A command that the domain
// refuses changes nothing and its Result says why. An entry that cannot be decoded, or a kind, version or field that is
// not known, panics: to go on in silence would let replicas differ.
//
// Nothing here reads a clock, draws a random number, starts a goroutine, walks a map in its own order, logs or computes
// with floating point. Time comes from the entry, where the leader put it; whatever needs chance was computed before
// the command was proposed.
//
// Raft calls ApplyBatch, Snapshot and Restore from one goroutine. The functions that encode commands may be called by
// anyone at any time.
package fsm
