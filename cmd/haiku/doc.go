// Command haiku is the command line of Haiku: it submits and watches tasks, runs commands as a worker, and looks after
// a cluster.
//
// It talks to any node over the client protocol and is pure Go: it links neither RocksDB nor Raft, so it can be copied
// to any machine. One file holds the commands of one noun; exit.go has the table of exit codes, output.go the formats.
// Results go to standard output, everything said to people goes to standard error, an error as one line.
package main
