// Package trace connects tasks with the traces of those who submit and run them. The context of a trace travels in a
// task's headers traceparent and tracestate, in the form that the W3C recommends.
//
// Source makes the spans of the libraries through OpenTelemetry's API: one for a submit, one for each attempt, after its
// semantic conventions for messaging. Recorder makes those of a node, for requests whose tasks carry a sampled context;
// a nil one makes none and costs nothing.
//
// It refuses to fail: a context that is malformed is no context, and one that does not fit into a task's headers is left
// out. It makes no trace of its own accord in a node, reads no environment, sends nothing, and knows no SDK.
//
// All of it may be called from many goroutines at once; a Sending and an Attempt belong to one goroutine.
package trace
