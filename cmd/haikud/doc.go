// Command haikud is the daemon of Haiku: one node of a cluster.
//
// It is wiring only. It reads the settings, takes the data directory and the port, learns which cluster it belongs to,
// opens the node and serves until a signal, a storage error, or the node's leaving of its cluster; then it closes all of
// that in reverse order. Whatever it refuses, it refuses with one line on standard error and exit code 1, before it has
// changed anything; a command line that is not well-formed gives exit code 2.
//
// main.go has the command line, daemon.go one life of the node, join.go how it becomes a member, recover.go the
// repair of a stopped one.
package main
