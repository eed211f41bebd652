// Package tokenfile reads a token from a file that nobody but its owner can read. Both programs use it.
//
// It refuses a file that others may read or write, and a text that is no token. It never shows what it read.
package tokenfile
