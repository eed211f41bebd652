// Package metrics is what a node counts and times: for Prometheus, and as samples for the dashboard's charts.
//
// A Metrics lives as long as the process, so that its counters never fall while the node is opened again, gains and
// loses leadership, or installs a snapshot. Its methods that observe are called on the path of every task: they touch
// atomics, and a lock that only a new queue takes for writing. What tells of the node as it is now (Raft, RocksDB, depths
// of queues) is asked for when somebody scrapes, once a second for the samples.
//
// Counts of tasks come from what this node applied, told after the write, not from requests. Every node of a cluster
// applies the same, so each has nearly the same counts: they are not to be added up over nodes.
//
// The samples of an hour by seconds and a day by minutes stand in memory of fixed size and, now and then, in a file. They
// are worth little: a file that cannot be read is set aside, never a reason not to start.
//
// It serves nothing: package web does. All methods of Metrics may be called concurrently; a Recording is its opener's.
package metrics
