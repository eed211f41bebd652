// Package wire is Haiku's client protocol: frames, the messages inside them, and the codes of errors. PROTOCOL.md at
// the root of the repository describes it for clients in other languages; a test holds the two together.
//
// It turns bytes into checked domain values and back. It opens no connection, starts no goroutine, holds no state and
// decides nothing: what a request does is the broker's business.
//
// Invariants. Nothing is allocated for a length or a count that was only claimed: lengths are compared with the limit
// first, large bodies are read in steps, and lists are counted before they are decoded. Whatever the bytes, the answer
// is a value or an error that wraps a sentinel of package task, never a panic. A value that passed a ...FromPB function
// has ids of 16 bytes, known enum numbers, and times and durations that fit; the deeper limits are the Validate methods
// of package task.
//
// All functions may be called from many goroutines at once. Converted values share byte slices with their source.
package wire
