// Package worker runs the tasks of a Haiku cluster: it claims them, calls a handler for each, keeps their leases and
// reports what came of them.
//
// A Worker is made with New, told its handlers with Handle, and works in Run until its context ends. Then it claims
// nothing more, waits for the handlers that run, tells those that take too long to stop, and returns every task that it
// could not finish. Of handlers it asks two things: to end when their context ends, for context.Cause of it says why
// (ErrTimeout, ErrCancelled, ErrLeaseLost, ErrShutdown); and to bear being run again, for a worker that dies or loses
// its connection in the middle of a task leaves nobody who could tell how far it came. Task.LeaseID grows with every
// attempt in the whole cluster: a store that remembers the highest one it saw can refuse late writers.
//
// What it refuses to do: to run a task without a lease, to report a result twice under two leases, or to claim again
// after a claim whose outcome is unknown before it has sent a heartbeat.
//
// Invariants. A lease is listed in every heartbeat from the claim until its outcome is acknowledged or the broker says
// that it is lost. When its own clock says that a lease is over without having been confirmed, the handler's context
// ends. A result is reported until it is answered. At most one claim is under way, and never for more tasks than there
// are free places.
//
// Handle and Use are to be called before Run, Run once. Handlers are called from many goroutines at once.
package worker
