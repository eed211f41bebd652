// Command storebench is what `make bench-store` starts: it measures the store alone, without Raft and network, and prints
// tables in Markdown.
//
//   - claims.go: what a claim costs with few and with many tasks waiting, and after many have ended; memory meanwhile
//   - bytes.go: bytes written for the life cycle of a task, small and large
//   - cycle.go: what submit, claim and complete cost, by key
//
// Each part runs in a process of its own, so that memory and bytes are its own. queue.go drives a store as the state
// machine does; -scale makes everything smaller.
package main
