// Package task says what a task is: its fields, statuses and legal transitions, the limits of each field, the hash of
// what a client submitted, its JSON, and the errors that every layer of Haiku speaks of.
//
// It holds no state, starts no goroutine and knows neither clock nor storage nor network: time is always an argument.
// All values may be read by many goroutines at once; who changes one owns it alone.
//
// Times are UTC with microsecond precision; the zero time means "not set". Sizes are bytes.
package task
