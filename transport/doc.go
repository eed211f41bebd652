// Package transport is the TCP port of a node: it tells Raft streams from clients, bounds and decodes what clients
// send, calls the broker, writes the answers, and relays to the leader what only the leader can answer.
//
// The straight line of a request, one file each: mux.go takes the connection, conn.go reads its frames, admit.go holds
// them against the limits, serve.go decides where they are answered, dispatch.go calls the broker, writer.go sends the
// reply; or relay.go and upstream.go pass the frame, unread, to the leader and its answer back. saving.go keeps the one
// thing that outlives a request: the snapshot that a client fetches in pieces.
//
// It refuses to know tasks: it stores nothing, validates requests but not the tasks and outcomes in them, and never
// sends again what may have taken effect. It knows neither Raft nor the cluster; both stand behind Broker and Admin.
//
// Invariants. Every request that was read gets one Ack or Nack, or its connection ends. Nothing is held for a client
// without a bound: connections, frames, requests without answer, bytes coming in and going out all have one (Limits),
// and a client that does not read its answers is disconnected. What one connection does, a panic included, ends that
// connection at most. A request travels one hop at most: what a member relayed is never relayed again.
//
// Concurrency. A Server may be used by many goroutines. Each client connection has a reading and a writing goroutine,
// and each request that waits for the broker one of its own, so requests of one connection are answered in any order.
// Every goroutine is waited for by Close.
package transport
