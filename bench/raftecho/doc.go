// Package raftecho is the least that a replicated server can be: three nodes of hashicorp/raft over TCP, a log that is
// fsynced on a majority, and a state machine that does nothing. What Haiku does beyond it shows in the ratio of the two.
//
// A node is a process of its own. It keeps Raft's log as Haiku does (raft-boltdb with the same options, or raft-wal,
// and a cache of the newest entries), runs Raft with the same settings, and gathers commands into entries by the same rule: up to 256
// KiB, two entries under way. Clients talk to the leader over TCP, any number of requests at once on a connection, and
// are answered when their command is applied. Commands have the sizes of Haiku's, their bytes mean nothing.
//
// It refuses what a real server needs: no relaying, no joining, no snapshots, no checks. It is for measuring only.
//
// A request and its answer, big-endian:
//
//	length uint32 | id uint32 | command ...        id uint32
package raftecho
