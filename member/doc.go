// Package member says what a node of a cluster is as others see it: its identity, its addresses and its role; and what the
// holder of a token may do.
//
// Like package task it is a leaf: values only, no state, no clock, nothing of Raft.
package member
