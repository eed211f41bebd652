// Package progress shows on a terminal how far a long transfer is, in bytes and bytes a second, in one line that goes
// away at the end. Where nobody watches it shows nothing. It starts nothing: the line is drawn by whoever makes progress,
// so a Bar belongs to one goroutine.
package progress
