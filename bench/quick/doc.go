// Command quick is what `make bench-quick` starts: Haiku and a bare Raft (package raftecho) do the same work in turn, on
// this machine, in less than two minutes, and the ratio of the two is printed.
//
// The ratio is what to watch: a change of Haiku shows in it on any machine, however fast and however busy, because both
// sides suffer alike. Three nodes of each run all the time; after every run the disk is synced, so that none pays for
// another's writes. Haiku's runs are those of `haiku bench`, with all its checks; its nodes are the haikud that was built.
package main
