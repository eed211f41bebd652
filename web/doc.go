// Package web is the HTTP side of a node: REST under /v1 with its OpenAPI description, events, health, metrics and the
// pages of the dashboard.
//
// A request takes the same path as one over the wire protocol: it becomes a call of an ordinary client whose connection
// leads to this node's own port (clients.go), so the relay to the leader, limits and roles are one thing for both. What a
// node knows of itself beyond that protocol comes through Inspector, Meter and Journal.
//
// It refuses to know tasks: it stores nothing and decides nothing about them. It holds no session beyond the leases of
// HTTP workers (workers.go), and trusts no header but Authorization, the login cookie and those of conditional requests.
//
// Invariants. Headers, bodies, connections, requests in work, clients, sessions and event streams have bounds; every read
// and write of a connection has a deadline. Every error is a problem+json with the wire protocol's code. Whatever a task
// holds is sent as data, never as markup. A read that can be answered without a leader is, and says so (reads.go).
//
// Listen binds the port, Serve starts serving, Drain ends event streams and waiting claims, Close waits for every
// goroutine. All methods may be called concurrently.
package web
