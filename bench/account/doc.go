// Command account is what `make bench-account` starts: it says where a task's time goes.
//
// Three nodes of Haiku do one kind of work after the other: one task a call, many tasks a call, and few tasks a second.
// Each node profiles itself from its start to its end and counts what it writes; all of it is divided by the tasks, so
// starting the nodes is in it, with a share that is small because the tasks are many. What comes out are two tables,
// leader beside follower (the mean of the two), and pictures of the profiles.
//
// CPU is split without counting anything twice. A sample belongs to the first of its functions, from the innermost
// outwards, that the table in areas.go has an area for. The samples give shares; the CPU time that is shared out is the
// kernel's count for the process, less that of RocksDB's own threads, which Go's profiler does not see and which have a
// row of their own. Hashing the state, which the benchmark asks for at the end, is left out.
package main
