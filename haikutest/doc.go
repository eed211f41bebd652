// Package haikutest is a broker in the memory of a test, for those who test their own handlers and producers: no server,
// no disk, and a clock that the test moves.
//
//	b := haikutest.Start(t)
//	c := b.Client(t)           // package client's, over loopback
//	// ... submit, run a worker, let a task fail ...
//	b.Advance(time.Minute)     // retries, delays and timeouts of that minute are over
//
// It speaks the client protocol through the same code as a node, so programs in other languages can use it, too. What a
// task goes through is decided by rules of its own, which a test compares with a real node's: submits and their
// repetition, atomic batches, the order of claims, every outcome, retries and snoozes, dependencies and their policies,
// cancels, timeouts, crashes, unique keys, expiry, retry, deletion and retention, follow-up tasks, progress, results that
// are waited for, schedules, settings of queues (pauses, limits, aging), operations on many tasks, lists and counts.
//
// Time. The clock stands still between calls of Advance; only waits of a claim or a query pass in real time. Leases of
// workers that are connected are renewed by Advance, as their heartbeats would have done. A worker whose connections are
// gone loses its leases once the clock has passed Grace. Backoff has no jitter.
//
// A schedule fires at each of its moments that Advance passes, so none is ever missed and there is nothing to catch up.
// An operation without a rate is done at once, one with a rate goes on as the clock does.
//
// What it refuses or leaves out: everything about clusters and snapshots gets task.ErrUnknownType; ids may be of any age,
// and those of deleted tasks are known for ever. Tokens are not simulated: everybody may do everything.
//
// All methods may be called from many goroutines at once.
package haikutest
