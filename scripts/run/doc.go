// Command run is what `make run` starts: three nodes on loopback ports do a real job while their leader is killed, and
// every result is checked.
//
// The job is one task per file of Go's own source tree, submitted through a follower with mixed priorities; workers at
// all three nodes run sha256sum on it. Half-way the leader gets SIGKILL, and later it is started again. At the end every
// result is compared with what sha256sum says when it is run without Haiku, and the nodes' state hashes with each other.
// Anything lost, wrong or completed twice makes the exit code 1.
//
// job.go submits, watches and disturbs, verify.go compares, report.go prints; package localnodes runs the processes.
package main
