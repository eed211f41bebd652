// Package fakenode is a scripted node for tests of what speaks the client protocol: it listens on loopback, shakes
// hands and hands every request to the test, which answers it, refuses it, or breaks the connection at that very
// moment.
//
// It knows nothing of tasks and keeps no state but connections. It is for tests only; production code never imports it.
// All methods may be called from many goroutines at once.
package fakenode
