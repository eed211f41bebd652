// Package bench puts load on a cluster through package client and measures what comes of it. `haiku bench` is its
// command line.
//
// A producer submits one request at a time, as fast as it can or at a rate; a worker claims, does nothing, and reports
// with its next claim in the same request, as package worker does. Producers and workers share connections. Before the
// measured part some tasks of a type of their own go through their life, so that connections are open and code is
// loaded.
//
// It refuses to measure what is not checked: each task that was submitted has to come to a worker exactly once and to be
// acknowledged exactly once, nothing may be left in the queue, and with nodes of its own their states have to be equal.
// A Result that breaks this says so in Problems. Tasks are told apart by the beginning of their payloads, so a queue
// that holds tasks of others is refused where that would matter.
//
// Latencies go into HDR histograms of three digits, in microseconds. With a rate the wait for a producer that is late is
// not counted in: a submit's latency begins when it is sent.
package bench
