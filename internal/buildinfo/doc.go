// Package buildinfo says which version of Haiku a binary is. Both binaries show the same one.
//
// It holds a constant and reads what the Go tool wrote into the binary; nothing here changes at run time.
package buildinfo
