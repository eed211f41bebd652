// Package tidy holds the house rules as checks: which package may import which, where each outside library lives, how
// long files and functions may be, and what may not be called where results have to be the same on every node.
//
// It reads source text alone, with the standard library alone, and knows nothing of what the code does. Check has no
// state; the rules stand in rules.go, and the tests run them over this repository and over planted violations.
package tidy
