// Package proc starts the servers that are measured, and tells what they use.
//
// A server's output goes to a file in its folder. It dies with the program that started it, and it is stopped by its own
// id, with the whole tree of processes that it started. What is used comes from /proc: CPU and memory of process trees,
// CPU of the machine, the counters of the disk. So the package is for Linux alone.
package proc
