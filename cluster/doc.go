// Package cluster is one node of a cluster: its data directory, Raft with its log, streams and snapshots, membership,
// the proposing of commands, linearizable and stale reads, and the duties of a leader.
//
// It does not listen and frames nothing: package transport hands it requests and Raft's connections. It does not decide
// what a command does: package fsm does. Only propose.go calls raft.Apply.
//
// Invariants:
//   - What Submit, Finish and Cancel acknowledge is fsynced in the logs of a majority and applied here.
//   - Everything that exists only while the node leads hangs off one leadership value of one term.
//   - An error or a hang of the log or the database ends the node: Done says so, and nothing is answered after it.
//   - A node keeps its id and vote only with the log and the database they were earned with.
//
// All methods of Node may be called concurrently, also during and after Close.
package cluster
