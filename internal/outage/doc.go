// Package outage holds tests that run the real haikud and haiku as processes and do to them what happens in operation:
// SIGKILL one by one and all at once, SIGSTOP for longer than an election, directories that lose a part, files that are
// damaged, ports and directories that are taken. What is checked is what README.md promises: nothing acknowledged is lost,
// every task completes once, reads are fresh, all nodes end in the same state, and what cannot start says why in one line.
//
// It has no code of its own outside of tests, and it looks at the nodes from outside alone: through the client and worker
// libraries, exit codes and standard error. main_test.go builds the binaries, process_test.go and nodes_test.go run them,
// load_test.go is the work that goes on meanwhile; the other files are one kind of outage each.
//
// BenchmarkFailover measures, with the timeouts that are the default, how long a cluster without its leader takes to
// acknowledge again:
//
//	go test ./internal/outage -run '^$' -bench Failover -benchtime 10x
package outage
