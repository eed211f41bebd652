//go:build race

package cluster

// largePayload is the largest payload of a test. The race detector looks at every byte that is copied, which holds up
// Raft for seconds with those of 10 MiB.
const largePayload = 256 << 10
