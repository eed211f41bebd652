// Package client is the Go library for programs that submit tasks to Haiku, ask after them, or run a cluster. Package
// worker builds on it to run tasks.
//
// A Client keeps one connection, on which any number of requests are under way at once. It learns from the nodes which
// of them leads and talks to that one, unless told to stay; when the connection or the node fails it goes to another
// address. It is made with New, dials on first need and is to be closed.
//
// Retries. What surely did not take effect is sent again until the context ends or Config.RetryFor has passed. When
// nobody can tell whether a request took effect (the connection broke before the answer), it is sent again only if that
// is harmless: reads, cancels, heartbeats, results and submits, since a task's id is chosen here and stays the same. A
// claim is never repeated; its error wraps task.ErrUnknownOutcome.
//
// It refuses to guess: it holds no state of tasks, caches nothing and never drops an error. errors.Is gives the same
// answers for its errors as in the broker, with the sentinels of package task.
//
// All methods may be called from many goroutines at once. Every wait ends with its context; Close ends them all and
// every goroutine.
package client
